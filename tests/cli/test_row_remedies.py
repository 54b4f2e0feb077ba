"""Each refusal of a file's rows names options, and with them the file is read."""

import re
import shlex
from datetime import datetime, timedelta
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from bitformer.cli.options import data_options
from bitformer.model.data.datasets import load_dataset
from bitformer.model.errors import UserError

ROWS = 300
START = datetime(2024, 1, 1)


def table(when, *, rows: int = ROWS, cell=lambda i: f"{20 + i % 24}", site=lambda _: "a") -> str:
    lines = [f"{when(i)},{site(i)},{cell(i)},{i * i % 11}" for i in range(rows)]
    return "\n".join(["time,site,load,wind", *lines]) + "\n"


def hour(i: int) -> str:
    return f"{START + timedelta(hours=i)}"


def autumn(i: int) -> str:
    return f"{datetime(2023, 10, 25) + timedelta(hours=i - (i > 98))}"


def office(i: int) -> str:
    """Nine hours of each day."""
    return f"{START + timedelta(days=i // 9, hours=9 + i % 9)}"


#: A file, options, what its refusal says, and options that it must name.
REFUSED = {
    "an hour twice in autumn": (
        table(autumn),
        "",
        "line 101 repeats",
        ["--time-zone Europe/Berlin"],
    ),
    "a time twice": (
        table(lambda i: hour(i - (i > 50))),
        "",
        "line 53 repeats that of line 52",
        ["--repeats first", "--repeats last", "--repeats mean"],
    ),
    "out of order": (
        table(lambda i: hour({50: 51, 51: 50}.get(i, i))),
        "",
        "line 53 goes back behind that of line 52",
        ["--repeats first"],
    ),
    "several series, stacked": (
        table(lambda i: hour(i % 100), site=lambda i: "abc"[i // 100]),
        "",
        "line 102 goes back behind",
        ["--series site"],
    ),
    "several series, row by row": (
        table(lambda i: hour(i // 3), site=lambda i: "abc"[i % 3]),
        "",
        "line 3 repeats that of line 2",
        ["--series site"],
    ),
    "oldest row first after all": (table(hour), "--reverse", "goes back behind", [""]),
    "gaps each night": (table(office), "", "longest stretch 9", ["--step row"]),
    "lost rows": (
        table(lambda i: hour(i + i // 9)),
        "--max-fill 0",
        "longest stretch 9",
        ["--max-fill 1", "--step row"],
    ),
    "too few rows": (table(hour, rows=28), "", "at least 50 rows", ["--window 8 --horizon 6"]),
    "a spike": (
        table(hour, cell=lambda i: "1e6" if i == 40 else f"{i % 24}"),
        "",
        r"load is 1e\+06 in line 42",
        ["--missing 1e+06"],
    ),
    "a value beyond all floats' squares": (
        table(hour, cell=lambda i: "-1e200" if i == 40 else f"{i % 24}"),
        "",
        r"load is -1e\+200 in line 42",
        ["--missing -1e+200"],
    ),
    "a target that never changes": (
        table(hour, cell=lambda _: "7"),
        "",
        "always 7",
        ["--target wind"],
    ),
    "a step without a unit": (table(hour), "--step 60", "have a unit", ["--step 60min"]),
    "a step with a unit": (table(str), "--step 1h", "plain numbers", ["--step 1"]),
}
#: Options whose value a sentence leaves open, or names in another way.
OPEN = {
    "--series site": "--series COLUMN",
    "--target wind": "--target",
    "--repeats last": "first, last or mean",
    "--repeats mean": "first, last or mean",
    "--step 60min": "60min",
    "--step 1": "such as 1,",
    "": "leave out --reverse",
}


def load(path: Path, *options: str):
    """Load a file as the command line's options say."""
    found = []

    @click.command()
    @data_options
    @click.option("--window", type=int, default=24)
    @click.option("--horizon", type=int, default=6)
    def command(data, **sizes):
        found.append(load_dataset(data.pop("data"), **data, **sizes))

    target = () if "--target" in options else ("--target", "load")
    words = ["--data", str(path), "--time", "time", *target, *options]
    CliRunner().invoke(command, words, catch_exceptions=False)
    return found[0]


@pytest.mark.parametrize("kind", REFUSED)
def test_the_remedy_works(tmp_path, kind):
    content, options, message, remedies = REFUSED[kind]
    path = tmp_path / "my.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as refused:
        load(path, *shlex.split(options))
    sentence = str(refused.value)
    assert not re.search(r"\. [A-Z]", sentence), "one sentence"
    for remedy in remedies:
        assert OPEN.get(remedy, remedy) in sentence
        kept = () if remedy == "" or remedy.split()[0] in options else shlex.split(options)
        data = load(path, *kept, *shlex.split(remedy))
        for part in (data.train, data.val, data.test):
            assert len(part) > 0
            assert np.isfinite(part.x).all()
            assert np.isfinite(part.y).all()
        assert 0 < data.target_std < 1e3


def test_a_warning_names_what_works(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text(table(hour, cell=lambda i: "-999" if i % 37 == 5 else f"{20 + i % 24}"))
    data = load(path)
    (note,) = (note for note in data.notes if "--missing -999 reads it as one" in note)
    assert note.startswith(
        "load is -999 in 8 rows, the first in line 7, and 20 to 43 in all others:"
    )
    mended = load(path, "--missing", "-999")
    assert mended.target_std < data.target_std / 10
    assert (
        "8 missing cells in runs of at most 3 took the value before them (load 8)" in mended.notes
    )
