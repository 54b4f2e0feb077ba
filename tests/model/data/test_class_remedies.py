"""What a refusal of data with classes says to type is typed, and does."""

import numpy as np
import pytest
from class_harness import folder_of, load, strides, table_of, walk
from remedies import told

from bitformer.model.errors import UserError


def table(path, order="abababab", rows=20, columns="x,y,what"):
    cells = [
        (f"{one:g}", f"{two:g}", what)
        for i, what in enumerate(order)
        for one, two in walk(rows, i, seed=i)
    ]
    return table_of(path, cells, columns)


def refused(data, options):
    with pytest.raises(UserError) as caught:
        load(data, **options)
    found = told(str(caught.value))
    return {name: int(one) if name == "window" else one for name, one in found.items()}


@pytest.mark.parametrize(
    "options",
    [{"label": "whatt"}, {"label": "nothing"}, {"label": "what", "group": "WHAT"}],
)
def test_a_column_that_is_not_there(tmp_path, options):
    path = table(tmp_path / "my.csv")
    assert len(load(path, **options | refused(path, options)).classes) == 2


def test_a_shorter_window(tmp_path):
    path = table(tmp_path / "my.csv", order="ab" * 20, rows=3)
    asked = refused(path, {"label": "what"})
    assert asked == {"window": 3}
    assert len(load(path, label="what", **asked).test)


def test_a_shorter_window_of_groups(tmp_path):
    options = {"files": "{group}_{label}.csv", "test_groups": "c", "window": 50}
    folder = strides(tmp_path, rows=40)
    asked = refused(folder, options)
    assert asked == {"window": 40}
    assert len(load(folder, **options | asked).test) == 2


def test_numbers_are_forecast(tmp_path):
    rows = [(row, row / 8) for row in range(60)]
    path = table_of(tmp_path / "my.csv", rows, "x,power")
    with pytest.raises(UserError) as caught:
        load(path, label="power")
    target = str(caught.value).rsplit("--target ", 1)[1]
    assert load(path, target=target).target == "power"


def test_columns_that_all_files_have(tmp_path):
    folder = strides(tmp_path)
    folder_of(folder, {"c_walk.csv": walk(40, 0)}, columns="xz")
    options = {"files": "{group}_{label}.csv"}
    assert load(folder, **options | {"inputs": refused(folder, options)["inputs"]}).inputs == ("x",)


def test_a_folder_is_said_to_need_a_pattern(tmp_path):
    folder = strides(tmp_path)
    asked = refused(folder, {})
    assert load(folder, **asked).classes == ("run", "walk")


def test_classes_of_a_stacked_table(tmp_path):
    """Each class is a recording of its own; the refusal says that a column may tell them apart."""
    cells = [(what, what, *one) for what in "abc" for one in walk(50, 0)]
    path = table_of(tmp_path / "my.csv", cells, "what,part,x,y")
    with pytest.raises(UserError, match=r"Class c of my\.csv must have .* with --series COLUMN"):
        load(path, label="what")
    data = load(path, label="what", series="part")
    assert data.classes == tuple("abc")
    assert np.bincount(data.test.label).tolist() == [7, 7, 7]


def test_a_class_that_a_model_does_not_know_is_left_out(tmp_path):
    path = table(tmp_path / "my.csv", order="abababac")
    with pytest.raises(UserError, match=r"Class c of .* or leave out the rows of this class$"):
        load(path, label="what")
    assert load(path, label="what", missing="c").classes == ("a", "b")
