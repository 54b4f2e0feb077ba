"""Contents of ROMs: every number is read back from its place in a word."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.lowering.batch import Batch
from bitformer.hw.lowering.images import (
    field_bits,
    is_uniform,
    pack_elements,
    parameter_table,
    parameter_words,
    part_words,
    position_words,
    weight_words,
)
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.hw.widths import signed_bits, signed_value


def geometry_of(ways=2, wide=(), rows=1):
    return SimpleNamespace(ways=ways, wide=frozenset(wide), rows=rows)


@given(st.lists(st.integers(-8, 7), max_size=5))
def test_elements_lie_side_by_side(values):
    word = pack_elements(values, 4)
    assert [signed_value(word >> 4 * n, 4) for n in range(len(values))] == values
    assert word < 1 << 4 * len(values)


@given(st.integers(-70, 70), st.integers(0, 70))
def test_fields_are_as_wide_as_their_numbers(low, more):
    assert int(field_bits(np.array(low), np.array(low + more))) == signed_bits(low, low + more)


def layer(y, weight, parts=1):
    return SimpleNamespace(y=y, weight=np.array(weight), parts=parts)


LAYERS = st.lists(
    st.tuples(
        st.sampled_from([(True, 2), (True, 3), (False, 4), (False, 1)]),
        st.integers(1, 13),
        st.integers(1, 7),
        st.sampled_from([1, 1, 2]),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(drawn=LAYERS, columns=st.sampled_from([2, 4]), bits=st.sampled_from([12, 24, 30]))
def test_weights_follow_group_by_group_and_input_by_input(drawn, columns, bits):
    rng = np.random.default_rng(7)
    formats, layers = {}, []
    for n, ((pair, width), outputs, inputs, parts) in enumerate(drawn):
        formats[f"y{n}"] = WeightFormat.of(width, pair=pair)
        weight = rng.integers(1 - (1 << width - 1), 1 << width - 1, (parts * outputs, inputs))
        if width == 1:
            weight = rng.choice([-1, 1], (parts * outputs, inputs))
        layers.append(layer(f"y{n}", weight, parts))
    layout = WeightLayout(bits=bits, columns=columns, formats=formats, half_bits=3, even=False)
    words, bases = weight_words(layers, layout)
    assert all(0 <= word < 1 << bits for word in words)
    end = 0
    for op in layers:
        kind = formats[op.y]
        assert bases[op.y] == end
        step, per_group = layout.step(kind), layout.columns_of(kind) * (2 if kind.pair else 1)
        outputs, inputs = len(op.weight) // op.parts, op.weight.shape[1]
        groups = len(range(0, outputs, per_group))
        for (out, term), weight in np.ndenumerate(op.weight):
            part, own = divmod(out, outputs)
            group, place = divmod(own, per_group)
            number = (part * groups + group) * inputs + term
            address, unit = divmod(bases[op.y] + number * step, layout.units)
            offset = unit // step * layout.columns_of(kind) * kind.field + place * kind.bits
            field = words[address] >> offset
            found = signed_value(field, kind.bits) if kind.bits > 1 else 1 - 2 * (field & 1)
            assert found == weight
        count = op.parts * groups * inputs
        end += len(range(0, count, layout.parts(kind))) * layout.units
    assert end == len(words) * layout.units


@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_a_split_layer_has_an_input_of_each_lane_in_a_word(lanes, rows):
    """Row r of three inputs is that of lane r % lanes; what is missing is 0."""
    weight = np.arange(1, 2 * 3 * rows + 1).reshape(2, 3 * rows)
    kind = WeightFormat.of(8, pair=False)
    layout = WeightLayout(
        bits=2 * lanes * 8, columns=2, formats={"y": kind}, half_bits=0, even=False
    )
    assert layout.parts(kind) == lanes
    words, bases = weight_words([layer("y", weight)], layout, {"y": 3}, lanes)
    blocks = len(range(0, rows, lanes))
    assert (len(words), bases) == (3 * blocks, {"y": 0})
    for number, word in enumerate(words):
        block, term = divmod(number, 3)
        for lane in range(lanes):
            row = block * lanes + lane
            for out in range(2):
                wanted = weight[out, 3 * row + term] if row < rows else 0
                assert signed_value(word >> 8 * (2 * lane + out), 8) == wanted
    # in wider words, of more parts than lanes, the others are 0
    wide = WeightLayout(bits=4 * lanes * 8, columns=2, formats={"y": kind}, half_bits=0, even=False)
    assert weight_words([layer("y", weight)], wide, {"y": 3}, lanes)[0] == words
    assert weight_words([layer("y", weight)], layout, {"z": 3}, lanes)[0] != words


def step(multipliers, values=None, matrix=True):
    multipliers = None if multipliers is None else np.array(multipliers)
    parameters = None if values is None else (np.array(values), multipliers)
    return SimpleNamespace(matrix=matrix, multipliers=multipliers, parameters=parameters)


def test_a_multiplier_of_all_channels_is_no_parameter():
    assert is_uniform(step([5, 5, 5]))
    assert not is_uniform(step([5, 5, 6]))
    assert not is_uniform(step([5, 5], matrix=False))
    assert not is_uniform(step(None))
    same, other = step([5, 5], [1, -2]), step([5, 6], [1, -2])
    assert parameter_table(same).tolist() == [[1, 0], [-2, 0]]
    assert parameter_table(same, immediate=False).tolist() == [[1, 5], [-2, 5]]
    assert parameter_table(other).tolist() == [[1, 5], [-2, 6]]
    rows = step([5, 6], [[1, 2], [3, 4], [5, 6]])
    assert parameter_table(rows).tolist() == [[[n, 5], [n + 1, 6]] for n in (1, 3, 5)]


def test_a_wide_operation_has_a_word_for_each_channel():
    geometry = geometry_of(wide=("wide",))
    assert [part_words("y", n, geometry) for n in (1, 2, 3, 8)] == [1, 1, 2, 4]
    assert [part_words("wide", n, geometry) for n in (1, 2, 3, 8)] == [2, 2, 4, 8]
    assert part_words("wide", 3, geometry_of(ways=1, wide=("wide",))) == 3


def read(word, ways, bits):
    """(value, factor) of each way."""
    whole = sum(bits)
    fields = [word >> whole * way for way in range(ways)]
    return [(signed_value(f, bits[0]), signed_value(f >> bits[0], bits[1])) for f in fields]


@pytest.mark.parametrize("ways", [1, 2])
def test_parameters_are_read_back(ways):
    rng = np.random.default_rng(3)
    tables = {
        "a": rng.integers(-50, 50, (5, 2)),
        # of a layer in parts a set of features for each
        "b": rng.integers(-50, 50, (2, 3, 2)),
        "c": np.array([[99, 1], [-100, -32]]),
    }
    words, bases, bits, strides = parameter_words(tables, geometry_of(ways), {})
    assert bits == (8, 7)
    assert strides == ()
    expected = []
    for name, table in tables.items():
        assert bases[name] == len(expected)
        for features in table.reshape(-1, *table.shape[-2:]):
            rows = [*map(tuple, features.tolist())]
            rows += [(0, 0)] * (-len(rows) % ways)
            expected += [rows[n : n + ways] for n in range(0, len(rows), ways)]
    assert [read(word, ways, bits) for word in words] == expected
    assert parameter_words({}, geometry_of(ways), {}) == ([], {}, (1, 1), ())
    # -1 and 0 are numbers of one bit
    few = {"y": np.array([[-1, 0], [0, -1]])}
    assert parameter_words(few, geometry_of(ways), {})[2] == (1, 1)


def test_a_wide_value_takes_the_fields_of_both_ways():
    tables = {"wide": np.array([[-1000, 3], [1023, -4], [5, 1]]), "y": np.array([[7, 1], [-8, 2]])}
    words, bases, bits, _ = parameter_words(tables, geometry_of(wide=("wide",)), {})
    # 11 bits in two fields of 6
    assert bits == (6, 3)
    # as many channels as are in pairs
    assert bases == {"wide": 0, "y": 4}
    wanted = [(-1000, 3), (1023, -4), (5, 1), (0, 0)]
    for word, (value, factor) in zip(words, wanted, strict=False):
        (low, first), (high, second) = read(word, 2, bits)
        assert first == second == factor
        assert (high << 6) + (low & 63) == value
    assert read(words[4], 2, bits) == [(7, 1), (-8, 2)]
    # a single way has fields as wide as that
    assert parameter_words(tables, geometry_of(1, wide=("wide",)), {})[2] == (11, 3)


def test_rows_of_a_clocks_tables_lie_side_by_side():
    """Of two tables of one number, rows follow each other, and then those of the next number."""
    tables = {
        "plain": np.array([[9, 1]]),
        "hour": np.array([[[n, 1], [n, 2], [n, 3]] for n in range(4)]),
        "also": np.array([[[10 + n, 1]] for n in range(4)]),
        "day": np.array([[[20 + n, 1], [20 + n, 1]] for n in range(3)]),
    }
    clocks = {"hour": 0, "also": 0, "day": 2}
    words, bases, bits, strides = parameter_words(tables, geometry_of(2), clocks)
    assert bits == (6, 3)
    # nobody has number 1
    assert strides == (3, 0, 1)
    assert bases == {"plain": 0, "hour": 1, "also": 3, "day": 13}
    assert len(words) == 16
    for row in range(4):
        assert read(words[1 + 3 * row], 2, bits) == [(row, 1), (row, 2)]
        assert read(words[2 + 3 * row], 2, bits) == [(row, 3), (0, 0)]
        assert read(words[3 + 3 * row], 2, bits) == [(10 + row, 1), (0, 0)]
    for row in range(3):
        assert read(words[13 + row], 2, bits) == [(20 + row, 1), (20 + row, 1)]


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("ways", [1, 2])
def test_positions_have_a_lane_for_each_token_row(lanes, ways):
    rng = np.random.default_rng(2)
    tables = {"p": rng.integers(-16, 16, (5, 2)), "q": rng.integers(-16, 16, (4, 3))}
    model = SimpleNamespace(
        operations=(None,),
        tensors={name: SimpleNamespace(bits=5) for name in tables},
        constants=tables,
    )
    words, places, bits = position_words(model, geometry_of(ways, rows=lanes))
    assert bits == int(Batch.of(model).position_bits[0]) == 5
    taken = set()
    for name, table in tables.items():
        for (row, feature), value in np.ndenumerate(table):
            word = places[name, row] + feature // ways
            place = row % lanes * ways + feature % ways
            assert signed_value(words[word] >> bits * place, bits) == value
            taken.add((word, place))
    assert len(taken) == sum(table.size for table in tables.values())
    depth = sum(
        len(range(0, len(t), lanes)) * len(range(0, t.shape[1], ways)) for t in tables.values()
    )
    assert len(words) == depth
    assert all(word < 1 << bits * ways * lanes for word in words)
