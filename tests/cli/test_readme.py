"""What the helps tell people to type is accepted; figures of the README are their pages'."""

import re
import shlex
from pathlib import Path

import click
import pytest
from docs_harness import parse

from bitformer.cli.main import COMMANDS, cli
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
RESULTS, ARCHITECTURE, ACCURACY, TASKS, ROUTING = (
    (ROOT / "docs" / f"{name}.md").read_text()
    for name in ("results", "architecture", "accuracy", "tasks", "routing")
)


def command_lines(text):
    """Arguments of every ``bitformer`` line that stands indented in ``text``."""
    lines = re.findall(r"^ {4,}bitformer (.*)$", re.sub(r"\\\n\s*", "", text), re.M)
    return [shlex.split(re.split(r" {4,}", line)[0]) for line in lines]


def helps():
    for name in COMMANDS:
        help_text = cli.get_command(click.Context(cli), name).help
        yield from command_lines(re.sub(r"^", "    ", help_text, flags=re.M))


@pytest.mark.parametrize("args", list(helps()), ids=" ".join)
def test_example_is_accepted(args):
    parse(args)


def test_examples_are_found():
    assert {args[0] for args in helps()} == set(COMMANDS)
    with pytest.raises(click.UsageError):
        parse(["train", "--no-such-option"])


def test_every_folder_is_in_the_architecture():
    folders = re.findall(r"^\| `(\w+)/` \|", ARCHITECTURE, re.M)
    product = {"model", "hw", "synth", "sim", "boards", "study", "estimate", "search", "report"}
    product |= {"bundle"}
    others = {"api", "cli", "examples", "tests", "benchmarks", "docs", "site"}
    assert set(folders) == product | others
    named = re.findall(r"\b\w+/\w+\.py", README + RESULTS)
    assert "benchmarks/accuracy.py" in named
    for name in (*folders, *named):
        assert (ROOT / name).exists(), name


def test_links_of_the_readme_lead_somewhere():
    found = re.findall(r"\]\(([^)#\s]+)", README)
    assert len(found) > 20
    for link in found:
        assert link.startswith("https://") or (ROOT / link).is_file(), link


def test_the_readme_is_short():
    assert len(README.split()) < 2300


#: What a row of the README's table begins with: the page and the beginning of its row there, and
#: where the page has error or score, cycles and energy.
SOURCES = {
    "taxi passengers": (ACCURACY, "taxi-48-12-hour-weekday, the best of 4", (3, 9, 10)),
    "ozone": (ACCURACY, "beijing-24-1 | 4, 8 bit", (3, 9, 10)),
    "road traffic": (ACCURACY, "traffic-168-24 ", (3, 9, 10)),
    "the same by a mixer": (ACCURACY, "traffic-168-24-mixer-hour-weekday", (3, 9, 10)),
    "oil temperature": (ACCURACY, "etth1-96-24 ", (3, 9, 10)),
    "runners' strikes": (TASKS, "StrikeWatch, one model for all", (2, 8, 9)),
    "faults of a pump": (TASKS, "skab | 36891", (None, 4, 5)),
}


def cells(text, beginning):
    """The cells of the only row of a table that begins so, the first at 1."""
    (line,) = re.findall(rf"^\| {re.escape(beginning)}.*$", text, re.M)
    return [cell.strip(" *") for cell in line.split("|")]


@pytest.mark.parametrize("name", SOURCES)
def test_results_in_the_readme_are_those_of_their_pages(name):
    page, beginning, places = SOURCES[name]
    own, measured = cells(README, name), cells(page, beginning)
    for here, there in zip((2, 5, 6), places, strict=True):
        if there is not None:
            assert own[here].replace(" ", "") == measured[there].split(" ±")[0], own


def test_baselines_in_the_readme_are_those_of_their_pages():
    for name, (line, network) in {
        "taxi passengers": ("linear, with hour and weekday", "MLP of 29 k MACs"),
        "ozone": ("linear", None),
        "road traffic": ("linear", "MLP of 36 k MACs, 36.5 k parameters"),
        "the same by a mixer": ("linear, with hour and weekday", None),
        "oil temperature": ("linear, last value subtracted", None),
    }.items():
        own = cells(README, name)
        assert re.search(rf"[:,] {line} {own[3]}[, .]", ACCURACY), own
        assert network is None or f"{network} {own[4]}" in ACCURACY, own
    strikes = cells(README, "runners' strikes")
    assert f"| logistic regression | {strikes[3]} |" in TASKS
    assert f"| MLP | {strikes[4]} |" in TASKS
    pump = cells(README, "faults of a pump")
    assert f"{pump[2]} ± " in TASKS
    assert re.search(rf"\| {pump[3]}\b", TASKS)


def test_clocks_in_the_readme_are_those_of_their_pages():
    """That of the demo's board is held by its test, which places and routes it."""
    clock = cells(README, "oil temperature")[7].split(",")[0]
    assert cells(ROUTING, "etth1-96-24 | lfe5u-25f")[6] == clock
    demo = cells(README, "taxi passengers")[7].split(",")[0]
    assert f"60 MHz asked, {demo} MHz after routing" in cells(RESULTS, "clock")[2]


GRID = re.findall(r"^\| (\d+), (\d+), (\d) \| [\d ]+ \| ([\d ]+) \|", RESULTS, re.M)


def test_the_table_of_cycles_is_found():
    assert len(GRID) == 4


@pytest.mark.parametrize(("steps", "width", "bits", "cycles"), GRID)
def test_cycles_in_the_results_are_the_designs(steps, width, bits, cycles):
    config = named_config(f"grid-{steps}-{width}-{bits}")
    latency = lower(initialize(config)).latency
    assert int(cycles.replace(" ", "")) == latency, "docs/results.md must have today's figure"


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


def test_resources_in_the_results_are_the_measured_ones():
    table = r"^\| (\d+), (\d+), (\d) \| ([\d ]+) \(([\d ]+)\) \| (\d+) \| (\d+) \|"
    here = resources(RESULTS, table)
    report = (ROOT / "docs" / "benchmarks.md").read_text().split("## Resources")[1]
    line = r"^\| grid-(\d+)-(\d+)-(\d) \| ([\d ]+) \| ([\d ]+) \| [\d ]+ \| (\d+) \| (\d+) \|"
    measured = resources(report, line)
    assert len(here) == 4
    assert here == {shape: measured[shape] for shape in here}
