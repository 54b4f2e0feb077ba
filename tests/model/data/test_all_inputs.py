"""``--inputs all``, and numbers that are missing in one column alone."""

from pathlib import Path

import numpy as np
import pytest

from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.synthetic import COLUMNS
from bitformer.model.errors import UserError


def table(path: Path, header: str, row, *, rows: int = 60) -> str:
    path.write_text("\n".join([header, *(row(i) for i in range(rows))]) + "\n")
    return str(path)


def load(path: str, **options):
    options = {
        "window": 4,
        "horizon": 2,
        "target": "load",
        "time": "time",
        "inputs": "all",
    } | options
    return load_dataset(path, **options)


def row(i: int) -> str:
    return f"2024-01-{1 + i // 24:02d} {i % 24:02d}:00,s,{i % 7},sunny,{i % 5}.5,,{i % 3}"


HEADER = "time,site,load,sky,wind,empty,flag"


def test_all_columns_of_numbers_in_the_order_of_the_file(tmp_path):
    data = load(table(tmp_path / "a.csv", HEADER, row))
    assert (data.inputs, data.target_channel) == (("load", "wind", "flag"), 0)
    assert "Inputs: load, wind, flag" in data.notes
    assert "Columns that hold no numbers are no inputs: site, sky, empty" in data.notes
    np.testing.assert_allclose(data.mean[1], np.mean(np.arange(36) % 5 + 0.5))


def test_the_column_of_series_is_no_input(tmp_path):
    path = table(tmp_path / "a.csv", HEADER, lambda i: row(i).replace(",s,", ",7,"))
    assert load(path).inputs == ("site", "load", "wind", "flag")
    assert load(path, series="site").inputs == ("load", "wind", "flag")


def test_times_that_are_numbers_are_no_inputs(tmp_path):
    path = table(tmp_path / "a.csv", "time,hour,load", lambda i: f"{i},{i % 24},{i % 7}")
    assert load(path).inputs == ("hour", "load")
    assert load(path, time=None).inputs == ("time", "hour", "load")


def test_a_column_that_is_called_all(tmp_path):
    path = table(tmp_path / "a.csv", "all,load,other", lambda i: f"{i},{i % 7},{i % 3}")
    assert load(path, time=None).inputs == ("all",)


def test_decimal_commas(tmp_path):
    path = table(tmp_path / "a.csv", "time;load;x", lambda i: f"{i};{i % 7},5;{i},25")
    assert load(path).inputs == ("load", "x")


def test_what_is_mostly_numbers_is_refused_by_line_not_left_out(tmp_path):
    path = table(
        tmp_path / "a.csv", "time,load,x", lambda i: f"{i},{i % 7},{'off' if i == 9 else i}"
    )
    with pytest.raises(UserError, match=r"Column 'x' of .* line 11 has 'off'"):
        load(path)


def test_without_numbers(tmp_path):
    path = table(tmp_path / "a.csv", "time,load", lambda i: f"{i},high")
    with pytest.raises(UserError, match=r"Inputs must be columns of numbers, and .* has none"):
        load(path)


def test_of_a_generated_series():
    assert load("synthetic", target=None, time=None).inputs == COLUMNS


@pytest.mark.needs("data")
def test_of_published_data():
    data = load_dataset("etth1", window=24, horizon=1, inputs="all")
    assert data.inputs == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert data.target_channel == 6


def test_missing_in_one_column_alone(tmp_path):
    path = table(tmp_path / "a.csv", "time,load,x", lambda i: f"{i},{i % 7},{i % 3}")
    values = load(path, missing="load=0", max_fill=1)
    first = values.train.inputs[:8] * values.std + values.mean
    np.testing.assert_allclose(first[1:, 0], [1, 2, 3, 4, 5, 6, 6])
    np.testing.assert_allclose(first[:, 1], np.arange(8) % 3)
    with pytest.raises(UserError, match="missing must name a number of load, not 'none'"):
        load(path, missing="load=none")
