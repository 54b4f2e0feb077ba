"""Windows of recordings with classes: their rows, their parts, their scales."""

import dataclasses
import itertools

import numpy as np
import pytest
from class_harness import folder_of, load, spans, strides, table_of, walk

from bitformer.model.data.datasets import column_names, load_all_classes, load_series
from bitformer.model.data.labelled_files import files_of
from bitformer.model.data.labelling import check_labelling
from bitformer.model.data.reading import DataSource, Reading
from bitformer.model.errors import UserError
from bitformer.model.plain import built

BY_NAME = {"files": "{group}_{label}.csv"}


def parts(data):
    return {"train": data.train, "val": data.val, "test": data.test}


def test_fields(tmp_path):
    data = load(strides(tmp_path), **BY_NAME, stride=3)
    assert (data.task, data.classes, data.groups) == ("classify", ("run", "walk"), tuple("abcd"))
    assert (data.inputs, data.target, data.name) == (("x", "y"), "label", tmp_path.name)
    assert (data.target_mean, data.target_std, data.target_channel) == (0.0, 1.0, None)
    for part in parts(data).values():
        assert (part.window, part.horizon, part.ahead) == (4, 1, 0)
        assert (part.x.shape, part.y.shape) == ((len(part), 4, 2), (len(part), 1))
        assert part.label.dtype == part.group_of.dtype == np.int64
        assert (part.y[:, 0] == part.label).all()
        # the level of each class is plain to see in its rows
        assert ((part.x.mean((1, 2)) > 0) == (part.label == 1)).all()
        some = part.take(slice(3, 5))
        assert some.label.tolist() == part.label[3:5].tolist()


def test_each_recording_is_split_by_itself(tmp_path):
    data = load(strides(tmp_path), **BY_NAME, stride=3)
    # 40 rows a file: 24, 8 and 8; windows of 4 rows, each 3 rows, none across two parts
    of_a_file = {"train": range(0, 21, 3), "val": range(24, 29, 3), "test": range(32, 37, 3)}
    for name, part in parts(data).items():
        expected = [
            (40 * file + row, 40 * file + row + 3) for file in range(8) for row in of_a_file[name]
        ]
        assert spans(part) == expected
        assert part.group_of.tolist() == [start // 80 for start, _ in expected]
        assert part.label.tolist() == [start // 40 % 2 for start, _ in expected]
    assert "Split: the first 60 %, 20 % and 20 % of the rows of each of 8 recordings" in data.notes
    assert "56 training, 16 validation and 16 test windows of 4 rows, one each 3 rows" in data.notes


def test_scaled_by_training_rows(tmp_path):
    data = load(strides(tmp_path), **BY_NAME)
    files = sorted(tmp_path.iterdir())
    rows = np.concatenate([np.loadtxt(one, delimiter=",", skiprows=1)[:24] for one in files])
    assert data.mean == pytest.approx(rows.mean(axis=0))
    assert data.std == pytest.approx(rows.std(axis=0))
    first = (rows[:4] - rows.mean(axis=0)) / rows.std(axis=0)
    assert data.train.x[0] == pytest.approx(first)


@pytest.mark.parametrize(
    ("given", "val", "note"),
    [
        ({"val_groups": "b"}, "b", "a for test, b for validation, 2 others for training"),
        ({}, "d", "a for test, d for validation, 2 others for training"),  # a quarter of three
    ],
)
def test_groups_in_one_part(tmp_path, given, val, note):
    data = load(strides(tmp_path), **BY_NAME, test_groups="a", **given)
    found = {
        name: {data.groups[i] for i in part.group_of.tolist()} for name, part in parts(data).items()
    }
    assert found == {"train": set("abcd") - {"a", val}, "val": {val}, "test": {"a"}}
    # whole recordings: each of two files gives 40 - 4 + 1 windows
    assert {name: len(part) for name, part in parts(data).items()} == {
        "train": 4 * 37,
        "val": 2 * 37,
        "test": 2 * 37,
    }
    assert f"Split by groups: {note}" in data.notes
    rows = [np.loadtxt(one, delimiter=",", skiprows=1) for one in sorted(tmp_path.iterdir())]
    training = [one for i, one in enumerate(rows) if "abcd"[i // 2] in found["train"]]
    assert data.mean == pytest.approx(np.concatenate(training).mean(axis=0))


def test_one_table_with_recordings_row_by_row(tmp_path):
    # two persons at once, row by row; a class changes in the middle of a recording
    rows = [
        (row, person, "up" if (row // 10) % 2 else "down", *cells)
        for row, (one, two) in enumerate(zip(walk(100, 0), walk(100, 5, 1), strict=True))
        for person, cells in (("p10", one), ("p2", two))
    ]
    path = table_of(tmp_path / "my.csv", rows, "when,who,what,x,y")
    data = load(path, label="what", group="who", time="when")
    assert (data.inputs, data.target, data.groups) == (("x", "y"), "what", ("p2", "p10"))
    assert data.classes == ("down", "up")
    for part in parts(data).values():
        for (start, last), label, group in zip(spans(part), part.label, part.group_of, strict=True):
            assert start // 100 == last // 100 == 1 - group  # p10 is the first in the file
            assert start // 10 == last // 10
            assert (start // 10) % 2 == label
    assert [len(part) for part in parts(data).values()] == [84, 28, 28]  # 7 a stretch of 10


def test_what_is_guessed_is_said(tmp_path):
    path = table_of(tmp_path / "my.csv", [("ab"[i // 9 % 2], i) for i in range(180)], "what,x")
    said = "Task: classify, as column what says what the rows are"
    assert load(path, label="what").notes[0] == said
    assert said not in load(path, label="what", task="classify").notes
    folder = strides(tmp_path / "gait")
    assert load(folder, **BY_NAME).notes[0].startswith("Task: classify, as the names of files say")


def test_series_and_groups(tmp_path):
    # two recordings of a person: no window spans the two
    rows = [
        ("p", f"day{day}", what, *cells)
        for day in (1, 2)
        for what in ("a", "b")
        for cells in walk(10, float(what == "b"), day)
    ]
    path = table_of(tmp_path / "my.csv", rows, "who,day,what,x,y")
    grouped = load(path, label="what", group="who", series="day", window=2)
    assert {start // 20 for start, _ in spans(grouped.train)} == {0, 1}
    assert all(start // 10 == last // 10 for start, last in spans(grouped.train))
    assert "of each of 2 recordings" in grouped.notes[2]


def test_a_folder_with_a_column_of_classes(tmp_path):
    # the group stands in the files' names, the class in a column that is called "group"
    for person in ("p1", "p2"):
        rows = [("ab"[row // 10 % 2], *one) for row, one in enumerate(walk(100, 0))]
        table_of(tmp_path / f"{person}.csv", rows, "group,x,y")
    data = load(tmp_path, files="{group}.csv", label="group")
    assert (data.target, data.classes, data.groups) == ("group", ("a", "b"), ("p1", "p2"))
    assert data.inputs == ("x", "y")
    assert [len(part) for part in parts(data).values()] == [84, 28, 28]
    assert data.test.group_of.tolist() == [0] * 14 + [1] * 14


def test_a_folder_with_a_column_of_groups(tmp_path):
    for kind in ("a", "b"):
        rows = [(f"p{row // 50}", *one) for row, one in enumerate(walk(100, 0))]
        table_of(tmp_path / f"{kind}.csv", rows, "label,x,y")
    data = load(tmp_path, files="{label}.csv", group="label")
    assert (data.classes, data.groups) == (("a", "b"), ("p0", "p1"))
    assert "of each of 4 recordings" in data.notes[2]  # of two persons in each file
    starts = {start // 50 for start, _ in spans(data.train)}
    assert starts == {0, 1, 2, 3}
    assert all(start // 50 == last // 50 for start, last in spans(data.train))


def test_all_windows_of_other_recordings(tmp_path):
    trained = load(strides(tmp_path / "old"), **BY_NAME)
    new = folder_of(tmp_path / "new", {"z_walk.csv": walk(9, 10.0)})
    scales = {"mean": trained.mean, "std": trained.std, "classes": trained.classes}
    model = {"window": 4, "inputs": ("x", "y"), **scales}
    found = load_all_classes(str(new), **model, reading=Reading(**BY_NAME))
    assert [len(part) for part in parts(found).values()] == [0, 0, 6]
    assert found.test.label.tolist() == [1] * 6  # the model's number, though there is one class
    assert (found.task, found.classes, found.groups) == ("classify", ("run", "walk"), ("z",))
    values = np.loadtxt(new / "z_walk.csv", delimiter=",", skiprows=1)
    assert found.test.x[5] == pytest.approx((values[5:] - trained.mean) / trained.std)
    strided = load_all_classes(str(new), **model, reading=Reading(**BY_NAME, stride=5))
    assert spans(strided.test) == [(0, 3), (5, 8)]
    with pytest.raises(
        UserError, match=r"^new must have 10 rows of one class .* stretch is 9: give"
    ):
        load_all_classes(str(new), **model | {"window": 10}, reading=Reading(**BY_NAME))
    folder_of(new, {"z_hop.csv": walk(9, 10.0)})
    with pytest.raises(
        UserError,
        match=r"^Classes of new must be those of the model, run, walk, not hop: leave out the rows"
        r" of this class, or say --missing hop$",
    ):
        load_all_classes(str(new), **model, reading=Reading(**BY_NAME))
    left = load_all_classes(str(new), **model, reading=Reading(**BY_NAME, missing="hop"))
    assert left.test.label.tolist() == [1] * 6


def test_rows_of_a_folder_for_a_model(tmp_path):
    folder = strides(tmp_path)
    reading = Reading(**BY_NAME)
    rows = load_series(str(folder), columns=("y",), reading=reading)
    assert (rows.columns, rows.values.shape) == (("y",), (320, 1))
    assert list(dict.fromkeys(rows.labels)) == sorted(path.name for path in folder.iterdir())
    assert column_names(str(folder), reading) == ["x", "y"]
    # one new file is read as those in the folder were
    one = load_series(str(folder / "b_run.csv"), columns=("y",), reading=reading)
    assert one.labels is None
    assert (one.values == rows.values[80:120]).all()


def test_every(tmp_path):
    data = load(strides(tmp_path), **BY_NAME, every=2)
    whole = load(strides(tmp_path), **BY_NAME)
    assert len(data.train.inputs) == len(whole.train.inputs) // 2
    # of each file the rows 0, 2, 4 …; 20 of them: 12, 4 and 4
    assert [len(part) for part in parts(data).values()] == [8 * 9, 8, 8]
    values = np.loadtxt(tmp_path / "a_run.csv", delimiter=",", skiprows=1)[::2]
    assert data.train.x[0] * data.std + data.mean == pytest.approx(values[:4])


def test_every_counts_in_the_step(tmp_path):
    rows = [(f"2020-01-01 00:{row // 60:02d}:{row % 60:02d}", row) for row in range(600)]
    path = table_of(tmp_path / "my.csv", rows, "when,v")
    options = {"target": "v", "time": "when", "window": 4, "horizon": 2}
    data = load(path, **options, every=5)
    assert (str(data.step), data.period) == ("5s", 17280)
    values = data.train.inputs[:, 0] * data.std + data.mean
    assert values == pytest.approx(np.arange(0, 600, 5))
    with pytest.raises(
        UserError, match=r"^every must be a whole number of rows, 1 or more, not 0$"
    ):
        load(path, **options, every=0)


def test_every_after_a_gap(tmp_path):
    # rows 10 to 19 are lost: a longer gap than is filled; no window spans it
    rows = [(row, row) for row in range(60) if not 10 <= row < 20]
    path = table_of(tmp_path / "my.csv", rows, "when,v")
    data = load(path, target="v", time="when", window=2, horizon=1, every=2)
    values = data.train.inputs[:, 0] * data.std + data.mean
    assert values.round().tolist() == [0, 2, 4, 6, 8, 20, 22, *range(24, 60, 2)]
    assert 8 not in values[data.train.begin].round().tolist()


def test_business_days_have_no_other_step(tmp_path):
    days = [day for day in range(1, 32) if np.is_busday(f"2020-01-{day:02d}")]
    path = table_of(tmp_path / "my.csv", [(f"2020-01-{d:02d}", d) for d in days], "when,v")
    with pytest.raises(UserError, match="business days, not 2: leave --every out"):
        load(path, target="v", time="when", window=2, horizon=1, every=2)


def test_gaps_missing_cells_and_rows_without_a_class(tmp_path):
    rows = [["ab"[row // 20 % 2], *cells] for row, cells in enumerate(walk(200, 0))]
    rows[5][0] = ""  # no class
    rows[6][0] = "n.d."
    for row in range(25, 30):
        rows[row][1] = ""  # more than is filled
    rows[33][2] = ""  # filled
    path = table_of(tmp_path / "my.csv", rows, "what,x,y")
    data = load(path, label="what", missing="n.d.")
    assert data.classes == ("a", "b")
    begin = [start for start, _ in spans(data.train)]
    stretches = [(0, 5), (7, 20), (20, 25), (30, 40), (40, 60), (60, 80), (80, 100), (100, 120)]
    assert begin == [row for start, stop in stretches for row in range(start, stop - 3)]
    assert data.train.inputs[33, 1] == data.train.inputs[32, 1]
    note = "2 of 200 rows have no class and are left out: no window spans one"
    assert note in data.notes


def test_numbers_as_classes(tmp_path):
    rows = [(row // 12 % 11, *cells) for row, cells in enumerate(walk(264, 0))]
    path = table_of(tmp_path / "my.csv", rows, "kind,x,y")
    data = load(path, label="kind", series="kind", window=2)
    assert data.classes == tuple(map(str, range(11)))  # 10 after 9
    floats = [(f"{kind:.1f}", *cells) for kind, *cells in rows]
    again = load(table_of(tmp_path / "f.csv", floats, "kind,x,y"), label="kind", series="kind")
    assert again.classes == data.classes


def test_missing_classes(tmp_path):
    rows = [(row // 12 % 4, *cells) for row, cells in enumerate(walk(480, 0))]
    path = table_of(tmp_path / "my.csv", rows, "kind,x,y")
    assert load(path, label="kind").classes == tuple("0123")
    for missing in ("kind=3", "3", "3.0"):
        assert load(path, label="kind", missing=missing).classes == tuple("012")
    assert load(path, label="kind", missing="x=3").classes == tuple("0123")


def test_numbers_of_many_digits_are_names(tmp_path):
    long = "1" + "0" * 40
    rows = [((long, long + "1")[row // 20 % 2], *cells) for row, cells in enumerate(walk(400, 0))]
    path = table_of(tmp_path / "my.csv", rows, "kind,x,y")
    assert load(path, label="kind").classes == (long, long + "1")


def test_recordings_too_short_are_told(tmp_path):
    files = {f"{kind}/{i}.csv": walk(30, i) for i, kind in itertools.product(range(2), "ab")}
    folder_of(tmp_path, {**files, "b/9[1].csv": walk(5, 1), "b/notes.txt": walk(30, 1)})
    data = load(tmp_path, files="{label}/*.csv")
    assert (data.classes, data.groups) == (("a", "b"), ())
    assert "1 of 5 recordings give no window of 4 rows (b/9[1].csv)" in data.notes


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("{label}*.csv", {"walk_x7"}),
        ("{label}_*[1].csv", {"walk"}),
        ("{group}_{label}?.csv", None),  # a question mark is one
        ("*/{label}_x7[1].csv", None),
    ],
)
def test_patterns_are_taken_literally(tmp_path, pattern, found):
    folder_of(tmp_path, {"walk_x7[1].csv": walk(9, 0)})
    if found is None:
        with pytest.raises(UserError, match=r"must have files named as .* but has walk_x7\[1\]"):
            files_of(tmp_path, pattern)
    else:
        assert {
            one.said["label"].removesuffix("[1]") for one in files_of(tmp_path, pattern)
        } == found


def test_a_source_keeps_what_it_was_told():
    given = {"files": "{group}_{label}.csv", "every": 2, "stride": 5, "test_groups": "a,b"}
    source = DataSource.of(data="folder", **given)
    plain = source.to_dict()
    assert (plain["test_groups"], plain["every"], plain["stride"]) == (["a", "b"], 2, 5)
    assert built(DataSource, plain, "source") == source
    unlabelled = DataSource.of(data="my.csv", target="a").to_dict()
    assert unlabelled == {"data": "my.csv", "target": "a", "inputs": None, "time": None}


def test_windows_of_a_series_have_no_classes(tmp_path):
    path = table_of(tmp_path / "my.csv", [(row,) for row in range(60)], "v")
    data = load(path, target="v")
    assert (data.task, data.classes, data.groups) == ("forecast", (), ())
    assert data.train.group_of.tolist() == [0] * len(data.train)
    with pytest.raises(ValueError, match=r"^Windows must have classes"):
        _ = data.train.label
    assert load(path, target="v", task="detect").task == "detect"


def test_reading_checks_all_fields_of_classes():
    names = {"files", "label", "group", "test_groups", "val_groups", "every", "stride"}
    assert names <= {one.name for one in dataclasses.fields(Reading)}
    check_labelling(files=None, label=None, group=None, counts={}, test_groups=(), val_groups=())


def test_lines_of_a_folder_are_told_with_their_file(tmp_path):
    for name in ("a_run", "a_walk", "b_run", "b_walk"):
        lost = {"a_walk": {7}, "b_run": set(range(20, 25))}.get(name, set())
        rows = [(row, row % 11) for row in range(40) if row not in lost]
        if name == "b_walk":
            rows[30] = (30, 700)
        table_of(tmp_path / f"{name}.csv", rows, "when,x")
    data = load(tmp_path, **BY_NAME, time="when")
    step = "on a step of 1, took the values before it"
    assert f"1 lost row, {step} (after line 8 of a_walk.csv)" in data.notes
    gap = "1 gap in time, the first before line 22 of b_run.csv: no window spans one"
    assert gap in data.notes
    far = "x is 700 in line 32 of b_walk.csv, and 0 to 10 elsewhere"
    assert any(note.startswith(far) for note in data.notes)
