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
    command = cli.get_command(click.Context(cli), name)
    found = {one.name: one for one in command.params}
    fields = {one.name for one in dataclasses.fields(Reading)}
    expected = fields if name in ("train", "search") else fields - PARTS
    assert set(found) & fields == expected
    of_classes = expected & (CLASSES | PARTS)
    assert {getattr(found[one], "heading", None) for one in of_classes} == {"Classes"}
    said = command.make_context(name, [], resilient_parsing=True).params
    assert {said[one] for one in (*of_classes, "every")} == {None}, "as the model has it"
    assert command.make_context(
        name, ["--every", "2", "--stride", "5", "--files", "{label}.csv"], resilient_parsing=True
    ).params.items() >= {"every": 2, "stride": 5, "files": "{label}.csv"}.items()
