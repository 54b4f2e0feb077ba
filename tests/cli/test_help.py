"""Help is quick, complete, and loads nothing that it does not need."""

import json
import re
import subprocess
import sys
import time

import click
import pytest

from bitformer.cli.main import COMMANDS, cli
from bitformer.model.shape import BLOCKS

HEAVY = ("torch", "amaranth", "pandas", "numpy", "rich", "matplotlib", "requests")
#: Commands that load neither torch nor anything else that only training needs.
WITHOUT_TORCH = {
    "boards": ["boards"],
    "init": ["init", "tiny", "-o", "{out}/m.safetensors"],
    "info": ["info", "{model}"],
    "estimate": ["estimate", "{model}"],
    "elaborate": ["elaborate", "{model}", "-o", "{out}/verilog"],
    "simulate": ["simulate", "{model}", "--samples", "1"],
    "build": ["build", "{model}", "--board", "sea", "--plan-only", "-o", "{out}/plan"],
    "evaluate": ["evaluate", "{model}", "--data", "synthetic"],
}


def loaded(args, names):
    """Which of the modules ``names`` a command line has loaded at its end."""
    code = (
        "import json, sys\n"
        "from bitformer.cli.main import cli\n"
        "try:\n"
        f"    cli({args!r})\n"
        "finally:\n"
        f"    print('\\n' + json.dumps([n for n in {names!r} if n in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("args", WITHOUT_TORCH.values(), ids=WITHOUT_TORCH)
def test_no_torch(args, tiny, tmp_path):
    args = [arg.format(model=tiny, out=tmp_path) for arg in args]
    assert loaded(args, ("torch", "pandas", "requests")) == []


@pytest.mark.parametrize("args", [["--help"], ["--version"], *([n, "--help"] for n in COMMANDS)])
def test_help_loads_nothing_heavy(args):
    assert loaded(args, HEAVY) == []


def test_blocks_to_choose_are_those_of_a_shape():
    """Said again, as a shape loads numpy."""
    train = cli.get_command(click.Context(cli), "train")
    block = next(one for one in train.params if one.name == "block")
    assert tuple(block.type.choices) == BLOCKS


def test_loading_is_noticed(tiny):
    assert loaded(["info", str(tiny)], ("numpy", "torch")) == ["numpy"]


def test_help_is_quick():
    """Beside a bare interpreter, in the best of five each: a busy machine slows some of them."""
    bare, shown = [], []
    for _ in range(5):
        for seconds, arguments in ((bare, ["-c", ""]), (shown, ["-m", "bitformer.cli.main", "-h"])):
            started = time.monotonic()
            command = [sys.executable, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(time.monotonic() - started)
            assert ("simulate" in done.stdout) == (seconds is shown)
    assert min(shown) < 6 * min(bare) + 0.1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(name, bitformer):
    said = bitformer(name, "--help")
    assert said.code == 0
    assert re.search(rf"^  bitformer {name}\b", said.out, re.M), "an example"
    assert "--json" in said.out
    undocumented = [
        param.name
        for param in cli.get_command(click.Context(cli), name).params
        if isinstance(param, click.Option) and not param.help
    ]
    assert undocumented == []


def test_help_lists_every_command(bitformer):
    said = bitformer("--help")
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", said.out, re.M)


def test_nothing_to_do_shows_help_and_is_a_mistake(bitformer):
    said = bitformer()
    assert said.code == 2
    assert "Commands" not in said.out
    assert "demo" in said.err


def test_version(bitformer):
    assert re.fullmatch(r"bitformer \d+\.\d+\.\d+\S*\n", bitformer("--version").out)


def test_options_of_a_training_stand_under_headings(bitformer):
    text = bitformer("train", "--help").out
    headings = re.findall(r"^(\w[\w ]+):$", text, re.M)
    assert headings == [
        *("Data", "Classes", "Model", "Training", "Rounding", "Other runs", "Results", "Options"),
        "How a CSV file is read",
    ]
    sections = dict(zip(headings, re.split(r"^\w[\w ]+:$", text, flags=re.M)[1:], strict=True))
    assert re.findall(r"^  (-\S+)", sections["Options"], re.M) == ["-h,"]
    for heading, option in (
        ("Data", "--data"),
        ("Classes", "--label"),
        ("How a CSV file is read", "--time"),
        ("Model", "--name"),
        ("Training", "--epochs"),
        ("Results", "--json"),
    ):
        assert f"  {option} " in sections[heading]


@pytest.mark.parametrize("name", ["predict", "evaluate", "simulate", "search"])
def test_options_on_a_file_stand_last(bitformer, name):
    text = bitformer(name, "--help").out
    headings = re.findall(r"^(\w[\w ]+):$", text, re.M)
    assert (headings[0], headings[-1]) == ("Data", "How a CSV file is read")
    assert headings.count("Options") == 1
    assert not re.search(r"^  MODEL", text, re.M), "an argument is no option"
    assert "1000000000" not in text
