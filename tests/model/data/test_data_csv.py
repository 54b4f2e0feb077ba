"""CSV files of the user's own: what is read, what is filled, and what is refused."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bitformer.model.data.csv_source import read_csv
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError

ROWS = 60


def stamp(hour: int) -> str:
    return (datetime(2024, 1, 1) + timedelta(hours=hour)).isoformat(sep=" ")


def table(rows: int = ROWS, **replaced: str) -> str:
    """A file of ``rows`` hours; ``b7="x"`` puts x into column b of data row 7 (line 9)."""
    lines = ["time,a,b,note"]
    for i in range(rows):
        cells = {"time": stamp(i), "a": f"{i % 7}.5", "b": f"{i * i % 11}", "note": "ok"}
        lines.append(",".join(replaced.get(f"{k}{i}", v) for k, v in cells.items()))
    return "\n".join(lines) + "\n"


def write(folder: Path, content: str | bytes) -> str:
    path = folder / "my.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def load(path: str, **options):
    return load_dataset(
        path, **{"window": 4, "horizon": 2, "target": "a", "time": "time"} | options
    )


BAD = {
    "not a number": (table(b7="12;5"), {}, r"'b' of .* line 9 has '12;5'"),
    "text": (table(a0="hot"), {}, r"Column 'a' of .*finite numbers, but line 2 has 'hot'"),
    "infinite": (table(a3="inf"), {}, r"finite numbers, but line 5 has 'inf'"),
    "underscore": (table(a3="1_0"), {}, r"finite numbers, but line 5 has '1_0'"),
    "no such target": (table(), {"target": "c"}, r"'c' is not in .*, which has time, a, b, note"),
    "no such input": (table(), {"inputs": ["a", "z"]}, r"Column 'z' is not in .*my\.csv"),
    "no such time": (table(), {"time": "date"}, r"Column 'date' is not in"),
    "no target": (table(), {"target": None}, r"Target must name .* one of time, a, b, note"),
    "no inputs": (table(), {"inputs": []}, r"Inputs must be one or more .* not none"),
    "input twice": (table(), {"inputs": ["a", "a"]}, r"different columns, not a, a"),
    "time twice": (table(time5=stamp(4)), {}, r"time of line 7 repeats that of line 6"),
    "time goes back": (table(time5=stamp(2)), {}, r"line 7 goes back behind that of line 6"),
    "time unreadable": (table(time5="noon"), {}, r"ISO 8601 times as in its first row.* 7 has 'n"),
    "time missing": (table(time5=""), {}, r"Time column 'time' .* line 7 has ''"),
    "time mixed": (
        table(time0="1/7/2024 0:00"),
        {},
        r"like '1/7/2024 0:00' .* 3 has '2024-01-01 01",
    ),
    "time ambiguous": (
        "time,a,b\n1/7/2024,1,2\n2/7/2024,1,2\n",
        {},
        r"which number is the day, .* line 2 has '1/7/2024': say --time-format '%d/%m/%Y' or '%m",
    ),
    "time strange": (
        table(time0="noon"),
        {},
        r"2016-07-01 13:00.*line 2 has 'noon': .*--time-form",
    ),
    "too short": (table(9), {}, r"at least 10 rows .* it has 9 rows"),
    "header only": ("time,a,b\n", {}, r"at least 10 rows .* it has 0 rows"),
    "only gaps": (table(**{f"a{i}": "" for i in range(6, 54)}), {}, r"validation part holds no w"),
    "constant": (table(**{f"a{i}": "2" for i in range(40)}), {}, r"'a' .* change .* always 2"),
    "empty": ("", {}, r"header and rows, but it is empty"),
    "blank": ("\n \n", {}, r"header and rows, but it is empty"),
    "no header": ("1,2\n3,4\n", {}, r"first line .* only numbers"),
    "column twice": ("a,b,a\n1,2,3\n", {}, r"'a' is there twice"),
    "ragged": (table().replace(",ok", "", 1), {}, r"Line 2 .* 4 cells like the header, not 3"),
    "binary": (b"time,a\n\x00\x01\x02", {}, r"text in UTF-8, but byte 7 is 0x00"),
    "other encoding": ("time,a,°C\n".encode("latin-1"), {}, r"UTF-8, but byte 7 is 0xb0"),
    "open quote": ('time,a\n"' + "x" * 200_000, {}, r"not readable as CSV: field larger"),
    "window": (table(), {"window": 0}, r"Window must be a positive number of rows, not 0"),
    "horizon": (table(), {"horizon": -1}, r"Horizon must be a positive .* not -1"),
    "max_fill": (table(), {"max_fill": -1}, r"max_fill must be 0 or more rows, not -1"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_gives_one_sentence(tmp_path, kind):
    content, options, message = BAD[kind]
    with pytest.raises(UserError, match=message) as caught:
        load(write(tmp_path, content), **{"inputs": ["a", "b"]} | options)
    text = str(caught.value).replace(str(tmp_path), "")
    assert "\n" not in text
    assert not text.endswith(".")
    assert not re.search(r"\. [A-Z]", text), "one sentence"


def test_missing_file_directory_and_unknown_name(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.csv does not exist"):
        load(str(tmp_path / "nothing.csv"))
    with pytest.raises(UserError, match="must be a CSV file, not a directory"):
        load(str(tmp_path))
    with pytest.raises(
        UserError, match="etth1, etth2, beijing-air, metro-traffic, synthetic or the path"
    ):
        load("etth3")


def test_good_file(tmp_path):
    data = load(write(tmp_path, table()), inputs=["b", "a"])
    assert (data.name, data.inputs, data.target) == ("my.csv", ("b", "a"), "a")
    assert (data.target_channel, data.period) == (1, 24)
    assert [len(part) for part in (data.train, data.val, data.test)] == [36 - 5, 12 - 1, 12 - 1]
    train = np.array([[i * i % 11, i % 7 + 0.5] for i in range(36)], float)
    np.testing.assert_allclose(data.mean, train.mean(axis=0))
    np.testing.assert_allclose(data.std, train.std(axis=0))
    x = data.train.x[3] * data.std + data.mean
    np.testing.assert_allclose(x, train[3:7])
    np.testing.assert_allclose(data.train.y[3] * data.target_std + data.target_mean, train[7:9, 1])


def test_target_alone_is_the_default_input(tmp_path):
    data = load(write(tmp_path, table()))
    assert (data.inputs, data.target_channel) == (("a",), 0)


def test_target_need_not_be_an_input(tmp_path):
    data = load(write(tmp_path, table()), inputs=["b"])
    assert (data.inputs, data.target_channel) == (("b",), None)
    said = "Target a is not an input, so only the repeating baselines see it: the verdict leaves"
    assert (
        f"{said} them out. If the device has a, name it with --target and among --inputs"
        in data.notes
    )


@pytest.mark.parametrize("mark", ["", "NA", "n/a", "NaN", "null", "None", " "])
def test_short_runs_are_filled_from_the_past(tmp_path, mark):
    data = load(write(tmp_path, table(a10=mark, a11=mark, a12=mark)))
    values = data.train.inputs[:, 0] * data.std[0] + data.mean[0]
    np.testing.assert_allclose(values[9:14], [2.5, 2.5, 2.5, 2.5, 6.5])
    assert "3 missing cells in runs of at most 3 took the value before them (a 3)" in data.notes
    assert len(data.train) == 36 - 5


def test_long_runs_cut_the_series(tmp_path):
    data = load(write(tmp_path, table(a10="", a11="", a12="", a13="")))
    spans = [range(first - 4, first + 2) for first in data.train.first]
    assert [span.start for span in spans] == [*range(5), *range(14, 31)]
    assert not np.isnan(data.train.x).any()
    assert not np.isnan(data.train.y).any()
    assert any(note.startswith("4 of 60 rows still lack a cell") for note in data.notes)
    seen = np.r_[0:10, 14:36]  # what scaling is fitted on
    np.testing.assert_allclose(data.mean[0], np.mean(seen % 7 + 0.5))


def test_max_fill_decides(tmp_path):
    path = write(tmp_path, table(a10="", a11=""))
    assert len(load(path, max_fill=2).train) == 31
    assert len(load(path, max_fill=1).train) == 5 + 19


def test_leading_cells_are_not_filled_from_the_future(tmp_path):
    data = load(write(tmp_path, table(a0="")))
    assert data.train.first[0] == 1 + 4


def test_no_window_spans_a_gap_in_time(tmp_path):
    late = {f"time{i}": stamp(i + 5) for i in range(20, ROWS)}
    data = load(write(tmp_path, table(**late)))
    assert [first for first in data.train.first if 20 - 2 < first < 20 + 4] == []
    assert len(data.train) == (20 - 5) + (16 - 5)
    assert "1 gap in time, the first before line 22: no window spans one" in data.notes


def test_nothing_is_filled_across_a_gap_in_time(tmp_path):
    late = {f"time{i}": stamp(i + 5) for i in range(20, ROWS)}
    data = load(write(tmp_path, table(a20="", **late)))
    assert data.train.first[data.train.first > 20][0] == 21 + 4


def test_jitter_is_no_gap(tmp_path):
    def jitter(i: int) -> str:
        return (datetime(2024, 1, 1) + timedelta(hours=i, minutes=i * 7 % 13)).isoformat()

    data = load(write(tmp_path, table(**{f"time{i}": jitter(i) for i in range(ROWS)})))
    assert len(data.train) == 31


def test_rows_closer_than_half_a_step_are_cut_off(tmp_path):
    early = {
        f"time{i}": (datetime(2024, 1, 1, 19, 20) + timedelta(hours=i - 20)).isoformat()
        for i in range(20, ROWS)
    }
    data = load(write(tmp_path, table(**early)))
    assert len(data.train) == (20 - 5) + (16 - 5)


def test_without_times_rows_count_as_even(tmp_path):
    data = load(write(tmp_path, table(time5=stamp(2))), time=None)
    assert data.period is None
    assert len(data.train) == 31


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ("2024-01-01 00:00", "2024-01-01 00:30", 1800),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00+01:00", -3600),
        ("2024-01-01", "2024-01-02", 86400),
        ("20240228", "20240301", 2 * 86400),
        ("2024/1/1 0:00", "2024/1/1 1:00", 3600),
        ("31.12.2023 23:00:00", "01.01.2024 00:00:10", 3610),
        ("0", "0.25", 0.25),
        ("1704067200", "1704067260", 60),
    ],
)
def test_times(tmp_path, first, second, distance):
    path = Path(write(tmp_path, f"t,a\n{first},1\n{second},2\n"))
    times = read_csv(path, columns=["a"], reading=Reading(time="t")).times
    assert times is not None
    assert times[1] - times[0] == distance


@pytest.mark.parametrize("separator", [";", "\t"])
def test_separators_byte_order_mark_and_line_ends(tmp_path, separator):
    content = "\ufeff" + table().replace(",", separator).replace("\n", "\r\n")
    assert len(load(write(tmp_path, content)).train) == 31


def test_shortest_file_that_will_do(tmp_path):
    data = load(write(tmp_path, table(10)))
    assert [len(part) for part in (data.train, data.val, data.test)] == [1, 1, 1]


def test_constant_input_is_noted_and_zero(tmp_path):
    constant = {f"b{i}": "0.1" for i in range(ROWS)}
    data = load(write(tmp_path, table(**constant)), inputs=["a", "b"])
    note = "Input b never changes within the training rows: leave it out of --inputs"
    assert note in data.notes
    assert np.abs(data.train.x[:, :, 1]).max() < 1e-12
