"""The options on classes and groups, as each command takes them."""

import dataclasses

import click
import pytest

from bitformer.cli.main import cli
from bitformer.model.data.reading import Reading

CLASSES = {"label", "files", "group", "stride"}
#: A finished model's parts are what they were in training.
PARTS = {"test_groups", "val_groups"}


@pytest.mark.parametrize("name", ["train", "evaluate", "simulate", "predict", "noise", "search"])
def test_each_field_of_a_reading_is_an_option(name):
    above = click.Context(cli, info_name="bitformer", **cli.context_settings)
    command = cli.get_command(above, name)
    found = {one.name: one for one in command.params}
    fields = {one.name for one in dataclasses.fields(Reading)}
    expected = fields if name in ("train", "search") else fields - PARTS
    assert set(found) & fields == expected
    of_classes = expected & (CLASSES | PARTS)
    assert {getattr(found[one], "heading", None) for one in of_classes} == {"Classes"}

    def read(*args: str) -> dict:
        return command.make_context(name, list(args), parent=above, resilient_parsing=True).params

    assert {read()[one] for one in (*of_classes, "every")} == {None}, "as the model has it"
    told = read("--every", "2", "--stride", "5", "--files", "{label}.csv")
    assert (told["every"], told["stride"], told["files"]) == (2, 5, "{label}.csv")
