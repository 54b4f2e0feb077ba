"""A refusal says what to type, and that works."""

import bz2
import dataclasses
import gzip
import io
import re
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from remedies import told

from bitformer.model.csv_source import Series, read_csv
from bitformer.model.datasets import load_dataset
from bitformer.model.errors import UserError
from bitformer.model.reading import Reading

HEADER = "time,a,b\n"
ROWS = [f"2024-01-01 {hour:02d}:00,{hour}.5,{hour * hour}" for hour in range(24)]
PLAIN = HEADER + "\n".join(ROWS) + "\n"
#: With a column more.
BESIDE = "time,a,b,Größe\n" + "".join(f"{row},x\n" for row in ROWS)


def changed(row: int, cells: str) -> str:
    """The file with another row."""
    rows = [*ROWS[:row], cells, *ROWS[row + 1 :]]
    return HEADER + "\n".join(rows) + "\n"


def each(change) -> str:
    """The file with each row changed."""
    return HEADER + "\n".join(map(change, ROWS)) + "\n"


def read(path, options) -> Series:
    return read_csv(path, columns=["a", "b"], reading=Reading(**{"time": "time"} | options))


#: Content, what the sentence says, and how many of the 24 rows differ from the plain file.
REMEDIES: dict[str, tuple[str | bytes, str, int]] = {
    "unit": (each(lambda row: row + " kWh"), r"'b' .* line 2 has '0 kWh': say --strip kWh", 0),
    "unit in front": (
        each(lambda row: re.sub(r",(?=\d+$)", ",€ ", row)),
        r"'b' .* line 2 has '€ 0': say --strip '€'",
        0,
    ),
    "two units": (
        each(lambda row: row + (" W" if "1" in row[-2:] else " watt")),
        r"say --strip W,watt",
        0,
    ),
    "unit and mark": (
        each(lambda row: row + " %").replace(
            "\n2024-01-01 05:00,5.5,25 %", "\n2024-01-01 05:00,5.5,n.d."
        ),
        r"say --strip % to take the unit off and --missing n\.d\. if",
        1,
    ),
    "mark": (changed(5, "2024-01-01 05:00,?,25"), r"line 7 has '\?': say --missing '\?'", 1),
    "marks": (
        changed(5, "2024-01-01 05:00,broken,25").replace(",6.5", ",off"),
        r"say --missing broken,off",
        2,
    ),
    "mark with a comma": (
        changed(5, '2024-01-01 05:00,"off, broken",25'),
        r"""say --missing '"off, broken"' if""",
        1,
    ),
    "infinite": (changed(3, "2024-01-01 03:00,inf,9"), "has 'inf': say --missing inf", 1),
    "lines above": ("Logger,7,x\nOrt,Ulm,y\n" + PLAIN, r"line 3 has the name, so say --skip 2", 0),
    "lines of another length above": (
        "Logger\n\n" + PLAIN.replace("time,a,b", "time,a,b"),
        r"line 1 was taken as the header, and line 3 has the name, so say --skip 2",
        0,
    ),
    "no header": (
        PLAIN.removeprefix(HEADER),
        r"must name the columns, but it holds only numbers: .* --header c1,c2,c3",
        0,
    ),
    "name twice": (
        PLAIN.replace("a,b", "a,a", 1),
        r"'a' is there twice: .* as --skip 1 --header time_1,a_2,a_3",
        0,
    ),
    "cp1252": (
        PLAIN.replace("b", "b,Größe", 1)
        .replace("\n", ",x\n")
        .replace(",x", "", 1)
        .encode("cp1252"),
        r"byte 11 is 0xf6: --encoding cp1252 reads '.*Größe'",
        0,
    ),
    "latin-1": (
        (PLAIN.replace("b", "b,\x81ö", 1).replace("\n", ",x\n").replace(",x", "", 1)).encode(
            "latin-1"
        ),
        r"--encoding latin-1 reads",
        0,
    ),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), r"say --encoding utf-16-le", 0),
    "UTF-16 the other way round": (
        BESIDE.encode("utf-16-be"),
        r"--encoding utf-16-be",
        0,
    ),
    "two digits of a year": (
        each(lambda row: "01/01/24 " + row[11:]),
        r"say how times are written, as --time-format '%d/%m/%y %H:%M'",
        0,
    ),
    "days like months": (
        each(lambda row: "01/01/2024" + row[16:]),
        r"which number is the day, .* --time-format '%d/%m/%Y' or '%m/%d/%Y'",
        23,
    ),
    "spring hour": (
        each(lambda row: "2024-03-31 " + row[11:]),
        r"skip in spring: .* so say --time-zone UTC",
        24,
    ),
}


@pytest.mark.parametrize("kind", REMEDIES)
def test_what_is_said_works(tmp_path, kind):
    content, message, others = REMEDIES[kind]
    path = tmp_path / "my.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    first = {"time_zone": "Europe/Berlin"} if kind == "spring hour" else {}
    with pytest.raises(UserError, match=message) as caught:
        read(path, first)
    options = told(str(caught.value))
    assert options
    if "header" in options:
        assert len(options["header"].split(",")) == 3
        options["header"] = "time,a,b"
    series = read(path, first | options)
    expected = [[hour + 0.5, float(hour * hour)] for hour in range(24)]
    same = (series.values == expected).all(axis=1)
    assert series.times is not None
    same &= series.times == datetime(2024, 1, 1, tzinfo=UTC).timestamp() + 3600 * np.arange(24)
    assert np.count_nonzero(~same) == others
    assert "\n" not in str(caught.value)
    assert not re.search(r"\. [A-Z]", str(caught.value))


def workbook(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


#: Bytes, and what the sentence says.
NO_TEXT: dict[str, tuple[bytes, str]] = {
    "xlsx": (workbook("xl/workbook.xml", "docProps/app.xml"), r"an Excel file, .*read_excel\('my"),
    "ods": (workbook("content.xml", "mimetype"), r"a LibreOffice file, .*read_excel\("),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
        r"an old Excel file, .*to_csv\('my",
    ),
    "parquet": (b"PAR1" + bytes(99), r"a Parquet file, not CSV: export it .*read_parquet"),
    "feather": (b"ARROW1\0\0" + bytes(99), r"a Feather file, .*pandas\.read_feather"),
    "json": (b'\n [ {"a": 1} ]', r"JSON, not CSV: .*pandas\.read_json"),
    "pdf": (b"%PDF-1.7", r"is a PDF, not CSV: export its table"),
    "html": (b"<!DOCTYPE html><html>", r"a web page or XML, .*download the data"),
    "zip of two": (workbook("a.csv", "b.csv"), r"archive of one file, not of 2: unpack it"),
    "zip broken off": (workbook("a.csv")[:60], r"packed by zip and damaged"),
    "gzip broken off": (gzip.compress(PLAIN.encode())[:60], r"packed by gzip and damaged .*anew"),
    "gzip changed": (gzip.compress(PLAIN.encode())[:-8] + bytes(8), r"packed by gzip and damaged"),
    "bzip2 broken off": (bz2.compress(PLAIN.encode())[:60], r"packed by bzip2 and damaged"),
    "packed and empty": (gzip.compress(b""), r"it is empty"),
    "packed twice": (gzip.compress(b"\x28\xb5\x2f\xfd"), r"packed by zstd, not CSV: unpack it"),
}


@pytest.mark.parametrize("kind", NO_TEXT)
def test_what_is_no_text_is_named(tmp_path, kind):
    path = tmp_path / "my.data"
    path.write_bytes(NO_TEXT[kind][0])
    with pytest.raises(UserError, match=NO_TEXT[kind][1]):
        read_csv(path, columns=["a"])


#: What a user says wrongly, and the sentence.
SAID: dict[str, tuple[dict, str]] = {
    "time_format": ({"time_format": "d/m/Y"}, r"directives with a year such as '%d/%m/%Y.*'d/m/Y'"),
    "time_zone": ({"time_zone": "Berlin"}, r"name of a zone, such as Europe/Berlin .*'Berlin'"),
    "folder": ({"time_zone": "Europe"}, r"name of a zone"),
    "path": ({"time_zone": "../etc/passwd"}, r"name of a zone"),
    "decimal": ({"decimal": ";"}, r"decimal must be \. or , not ';'"),
    "encoding": ({"encoding": "klingon"}, r"encoding must be one that Python knows.*'klingon'"),
    "no text": ({"encoding": "base64"}, r"encoding must be one that Python knows"),
    "skip": ({"skip": -1}, r"skip must be 0 or more lines, not -1"),
}


@pytest.mark.parametrize("kind", SAID)
def test_mistakes_of_a_reading(kind):
    options, message = SAID[kind]
    with pytest.raises(UserError, match=message):
        Reading(**options)


#: Content, options, and the sentence: without a remedy but the file's own.
OTHERS: dict[str, tuple[str, dict, str]] = {
    "format without times": (
        PLAIN,
        {"time": None, "time_zone": "UTC"},
        r"-zone needs .* --time",
    ),
    "other format": (
        PLAIN,
        {"time_format": "%d/%m/%Y"},
        r"as --time-format %d/%m/%Y says, .* line 2 has '2024-01-01 00:00': leave --time-f",
    ),
    "epochs": (PLAIN, {"time_format": "epoch"}, r"numbers for --time-format epoch, but line 2 has"),
    "skipped all": (PLAIN, {"skip": 99}, r"must have rows behind the 99 lines that are left out"),
    "header too short": (
        PLAIN,
        {"header": ["time", "a"]},
        r"header must name 3 columns",
    ),
    "both orders": (
        HEADER + "13/1/2024,1,2\n1/13/2024,1,2\n",
        {},
        r"one order, which is day/month in the lines before, but line 3 has '1/13/2024'",
    ),
    "parts": (
        "time,month,a,b\n2024,1,1,2\n2024,13,1,2\n",
        {"time": "time,month"},
        r"whole numbers that make a date .* line 3 has '2024 13'",
    ),
    "ragged": (changed(3, "2024-01-01 03:00,3"), {}, r"Line 5 .* 3 cells .*: correct or delete th"),
    "quote left open": (
        PLAIN.replace("00,4.5", '00,"4.5').replace("9.5,", '9.5",', 1),
        {},
        r"'a' of .* line 11 has '4.5,16\\n.*': a quote may be left open there$",
    ),
    "not printable": (
        changed(3, "2024-01-01 03:00,3,\x07"),
        {},
        r"'b' of .* line 5 has '\\x07'$",
    ),
    "UTF-16 that is none": (PLAIN, {"encoding": "utf-16"}, r"is not in .*|must be text in UTF-16"),
    "R": (
        "time,a\n" + "\n".join(ROWS) + "\n",
        {},
        r"'b' is not in .*, which has time, a$",
    ),
    "text": (
        each(lambda row: row + "abcdefghijklmnopqrstuvwxyz"[int(row[11:13]) :]),
        {},
        r"'b' .* finite numbers, but line 2 has '0abcdefghijklmnopqrstuvwxyz'$",
    ),
    "unnamed": (PLAIN.replace("b", "", 1), {}, r"'b' is not in .*, which has time, a$"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_refusals(tmp_path, kind):
    content, options, message = OTHERS[kind]
    path = tmp_path / "my.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_csv(path, columns=["a", "b"], reading=Reading(**{"time": "time"} | options))


def test_rows_longer_than_the_header_of_a_file_without_names(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text("time,a\n" + "\n".join(ROWS) + "\n")
    with pytest.raises(UserError, match=r"line 1 was taken as the header, and most lines have 3"):
        read_csv(path, columns=["a"], reading=Reading(time="time"))
    how = Reading(time="time", skip=1, header=("time", "a", "b"))
    assert read_csv(path, columns=["b"], reading=how).values[5, 0] == 25


#: A time as it stands in a file, and as ISO 8601 in UTC.
TIMES = {
    "2024-07-01": "2024-07-01T00:00",
    "2024-7-1": "2024-07-01T00:00",
    "2024-07": "2024-07-01T00:00",
    "2024/07": "2024-07-01T00:00",
    "20240701": "2024-07-01T00:00",
    "2024-W27-1": "2024-07-01T00:00",
    "2024-07-01T13": "2024-07-01T13:00",
    "2024-07-01T1305": "2024-07-01T13:05",
    "2024-07-01 13:05:06.25": "2024-07-01T13:05:06.250",
    "2024-07-01 13:05:06,25": "2024-07-01T13:05:06.250",
    "2024-07-01T13:05Z": "2024-07-01T13:05",
    "2024-07-01 13:05 UTC": "2024-07-01T13:05",
    "2024-07-01T13:05:00+02:00": "2024-07-01T11:05",
    "2024-07-01 13:05:00-0330": "2024-07-01T16:35",
    "2024-07-01 24:00": "2024-07-02T00:00",
    "2024-07-01 1:05 PM": "2024-07-01T13:05",
    "2024-07-01 12:05 am": "2024-07-01T00:05",
    "2024-07-01 12 p.m.": "2024-07-01T12:00",
    "01.07.2024": "2024-07-01T00:00",
    "1.7.2024 13:05": "2024-07-01T13:05",
    "31/07/2024 13.05.06": "2024-07-31T13:05:06",
    "07-31-2024 13:05": "2024-07-31T13:05",
    "1 Jul 2024": "2024-07-01T00:00",
    "1-JUL-2024 13:05": "2024-07-01T13:05",
    "July 1, 2024, 1:05 PM": "2024-07-01T13:05",
    "Jul 2024": "2024-07-01T00:00",
    "Jul-2024": "2024-07-01T00:00",
}


@pytest.mark.parametrize("text", TIMES)
def test_times(tmp_path, text):
    path = tmp_path / "my.csv"
    path.write_text(f't;a\n"{text}";1\n')
    series = read_csv(path, columns=["a"], reading=Reading(time="t"))
    assert series.times is not None
    assert series.times[0] == np.datetime64(TIMES[text], "ms").astype(float) / 1000


@pytest.mark.parametrize(
    "text",
    ["2024-13-01", "2024-02-30", "2024-07-01 25:00", "2024-07-01 24:01", "2024-07-01 13:61",
     "2024-07-01 13:05 PM", "2024-07-01 0:05 AM", "2024-07-01 13:05:00+25:00", "32.01.2024",
     "13.13.2024", "1 Foo 2024", "0000-01-01", "13:05", "24-07-01", "2024-07-01 13:05 CEST"],
)  # fmt: skip
def test_no_times(tmp_path, text):
    path = tmp_path / "my.csv"
    path.write_text(f"t;a\n{text};1\n")
    with pytest.raises(UserError, match=r"Time column 't' .* but line 2 has '"):
        read_csv(path, columns=["a"], reading=Reading(time="t"))


@pytest.mark.parametrize(
    ("header", "rows", "time"),
    [
        ("Date;Time", "2024-07-01;13:00", "Date,Time"),
        ("Date;Time", "01/31/2024;1:00 PM", "Date,Time"),
        ("Date;Time", "31.01.2024;13.00.00", "Date,Time"),
        ("Date, local;Time", "20240701;1300", '"Date, local",Time'),
        ("year;month;day;hour", "2024;7;1;13", "year,month,day,hour"),
        ("Day;Month;Year;Hour", "1;7;2024;13", "Day,Month,Year,Hour"),
        ("jahr;monat", "2024;7", "jahr,monat"),
        ("YEAR;MO;DY;HR", "2024;07;01;13", "YEAR,MO,DY,HR"),
        ("No;year;month;day", "1;2024;7;1", "year,month,day"),
        (
            "year;month;day;hour;minute;second",
            "2024;7;1;13;0;0.0",
            "year,month,day,hour,minute,second",
        ),
    ],
)
def test_time_in_columns(tmp_path, header, rows, time):
    path = tmp_path / "my.csv"
    path.write_text(f"{header};a\n{rows};1\n")
    series = read_csv(path, columns=["a"], reading=Reading(time=time))
    assert series.times is not None
    day = 31 if "31" in rows else 1
    month = 1 if "31" in rows else 7
    hour = 13 if "13" in rows or "PM" in rows else 0
    assert series.times[0] == datetime(2024, month, day, hour, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("numbers", "name", "scale"),
    [
        ("1704067200", "epoch", 1),
        ("1704067200500", "epoch-ms", 1000),
        ("1704067200000000", "epoch-us", 10**6),
    ],
)
def test_numbers_since_1970(tmp_path, numbers, name, scale):
    path = tmp_path / "my.csv"
    path.write_text(f"t,a\n{numbers},1\n{int(numbers) + 3600 * scale},2\n")
    series = read_csv(path, columns=["a"], reading=Reading(time="t"))
    assert series.times is not None
    assert (series.dated, series.times[0]) == (False, int(numbers))
    assert f"say --time-format {name}" in series.notes[0]
    series = read_csv(path, columns=["a"], reading=Reading(time="t", time_format=name))
    assert series.times is not None
    assert series.dated
    assert series.notes == ()
    assert series.times.tolist() == [int(numbers) / scale, int(numbers) / scale + 3600]


#: Cells, a decimal mark or none, and numbers; None for cells that are refused.
CELLS: list[tuple[tuple[str, ...], str | None, list[float] | None]] = [
    (("12,5", "1.234,75"), None, [12.5, 1234.75]),
    (("12,5", "1.234"), None, [12.5, 1234]),
    (("12,5", "20.5"), None, None),
    (("0,173", "20,173"), None, [0.173, 20.173]),
    (("20,173", "1,204"), None, None),
    (("1,234,567", "20,173"), None, [1234567, 20173]),
    (("1 234,5", "-7"), None, [1234.5, -7]),
    (("1 234.5", "-7"), None, [1234.5, -7]),
    (("1'234.5", "1e3"), None, [1234.5, 1000]),
    (("1\u00a0234\u00a0567,5",), None, [1234567.5]),
    (("20,173", "1,204"), ",", [20.173, 1.204]),
    (("20,173", "1,204.5"), ".", [20173, 1204.5]),
    (("20.173", "5"), ",", [20173, 5]),
    (("20.5",), ",", None),
    (("12,34,567",), ".", None),
    (("1,5E+03", "-,5", "+2,"), ",", [1500, -0.5, 2]),
    (("\u22125.5", "7"), None, [-5.5, 7]),
    (("#N/A", "<NA>", "NaT", "2"), None, [np.nan, np.nan, np.nan, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "mark", "numbers"), CELLS)
def test_cells(tmp_path, cells, mark, numbers):
    path = tmp_path / "my.csv"
    path.write_text("a;b\n" + "".join(f"{cell};x\n" for cell in cells))
    how = Reading(decimal=mark)
    if numbers is None:
        with pytest.raises(UserError, match="must hold finite numbers"):
            read_csv(path, columns=["a"], reading=how)
    else:
        series = read_csv(path, columns=["a"], reading=how)
        np.testing.assert_array_equal(series.values[:, 0], numbers)


#: Files whose header, separators or lines are unusual; each has a column a with 1 and 2.
LAYOUTS = {
    "names that nobody asked for": "a,b,b,,\n1,x,y,z,\n2,x,y,z,\n",
    "separators at the end of rows": "a;b\n1;2;;\n2;3;;\n",
    "separators at the end of the header": "a;b;;\n1;2\n2;3\n",
    "remarks": "# made by x, y\n# z\na,b\n1,2\n# moved\n2,3\n",
    "names in a remark": "# a b\n#a,b\n1,2\n2,3\n",
    "sep=": "sep=;\na;b,c\n1;2\n2;3\n",
    "tab below a title": "Title, with, commas\ta\n x\t1\nx\t2\n",
    "bars": "a|b, c\n1|x,y\n2|x\n",
    "one column": "a\n1\n2\n",
    "one column of text beside": "a,b\n1,\"x\ny\"\n2,z\n",
    "quotes": '"a";"b ""c"" d"\n"1";"x"\n"2";"y"\n',
    "blank lines": "\n\na,b\n\n1,2\n , \n2,3\n\n",
    "end of line": "a,b\r1,2\r2,3\r",
    "decimal comma beside": "a;b;c\n1;2,5;3,5\n2;2,5;3,5\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts(tmp_path, kind):
    path = tmp_path / "my.csv"
    path.write_text(LAYOUTS[kind], newline="")
    series = read_csv(path, columns=["a"])
    assert series.values[:, 0].tolist() == [1, 2]
    last = re.split(r"\r\n|\r|\n", LAYOUTS[kind])[series.lines[0] - 1]
    assert last == 'y"' if "\ny" in LAYOUTS[kind] else "1" in last


def test_what_is_read_is_kept_with_a_model(tmp_path):
    """A reading survives JSON, and what is default is left out."""
    from bitformer.model.plain import built
    from bitformer.model.reading import DataSource

    source = DataSource.of(
        data="my.csv",
        target="a",
        time=["Date", "Time"],
        missing=[-200, "?"],
        strip="kW,%",
        header=["a", "b, c"],
        decimal=",",
        skip=2,
        encoding="cp1252",
        time_zone="Europe/Berlin",
        time_format="%d/%m/%Y %H:%M",
    )
    assert (source.missing, source.strip) == (("-200", "?"), ("kW", "%"))
    plain = source.to_dict()
    assert plain["header"] == ["a", "b, c"]
    assert "max_fill" not in plain
    assert built(DataSource, plain, "source") == source
    old = {"data": "my.csv", "target": "a", "inputs": None, "time": "when"}
    assert built(DataSource, old, "source") == DataSource.of(data="my.csv", target="a", time="when")
    assert dataclasses.fields(Reading)[0].name == "time"


def test_inputs_as_a_text_or_a_list(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text(PLAIN)
    for inputs in ("a,b", ["a", "b"], " a , b"):
        data = load_dataset(str(path), window=2, horizon=1, target="a", inputs=inputs)
        assert data.inputs == ("a", "b")
