"""What the README and the helps tell people to type is accepted, and what they name is there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from bitformer.cli.main import COMMANDS, cli
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def command_lines(text):
    """Arguments of every ``bitformer`` line that stands indented in ``text``."""
    lines = re.findall(r"^ {4,}bitformer (.*)$", re.sub(r"\\\n\s*", "", text), re.M)
    return [shlex.split(re.split(r" {4,}", line)[0]) for line in lines]


def helps():
    for name in COMMANDS:
        help_text = cli.get_command(click.Context(cli), name).help
        yield from command_lines(re.sub(r"^", "    ", help_text, flags=re.M))


def parse(args):
    """Take a command line as click does, without running it."""
    command = cli.get_command(click.Context(cli), args[0])
    assert command is not None, args
    whole = click.Context(cli, **cli.context_settings)  # a command keeps its help option's names
    return command.make_context(args[0], list(args[1:]), parent=whole)


DOCS = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [
    *command_lines(README),
    *helps(),
    *(args for text in DOCS for args in command_lines(text)),
]


@pytest.mark.parametrize("args", EXAMPLES, ids=" ".join)
def test_example_is_accepted(args):
    parse(args)


def test_examples_are_found():
    assert {args[0] for args in command_lines(README)} >= {"init", "train", "simulate", "build"}
    assert {args[0] for args in helps()} == set(COMMANDS)
    with pytest.raises(click.UsageError):
        parse(["train", "--no-such-option"])


def test_every_command_and_folder_is_in_the_readme():
    tables = "\n".join(line for line in README.splitlines() if line.startswith("|"))
    for name in COMMANDS:
        assert f"`{name}`" in tables
    folders = re.findall(r"^\| `(\w+)/` \|", README, re.M)
    product = {"model", "hw", "synth", "sim", "boards", "study", "estimate", "search"}
    others = {"api", "cli", "examples", "tests", "benchmarks", "docs"}
    assert set(folders) == product | others
    for name in (*folders, *re.findall(r"\w+/\w+\.py", README)):
        assert (ROOT / name).exists(), name


GRID = re.findall(r"^\| (\d+), (\d+), (\d) \| [\d ]+ \| ([\d ]+) \|", README, re.M)


def test_the_table_of_cycles_is_found():
    assert len(GRID) == 4


@pytest.mark.parametrize(("steps", "width", "bits", "cycles"), GRID)
def test_cycles_in_the_readme_are_the_designs(steps, width, bits, cycles):
    config = named_config(f"grid-{steps}-{width}-{bits}")
    latency = lower(initialize(config)).latency
    assert int(cycles.replace(" ", "")) == latency, "README.md must have today's figure"


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"\bmake (\w+)", README)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def resources(text, pattern):
    """LUTs, LUTs as memory, RAMB18, DSP blocks by (steps, width, bits)."""
    found = {}
    for row in re.findall(pattern, text, re.M):
        shape, numbers = tuple(map(int, row[:3])), row[3:]
        found[shape] = [int(number.replace(" ", "")) for number in numbers]
    return found


def test_resources_in_the_readme_are_the_measured_ones():
    table = r"^\| (\d+), (\d+), (\d) \| ([\d ]+) \(([\d ]+)\) \| (\d+) \| (\d+) \|"
    here = resources(README, table)
    report = (ROOT / "docs" / "benchmarks.md").read_text().split("## Resources")[1]
    line = r"^\| grid-(\d+)-(\d+)-(\d) \| ([\d ]+) \| ([\d ]+) \| [\d ]+ \| (\d+) \| (\d+) \|"
    measured = resources(report, line)
    assert len(here) == 4
    assert here == {shape: measured[shape] for shape in here}
