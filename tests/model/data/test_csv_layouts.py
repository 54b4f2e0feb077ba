"""Times, numbers and layouts that are read without a word, and what of a reading is kept."""

import dataclasses
import re
from datetime import UTC, datetime

import numpy as np
import pytest

from bitformer.model.data.csv_source import read_csv
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.reading import DataSource, Reading
from bitformer.model.errors import UserError
from bitformer.model.plain import built

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


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (("999", "1.234", "12.500"), True),
        (("999", "1.234", "12.5"), False),
        (("1.234", "12.500"), False),
        (("999", "0.234"), False),
        (("999", "1234.500"), False),
        (("999", "1234"), False),
        (("", "-5", "-1.000"), True),
    ],
)
def test_dots_that_may_part_thousands_are_told(tmp_path, cells, told):
    path = tmp_path / "my.csv"
    path.write_text("a;b\n" + "".join(f"{cell};x\n" for cell in cells))
    series = read_csv(path, columns=["a"])
    assert [float(cell or "nan") for cell in cells] == pytest.approx(
        series.values[:, 0], nan_ok=True
    )
    assert ("if it parts thousands, say --decimal ," in "".join(series.notes)) == told
    thousands = read_csv(path, columns=["a"], reading=Reading(decimal=",")) if told else series
    if told:
        assert max(abs(thousands.values[~np.isnan(thousands.values)])) >= 1000
        assert thousands.notes == ()


#: Files whose header, separators or lines are unusual; each has a column a with 1 and 2.
LAYOUTS = {
    "names that nobody asked for": "a,b,b,,\n1,x,y,z,\n2,x,y,z,\n",
    "separators at the end of rows": "a;b\n1;2;;\n2;3;;\n",
    "separators at the end of the header": "a;b;;\n1;2\n2;3\n",
    "remarks": "# made by x, y\n# z\na,b\n1,2\n# moved\n2,3\n",
    "names in a remark": "# a b\n#a,b\n1,2\n2,3\n",
    "names in a remark above texts": "# made by x\n# t,a\nnoon,1\nnight,2\n",
    "sep=": "sep=;\na;b,c\n1;2\n2;3\n",
    "tab below a title": "Title, with, commas\ta\n x\t1\nx\t2\n",
    "bars": "a|b, c\n1|x,y\n2|x\n",
    "blanks": "  a  b\n  1 2.5\n  2   3 \n",
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
    path.write_text("a,b\n" + "".join(f"{row},{row}\n" for row in range(30)))
    for inputs in ("a,b", ["a", "b"], " a , b"):
        data = load_dataset(str(path), window=2, horizon=1, target="a", inputs=inputs)
        assert data.inputs == ("a", "b")


#: Beginnings of public files, the options that they need, and the first and last value of a column.
PUBLIC = {
    "air": (
        "Date;Time;CO(GT);PT08.S1(CO);;\n"
        + "".join(
            f"{d:02d}/03/2004;{h:02d}.00.00;{d},{h};-200;;\n" for d in (10, 13) for h in (3, 4)
        )
        + ";;;;;\n" * 5,
        "CO(GT)",
        {"time": "Date,Time", "missing": "-200"},
        (10.3, 13.4),
    ),
    "power": (
        "Date;Time;Global_active_power;Voltage\n16/12/2006;17:24:00;4.216;234.840\n"
        "16/12/2006;17:25:00;?;?\n16/12/2006;17:26:00;5.374;233.290\n",
        "Global_active_power",
        {"time": "Date,Time", "missing": "?"},
        (4.216, 5.374),
    ),
    "grid": (
        "Datum von;Datum bis;Photovoltaik [MWh] Originalauflösungen\n"
        "01.01.2023 00:00;01.01.2023 00:15;1.234,5\n01.01.2023 00:15;01.01.2023 00:30;-\n"
        "01.01.2023 00:30;01.01.2023 00:45;12.345,25\n",
        "Photovoltaik [MWh] Originalauflösungen",
        {"time": "Datum von", "missing": "-"},
        (1234.5, 12345.25),
    ),
    "illness": (
        "date,% WEIGHTED ILI,ILITOTAL\n2002/1/1 0:00,1.22262,754\n2002/1/8 0:00,1.31271,785\n",
        "% WEIGHTED ILI",
        {"time": "date"},
        (1.22262, 1.31271),
    ),
    "passengers": ("Month,#Passengers\n1949-01,112\n1949-02,118\n", "#Passengers", {}, (112, 118)),
    "weather": (
        '"Date Time","p (mbar)"\n01.01.2009 00:10:00,996.52\n01.01.2009 00:20:00,996.57\n',
        "p (mbar)",
        {"time": "Date Time"},
        (996.52, 996.57),
    ),
    "traffic": (
        "holiday,temp,date_time,traffic_volume\nNone,288.28,02-10-2012 09:00,5545\n"
        "None,289,13-10-2012 10:00,4516\n",
        "traffic_volume",
        {"time": "date_time"},
        (5545, 4516),
    ),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_layouts_of_public_files(tmp_path, name):
    content, column, options, (first, last) = PUBLIC[name]
    path = tmp_path / "my.csv"
    path.write_text(content)
    series = read_csv(path, columns=[column], reading=Reading(**options))
    assert series.values[0, 0] == first
    assert series.values[-1, 0] == last
    if options.get("time"):
        assert series.times is not None
        assert (np.diff(series.times) > 0).all()
        assert series.dated


def test_public_files_have_their_times(tmp_path):
    content, column, options, _ = PUBLIC["air"]
    path = tmp_path / "my.csv"
    path.write_text(content)
    times = read_csv(path, columns=[column], reading=Reading(**options)).times
    assert times is not None
    assert times[0] == datetime(2004, 3, 10, 3, tzinfo=UTC).timestamp()
    assert len(times) == 4


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("1.7.24 13:05 +0200", "%d.%m.%y %H:%M %z", "2024-07-01T11:05"),
        ("2024-07-01T13:05", "%Y-%m-%dT%H:%M", "2024-07-01T13:05"),
        ("Thursday 2024-07-04T13", "%A %Y-%m-%dT%H", "2024-07-04T13:00"),
        ("13:05 1/7/2024", "%H:%M %d/%m/%Y", "2024-07-01T13:05"),
        ("2024 183", "%Y %j", "2024-07-01T00:00"),
        ("202407011305", "%Y%m%d%H%M", "2024-07-01T13:05"),
        ("1/7/2024 1:05:06.5 PM", "%d/%m/%Y %I:%M:%S.%f %p", "2024-07-01T13:05:06.5"),
    ],
)
def test_time_format(tmp_path, text, pattern, expected):
    path = tmp_path / "my.csv"
    path.write_text(f"t;a\n{text};1\n{text};1\n")
    series = read_csv(path, columns=["a"], reading=Reading(time="t", time_format=pattern))
    assert series.times is not None
    assert set(series.times) == {np.datetime64(expected, "ms").astype(float) / 1000}
