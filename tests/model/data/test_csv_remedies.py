"""A refusal says what to type, and that works."""

import bz2
import gzip
import io
import re
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from remedies import told

from bitformer.model.data.csv_source import Series, read_csv
from bitformer.model.data.reading import Reading
from bitformer.model.errors import UserError

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
    "a unit in two cases": (
        each(lambda row: row + (" kW" if "1" in row[-2:] else " KW")),
        r"say --strip KW,kW",
        0,
    ),
    "unit and decimal comma": (
        "time;a;b\n"
        + "\n".join(f"{row[:16]};{row[11:13]},50 °C;{row[21:] or row[20:]}" for row in ROWS),
        r"say --strip '°C' to take the unit off and --decimal ,",
        -1,
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
    "two digits of a year behind a name": (
        each(lambda row: "1-Jan-24 " + row[11:]),
        r"say how times are written, as --time-format '%d-%b-%y %H:%M'",
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
    if others >= 0:
        assert np.count_nonzero(~same) == others
    else:  # column a alone
        assert series.values[:, 0].tolist() == [hour + 0.5 for hour in range(24)]
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
    "lines of json": (b'{"a": 1}\n{"a": 2}\n', r"JSON, .*read_json\('my\.data', lines=True\)\.to"),
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
    "alike": ({"time_zone": "tokyo"}, r"name of a zone, such as Asia/Tokyo or UTC, not 'tokyo'"),
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
    "twelve days or twelve months": (
        HEADER + "".join(f"{number}/1/2024,1,2\n" for number in range(1, 13)),
        {},
        r"say which number is the day, as none is past 12, but line 2 has '1/1/2024': say --time-",
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
    "decimal commas that are not quoted": (
        "time,a\n1,20,5\n2,21,5\n",
        {},
        r"Column 'b' is not in|if commas are decimal marks, put semicolons between",
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
    "another decimal mark": (PLAIN, {"decimal": ","}, r"'a' .* has '0.5': say --decimal \.$"),
    "texts": (
        each(lambda row: re.sub(r",\d+$", f",{'NSEW'[int(row[12]) % 4]}", row)),
        {},
        r"'b' .* has 'N': it holds texts alone, so leave it out of --inputs, or name another --t",
    ),
    "many texts": (
        each(lambda row: re.sub(r",\d+$", f",{'abcdefghij'[int(row[12])]}", row)),
        {},
        r"'b' .* line 2 has 'a': it holds texts alone, so leave it out of --inputs",
    ),
    "units": (
        each(lambda row: row + (" W" if "1" in row[-2:] else " kW")),
        {},
        r"'b' .* line 2 has '0 kW': cells have different units, W, kW, so convert them to one$",
    ),
    "thousands written out": (
        changed(5, "2024-01-01 05:00,5.5,1.2k"),
        {},
        r"'b' .* line 7 has '1.2k': k multiplies some cells, so write them out$",
    ),
    "first row taken as the header": (
        PLAIN.removeprefix(HEADER).replace(",", ",ok,"),
        {},
        r"'a' is not in .*: if the file has no line of names, .* --header c1,c2,c3,c4,c5$",
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
    with pytest.raises(UserError, match=r"put semicolons between .* else line 1 was taken as the"):
        read_csv(path, columns=["a"], reading=Reading(time="time"))
    how = Reading(time="time", skip=1, header=("time", "a", "b"))
    assert read_csv(path, columns=["b"], reading=how).values[5, 0] == 25
