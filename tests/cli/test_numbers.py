"""Numbers of the command line: each option says from where to where, or its settings do."""

import click
import pytest

from bitformer.cli.main import COMMANDS, cli
from bitformer.cli.quantity import MEGAHERTZ, Count, Number
from bitformer.model.errors import UserError
from bitformer.model.train_settings import TrainSettings

#: Options whose rule is that of a training's settings, wherever those come from.
OF_SETTINGS = {name.replace("_", "-") for name in TrainSettings.__dataclass_fields__}
#: And of a configuration: sizes, which `TransformerConfig` checks.
OF_CONFIG = {
    "patch",
    "window",
    "horizon",
    "weights",
    "activations",
    "precise",
    "delta",
    "path",
    "raw",
}


def options(group, names):
    """(command, option) of every command and subcommand."""
    for name in names:
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from options(command, command.commands)
        else:
            yield from ((name, option) for option in command.params)


NUMBERS = [
    (command, option)
    for command, option in options(cli, COMMANDS)
    if option.type.name in ("integer", "float", "number", "integer range", "float range")
]


@pytest.mark.parametrize(
    ("command", "option"), NUMBERS, ids=[f"{c} {o.opts[-1]}" for c, o in NUMBERS]
)
def test_every_number_has_bounds(command, option):
    own = option.opts[0].lstrip("-")
    if isinstance(option.type, Number):
        return
    if isinstance(option.type, Count):
        assert option.type.min in (0, 1)
        assert option.type.convert("1000000000", None, None) == 10**9
        with pytest.raises(click.BadParameter, match="1000000001 is more than 1000000000"):
            option.type.convert("1000000001", None, None)
        return
    if isinstance(option.type, click.IntRange):
        assert None not in (option.type.min, option.type.max)
        return
    assert own in OF_SETTINGS | OF_CONFIG, "an option must be a Number, a bounded IntRange, or one"


def test_some_numbers_are_seen():
    assert {option.opts[0] for _, option in NUMBERS} > {"--clock", "--baud", "--lr", "--samples"}


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-5", "0", "1e-9", "1e5", "x", ""])
def test_what_is_no_clock(text):
    with pytest.raises(UserError, match=rf"of megahertz from 0.001 to 10000, not .*{text}"):
        MEGAHERTZ.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "hertz"), [("100", 1e8), ("0.001", 1e3), ("1e4", 1e10), (" 12.5 ", 12.5e6)]
)
def test_clocks(text, hertz):
    assert MEGAHERTZ.convert(text, None, None) == hertz


def test_a_number_below_an_end():
    chance = Number(0, 1, below=True)
    assert chance.convert("0", None, None) == 0
    for text in ("1", "nan", "-0.1"):
        with pytest.raises(UserError, match=rf"from 0 to below 1, not '{text}'$"):
            chance.convert(text, None, None)


@pytest.mark.parametrize(
    "line",
    [
        *(f"{command} --clock nan" for command in ("estimate {m}", "report {d}")),
        "build {m} --board sea -o {d}/new --clock inf",
        "search --config tiny --data synthetic -o {d}/new --clock -1",
        "simulate {m} --backpressure nan",
        "report {d} --config-power inf",
        "build {m} --board sea -o {d}/new --baud 99999999999999999999",
        *(
            f"train --data synthetic --config tiny -o {{d}}/new --{option} {value}"
            for option in ("lr", "qat-lr", "dropout")
            for value in ("nan", "inf", "-1")
        ),
    ],
)
def test_what_is_no_number_is_one_sentence(line, tiny, tmp_path, bitformer):
    said = bitformer(*line.format(m=tiny, d=tmp_path).split())
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith("Error: ")
    assert line.split()[-1] in said.err
    assert list(tmp_path.iterdir()) == []
