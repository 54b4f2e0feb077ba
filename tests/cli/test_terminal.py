"""At the terminal: 80 columns, bars with the time left, completion, no colours in a pipe."""

import io
import itertools
import os
import re
import subprocess
import sys

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.cli.main import COMMANDS, cli
from bitformer.cli.report import Report
from bitformer.model import progress


def helps():
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        inner = getattr(command, "commands", {})
        yield from ([name], *([name, one] for one in inner))


@pytest.mark.parametrize("args", [[], *helps()], ids=" ".join)
def test_helps_fit_80_columns(args, bitformer):
    said = bitformer(*args, "--help")
    assert [line for line in said.out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("boards", "elastic-node-v5 orangecrab-25f xc7s15ftgb196-1 LFE5U-25F-6BG381C"),
        ("tools", "nextpnr-ice40 openFPGALoader Transformers"),
        ("models", "beijing-ozone-w4a8 etth1-oil-w4a8"),
        ("info etth1-oil-w4a8", "layers.0.context SubtractLast 12x16 weights"),
        ("estimate etth1-oil-w4a8 --components", "activations distributed parameters"),
        ("estimate etth1-oil-w4a8 --days", "minutes lfe5u-25f second ice40up5k"),
        ("doctor etth1-oil-w4a8 --part xc7s6", "distributed RAMB18"),
    ],
)
def test_tables_fit_80_columns_and_break_no_word(line, whole, bitformer):
    lines = bitformer(*line.split()).out.splitlines()
    rules = [number for number, text in enumerate(lines) if re.fullmatch(r" ─+ ", text)]
    assert rules
    for number in rules:
        rows = itertools.takewhile(str.strip, lines[number:])
        assert all(len(row) <= 80 for row in rows)
    assert set(whole.split()) <= {word for text in lines for word in text.split()}


def table(width, *args, **options):
    report = Report()
    report.console.file, report.console.width = io.StringIO(), width
    report.table(*args, **options)
    return [line.rstrip() for line in report.console.file.getvalue().splitlines() if line.strip()]


def test_names_are_not_broken_where_headings_can_be():
    rows = [("layers.0.attention", 12, 3)]
    assert table(60, ("name", "bits of each", "LUT"), rows)[0].split() == [
        "name",
        "bits",
        "of",
        "each",
        "LUT",
    ]
    narrow = table(36, ("name", "bits of each", "LUT"), rows)
    assert [line.split() for line in narrow[:3]] == [["bits"], ["of"], ["name", "each", "LUT"]]
    assert narrow[-1].split() == ["layers.0.attention", "12", "3"]


def test_a_name_too_long_for_a_line_goes_on_in_the_next():
    long = "a" * 50
    lines = table(30, ("name", "n"), [(long, 1)])
    assert sum(line.count("a") for line in lines[2:]) == 50


CELL = st.text("qvz ", max_size=40)


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=1, max_size=4),
    words=st.integers(1, 3),
    width=st.integers(24, 90),
)
@settings(deadline=None)
def test_no_table_loses_a_letter(rows, words, width):
    """Cells that a line has no room for go on in the next: none is cut off."""
    text = "".join(table(width, ("name of it", "bits", "LUT as memory", "LUT"), rows, words=words))
    for letter in "qvz":
        assert text.count(letter) == sum(cell.count(letter) for row in rows for cell in row)


def test_a_bar_says_the_time_left(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for draw in (
        lambda: progress.progress_bar(),
        lambda: progress.busy("Thinking"),
    ):
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("TERM", "xterm")
        with draw() as tell:
            if tell is not None:
                tell(1, 4, "Trying")
        shown = sys.stderr.getvalue()
        assert ("Trying" in shown and "left" in shown) or "Thinking" in shown
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.busy("Thinking"):
        pass
    assert sys.stderr.getvalue() == ""


def complete(words, shell="bash"):
    """What the program offers a shell for the last of some words."""
    line = " ".join(words)
    own = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    own["_BITFORMER_COMPLETE"] = f"{shell}_complete"
    command = [sys.executable, "-c", "from bitformer.cli.entry import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **own})
    return [line.split(",")[1] for line in done.stdout.splitlines()]


def test_a_shell_completes_commands_options_and_models():
    assert complete(["bitformer", "sim"]) == ["simulate"]
    assert "--engine" in complete(["bitformer", "evaluate", "m", "--eng"])
    assert "beijing-ozone-w4a8" in complete(["bitformer", "info", "beij"])
    assert complete(["bitformer", "models", "etth1"]) == ["etth1-oil-w4a8"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell, bitformer):
    said = bitformer("completion", shell)
    assert said.code == 0
    assert f"_BITFORMER_COMPLETE={shell}_complete" in said.out
    assert bitformer("completion", shell, "--json").data["script"] in said.out
    assert bitformer("completion", "tcsh").code == 2


def test_no_colours_in_a_pipe():
    command = [sys.executable, "-m", "bitformer.cli.main", "boards"]
    for own in ({}, {"TERM": "xterm-256color"}, {"NO_COLOR": "1"}):
        done = subprocess.run(command, capture_output=True, env={**os.environ, **own})
        assert b"\x1b" not in done.stdout + done.stderr


def test_commands_stand_in_a_newcomers_order():
    order = list(COMMANDS)
    wanted = ["demo", "models", "tools", "train", "evaluate", "predict", "estimate", "simulate"]
    found = [order.index(name) for name in [*wanted, "build", "program", "search", "profile", "kb"]]
    assert found == sorted(found)
