"""Words of a ROM that tensors share row by row are each one tensor's."""

import pytest

from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.word_map import rom_words
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


def test_position_tables_follow_each_other():
    design = lower(
        initialize(
            named_config("tiny").replace(decoder_layers=1, linear_path=False, d_model=16, horizon=8)
        )
    )
    words, ways = rom_words(design)["position"], design.geometry.ways
    tables = design.model.constants
    assert len(tables) == 2
    first = 0
    for name, table in tables.items():
        rows, features = table.shape
        assert rows != features // ways
        assert words[name] == [*range(first, first + rows * features // ways)]
        first += rows * features // ways


@pytest.mark.parametrize("calendar", [(), ("hour",), ("weekday",), ("hour", "weekday")])
def test_rows_of_tables_are_their_layers(calendar):
    config = named_config("tiny").replace(calendar=calendar, linear_path=True)
    design = lower(initialize(config))
    words = rom_words(design)["parameters"]
    depth = len(design.images["parameters"])
    assert sorted(word for own in words.values() for word in own) == [*range(depth)]
    operations = {op.tensor: op for op in design.program.operations}
    tables = [name for name in words if operations[name].clock]
    assert len(tables) == 2 * len(calendar)
    for name in tables:
        op, rows = (
            operations[name],
            {"hour": 24, "weekday": 7}[calendar[operations[name].clock - 1]],
        )
        stride, first = design.strides[op.clock - 1], op.parameters
        width = len(words[name]) // rows
        assert words[name] == [
            first + row * stride + word for row in range(rows) for word in range(width)
        ]
