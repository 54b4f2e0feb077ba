"""Which weights columns of LUTs multiply, one by one."""

from types import SimpleNamespace

import pytest

from bitformer.hw.lowering import layouts
from bitformer.hw.weight_layout import WeightFormat

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
