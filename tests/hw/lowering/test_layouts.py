"""How weights share words, and which of them columns of LUTs multiply."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.hw.lowering import layouts
from bitformer.hw.lowering.layouts import MOST_FORMATS, cycles_of, weight_layouts
from bitformer.hw.lowering.packing import Packing
from bitformer.hw.weight_layout import WeightFormat, WeightLayout

SHIFT, LONGEST, MOST = 12, 8, 64


def single(monkeypatch, *, bits=8, activations=8, dot=(1 << SHIFT - 1) - 1, kind=None):
    """Whether a layer's single weights may go to broad columns."""
    kind = kind or WeightFormat.of(bits, pair=False)
    model = SimpleNamespace(
        linears=[SimpleNamespace(y="y", x="x", weight_bits=bits)],
        tensors={"x": SimpleNamespace(bits=activations)},
    )
    monkeypatch.setattr(layouts, "lane_dot", lambda model, op, rows: dot)
    packing = SimpleNamespace(shift=SHIFT)
    found = layouts._single(model, {"y": kind}, packing, most=MOST, longest=LONGEST, rows=1)
    assert found <= {kind}
    return bool(found)


@pytest.mark.parametrize(
    ("last", "beyond"),
    [
        # a sum of 12 bits is below 2**11
        ({"dot": (1 << 11) - 1}, {"dot": 1 << 11}),
        ({"bits": 8, "activations": 4}, {"bits": 9, "activations": 4}),
        ({"bits": 8, "activations": 8}, {"bits": 8, "activations": 9}),
        # a weight of one bit is 1 or -1, and takes two
        ({"bits": 1, "activations": 32}, {"bits": 1, "activations": 33}),
        ({"bits": 4}, {"bits": 4, "kind": WeightFormat.of(4, pair=True)}),
    ],
)
def test_single_weights_as_far_as_they_fit(monkeypatch, last, beyond):
    assert single(monkeypatch, **last)
    assert not single(monkeypatch, **beyond)


def pair(bits, *, few=False):
    return WeightFormat(pair=True, field=2 * bits, few=few)


def alone(bits, *, few=False):
    return WeightFormat(pair=False, field=bits, few=few)


def model_of(*layers):
    """Layers (weight bits, packed, outputs, inputs, activation bits), and how they are packed."""
    linears, tensors, packed = [], {}, {}
    for n, (bits, pairs, outputs, inputs, activations) in enumerate(layers):
        x, y = f"x{n}", f"y{n}"
        tensors[x] = SimpleNamespace(bits=activations, features=inputs)
        tensors[y] = SimpleNamespace(rows=n + 2, features=outputs)
        weight = np.zeros((outputs, inputs))
        linears.append(SimpleNamespace(x=x, y=y, weight_bits=bits, weight=weight))
        packed[y] = pairs
    bounds = {op.y: SimpleNamespace(dot=100) for op in linears}
    model = SimpleNamespace(linears=linears, tensors=tensors, bounds=bounds)
    half = max((own[0] for own in layers if own[1]), default=0)
    return model, Packing(packed=packed, half_bits=half, shift=12)


LAYERS = st.lists(
    st.tuples(
        st.sampled_from((1, 2, 3, 4, 6, 8)),
        st.booleans(),
        st.integers(1, 40),
        st.integers(1, 20),
        st.sampled_from((4, 8, 16)),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(LAYERS, st.integers(1, 9))
def test_every_layer_has_a_field_for_its_weights(drawn, columns):
    model, packing = model_of(*drawn)
    found = [*weight_layouts(model, packing, 2 * columns, 2 * columns)]
    single = [own[1] for own in drawn]
    own_formats = {
        (bits, pairs) if pairs else (bits * (1 + (bits == packing.half_bits)), pairs)
        for bits, pairs, *_ in drawn
    }
    for layout in found:
        assert (layout.columns, layout.soft, layout.short) == (2 * columns, 0, frozenset())
        assert layout.half_bits == packing.half_bits
        assert layout.even == (any(single) and not all(single))
        kinds = layout.formats
        assert len({*kinds.values()}) == min(MOST_FORMATS, len(own_formats)) or (
            # of pairs and of single weights one is left each
            len({*kinds.values()}) <= MOST_FORMATS < len(own_formats)
        )
        for op, (bits, pairs, *_) in zip(model.linears, drawn, strict=True):
            kind = kinds[op.y]
            assert kind.pair == pairs
            assert kind.bits >= bits
            assert layout.columns_of(kind) >= 1
        # a word has room for every column of some format, or for no more than one of the widest
        assert any(
            layout.bits == 2 * columns * kind.field for kind in kinds.values()
        ) or layout.bits == max(kind.field for kind in kinds.values()) * (2 if layout.even else 1)
    order = [(cycles_of(model, layout), layout.bits) for layout in found]
    assert order == sorted(order)
    # one with words for all columns of the widest: nothing is faster
    most = 2 * columns * max(kind.field for kind in found[0].formats.values())
    assert most in [layout.bits for layout in found]
    assert len({layout.bits for layout in found}) == len(found)


def formats_of(*layers):
    model, packing = model_of(*layers)
    layout = next(weight_layouts(model, packing, 4, 4))
    return [layout.formats[op.y] for op in model.linears]


def test_single_weights_as_wide_as_a_pairs_are_in_its_field():
    rows = [(4, True, 4, 4, 8), (4, False, 4, 4, 8), (3, False, 4, 4, 8)]
    assert formats_of(*rows) == [pair(4), alone(8), alone(3)]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        # of four widths the one grows that is fewest bits in all: bits times weights
        ((10, 10, 10, 1), (2, 3, 4, 5)),
        ((1, 10, 10, 10), (3, 3, 4, 5)),
        ((10, 1, 10, 10), (2, 4, 4, 5)),
        ((10, 10, 3, 30), (2, 3, 5, 5)),
        ((2, 4, 10, 10), (3, 3, 4, 5)),
        ((9, 4, 10, 10), (2, 4, 4, 5)),
    ],
)
def test_too_many_widths_share_what_costs_least(sizes, found):
    layers = [(bits, False, size, 1, 8) for bits, size in zip((2, 3, 4, 5), sizes, strict=True)]
    if found == (2, 3, 4, 5):
        layers, found = layers[:3], found[:3]
    assert formats_of(*layers) == [alone(bits) for bits in found]


def test_what_grows_counts_bits_times_weights():
    layers = [(2, False, 20, 1, 8), (4, False, 7, 1, 8), (5, False, 3, 1, 8), (8, False, 9, 1, 8)]
    assert formats_of(*layers) == [alone(2), alone(5), alone(5), alone(8)]


def test_pairs_and_single_weights_share_no_format():
    layers = [(2, True, 1, 1, 8), (3, True, 9, 9, 8), (6, False, 1, 1, 8), (8, False, 9, 9, 8)]
    assert formats_of(*layers) == [pair(3), pair(3), alone(6), alone(8)]
    layers[0] = (2, True, 9, 9, 8)
    assert formats_of(*layers) == [pair(2), pair(3), alone(8), alone(8)]
    # of as many bits that are added, single weights grow
    layers = [(2, True, 3, 1, 8), (4, True, 9, 9, 8), (6, False, 3, 1, 8), (8, False, 9, 9, 8)]
    assert formats_of(*layers) == [pair(2), pair(4), alone(8), alone(8)]
    layers[2] = (6, False, 4, 1, 8)
    assert formats_of(*layers) == [pair(4), pair(4), alone(6), alone(8)]


@pytest.mark.parametrize("outputs", [1, 7, 8, 9, 16, 33])
@pytest.mark.parametrize("inputs", [1, 4, 5])
def test_cycles_are_those_of_groups_of_columns(outputs, inputs):
    model, _ = model_of((4, True, outputs, inputs, 8), (4, False, outputs, inputs, 8))
    formats = {"y0": pair(4), "y1": alone(8)}
    layout = WeightLayout(bits=32, columns=4, formats=formats, half_bits=4, even=True)
    total = 0
    for rows, each in ((2, 8), (3, 4)):
        groups = len(range(0, outputs, each))
        total += rows * (sum(max(inputs, 4) for _ in range(groups - 1)) + inputs)
    assert cycles_of(model, layout) == total


def test_columns_of_luts_serve_the_short_pairs():
    layers = [(2, True, 40, 9, 8), (4, True, 40, 9, 8), (8, False, 40, 9, 8)]
    model, packing = model_of(*layers)

    def layout_of(most, hard=4, **options):
        return next(weight_layouts(model, packing, 6, hard, most, **options))

    # all columns multiply numbers of half_bits, four, whatever a weight's own
    assert layout_of(32).short == {pair(2), pair(4), alone(8)}
    assert (layout_of(32).columns, layout_of(32).soft) == (6, 2)
    # a single weight that fills a pair's field has a wider one of its own
    assert layout_of(32).formats["y2"] == alone(9)
    for found in (layout_of(31), layout_of(99, hard=6)):
        assert (found.columns, found.soft, found.short) == (found.hard, 0, frozenset())
        assert found.formats["y2"] == alone(8)
    # of a pair shorter than a column's halves, no single weight is cut as it is
    model.tensors["x1"].bits = 9
    assert layout_of(32).short == {pair(2)}
    assert layout_of(32).formats["y2"] == alone(8)


def test_a_single_weight_takes_the_next_wider_field():
    layers = [(4, True, 9, 9, 8), (8, False, 9, 9, 8), (12, False, 9, 9, 8)]
    model, packing = model_of(*layers)
    layout = next(weight_layouts(model, packing, 6, 4, 64))
    assert [layout.formats[f"y{n}"] for n in range(3)] == [pair(4), alone(12), alone(12)]


def test_layers_that_gain_nothing_leave_columns_of_luts_out():
    """Of 8 multipliers and 4 columns of LUTs, pairs of 16 results and fewer need but 8."""
    for outputs, few in ((16, True), (17, False), (24, False), (25, True), (32, True), (33, False)):
        model, packing = model_of((4, True, outputs, 9, 8), (4, True, 100, 9, 8))
        layout = next(weight_layouts(model, packing, 12, 8, 32, few=True))
        assert layout.formats["y0"].few == few
        assert not layout.formats["y1"].few
        assert (layout.columns, layout.soft) == (12, 4)
        whole = next(weight_layouts(model, packing, 12, 8, 32))
        assert not any(kind.few for kind in whole.formats.values())
    model, packing = model_of((4, True, 16, 9, 8), (8, False, 50, 9, 8))
    layout = next(weight_layouts(model, packing, 12, 8, 32, few=True))
    assert (layout.columns, layout.soft, layout.short, layout.broad) == (8, 0, frozenset(), 0)


@pytest.mark.parametrize(("asked", "broad", "columns"), [(2, 2, 10), (4, 4, 12), (9, 4, 12)])
def test_broad_columns_may_serve_single_weights_alone(asked, broad, columns):
    model, packing = model_of((4, True, 16, 9, 8), (6, False, 50, 9, 8))
    options = {"broad": asked, "longest": 6}
    layout = next(weight_layouts(model, packing, 12, 8, 64, few=True, **options))
    assert (layout.columns, layout.soft, layout.broad) == (columns, broad, broad)
    assert layout.single == {alone(6)}
    # where pairs gain, too, all columns of LUTs are there
    more, packing = model_of((4, True, 24, 9, 8), (6, False, 50, 9, 8))
    layout = next(weight_layouts(more, packing, 12, 8, 64, few=True, **options))
    assert (layout.columns, layout.soft, layout.broad) == (12, 4, broad)
    # a longer weight has none
    options["longest"] = 5
    layout = next(weight_layouts(more, packing, 12, 8, 64, few=True, **options))
    assert (layout.soft, layout.broad, layout.single) == (4, 0, frozenset())
    # what gains nothing by them does without
    less, packing = model_of((4, True, 24, 9, 8), (6, False, 8, 9, 8))
    layout = next(weight_layouts(less, packing, 12, 8, 64, few=True, broad=asked, longest=6))
    assert (layout.soft, layout.broad, layout.single) == (4, 0, frozenset())
    assert layout.formats["y1"] == alone(6, few=True)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_word_has_the_weights_of_all_token_rows_of_a_split_layer(monkeypatch, rows):
    monkeypatch.setattr(layouts, "is_split", lambda model, op: op.y == "y0")
    model, packing = model_of((2, True, 40, 9, 8), (4, True, 40, 9, 8))
    found = [*weight_layouts(model, packing, 6, 6, rows=rows)]
    assert min(layout.bits for layout in found) == max(rows * 6 * 4, 6 * 4)
    assert {layout.bits for layout in found} == {max(rows * 24, own) for own in (24, 48)}


@pytest.mark.parametrize(("broad", "bits"), [(0, {48, 24, 4 * 9}), (1, {48, 24, 5 * 9})])
def test_words_have_all_columns_that_a_format_uses(broad, bits):
    """Of six columns two are of LUTs, for pairs, and the broad ones for single weights, too."""
    layers = [(2, True, 40, 9, 4), (4, True, 40, 9, 4), (9, False, 40, 9, 4)]
    model, packing = model_of(*layers)
    found = [*weight_layouts(model, packing, 6, 4, 64, broad=broad, longest=9)]
    assert {layout.bits for layout in found} == bits
    assert all((layout.soft, layout.broad) == (2, broad) for layout in found)
