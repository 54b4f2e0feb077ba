"""What the strategies draw, measured: every field takes several values in the random models.

Fields are those of the dataclasses, so that a new one is wanted here until it is drawn.
"""

from collections import defaultdict
from dataclasses import dataclass, fields

import numpy as np
import pytest
from design_strategies import DRAWN, models, several
from hypothesis import given

from bitformer.model import ir, reference
from bitformer.model.config import TransformerConfig
from bitformer.model.operations import OPERATIONS
from bitformer.model.precision import Precision

#: Operations of streams: their models are drawn apart, tests/model/test_stream.py.
STREAMED = ("SlidingScores", "SlidingAttend", "SubtractPreceding")
CLASSES = (
    TransformerConfig,
    Precision,
    ir.IntegerModel,
    ir.Tensor,
    ir.Residual,
    *(kind for name, kind in OPERATIONS.items() if name not in STREAMED),
)
#: Fields of them.
OF_STREAMS = {"TransformerConfig.causal", "TransformerConfig.stream", "Pool.newest"}
#: A tensor that an operation reads or writes is drawn for each operation and each of its roles.
ROLES = ("x", "y", "q", "k", "v", "scores", "residual")
TENSOR = tuple(f.name for f in fields(ir.Tensor))

#: What has one value by the rules of the integer model or of the units, and where that is tested.
FIXED = {
    # nothing else is subtracted from; tests/hw/lowering/test_graph.py
    "SubtractLast.x": {"input"},
    "SubtractLast.x.name": {"input"},
    # logits are 8 bits in 1/8 octaves; tests/model/test_ir.py
    **{f"{role}.bits": {8} for role in ("Scores.y", "Attend.scores")},
    **{f"{role}.exponent": {-3} for role in ("Scores.y", "Attend.scores")},
    # only a linear layer's bias takes a zero point back; tests/model/test_ir.py
    **{
        f"{role}.zero": {0}
        for role in (
            *("SubtractLast.x", "Scores.q", "Scores.k", "Scores.y", "Attend.scores", "Attend.v"),
            *("Affine.x", "LayerNorm.x", "Pool.x", "Linear.residual"),
        )
    },
    # a mean over rows has one
    "Pool.y.rows": {1},
    # a class's number is one, of one row of scores, and is not rounded; tests/model/test_ir.py
    **{f"Decide.{name}": {1} for name in ("x.rows", "y.rows", "y.features")},
    **{f"Decide.{name}": {0} for name in ("x.zero", "y.zero", "y.exponent", "shift")},
    # a flag is one number; tests/model/operations/test_judge.py
    **{f"Judge.{name}": {1} for name in ("y.rows", "y.features")},
    **{f"Judge.{name}": {0} for name in ("y.zero", "y.exponent", "shift")},
}


def plain(value):
    """A value that can be told from another."""
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    return value if isinstance(value, (int, str, bool)) else repr(value)


def facts(value, name=""):
    """(class.field, value) of a dataclass."""
    name = name or type(value).__name__
    for f in fields(value):
        yield f"{name}.{f.name}", plain(getattr(value, f.name))


def facts_of(model):
    """(field, value) of everything in a model; of a tensor by each operation's role."""
    yield from facts(model.config)
    for precision in (model.config.default, *model.config.precision.values()):
        yield from facts(precision)
    yield from facts(model)
    for spec in model.tensors.values():
        yield from facts(spec)
    for op in model.operations:
        kind = type(op).__name__
        yield from facts(op)
        for role in ROLES:
            name = getattr(op, role, None)
            if isinstance(name, ir.Residual):
                yield from facts(name)
                name = name.source
            if name is not None:
                yield from facts(model.tensors[name], f"{kind}.{role}")


def wanted(classes=CLASSES):
    """Names of all that must vary."""
    names = {f"{kind.__name__}.{f.name}" for kind in classes for f in fields(kind)}
    for kind in classes:
        roles = {f.name for f in fields(kind)}.intersection(ROLES)
        if issubclass(kind, ir.Operation):
            names |= {f"{kind.__name__}.{role}.{field}" for role in roles for field in TENSOR}
    return names


def draw(count):
    """Some random models, with the values that each field took."""
    drawn, seen = [], defaultdict(set)

    @several(count)
    @given(models(DRAWN))
    def collect(case):
        model = case.make()
        drawn.append(model)
        for name, value in facts_of(model):
            seen[name].add(value)

    collect()
    return drawn, seen


@pytest.fixture(scope="module")
def drawn():
    return draw(150)


def unvaried(seen, classes=CLASSES):
    """Fields that had one value, but for those that can have no other."""
    known = FIXED.keys() | OF_STREAMS
    return sorted(n for n in wanted(classes) if len(seen[n]) < 2 and n not in known)


def test_every_field_is_drawn(drawn):
    assert unvaried(drawn[1]) == []


def test_fixed_fields_are_those_that_say_so(drawn):
    assert set(FIXED) <= wanted()
    for name, values in FIXED.items():
        assert drawn[1][name] == values, name


@dataclass(frozen=True, kw_only=True, eq=False)
class Rotated(ir.Linear):
    """A layer with a field that no strategy knows."""

    angle: int = 0


def test_a_new_field_is_wanted(drawn):
    assert "Rotated.angle" in unvaried(drawn[1], (*CLASSES, Rotated))
    seen = drawn[1] | {"Tensor.zero": {0}, "SubtractLast.y.zero": {0}}
    assert unvaried(seen) == ["SubtractLast.y.zero", "Tensor.zero"]


def test_results_are_not_clamped_away(drawn):
    """Of most tensors most elements lie between the limits: a wrong one would show."""
    shares = []
    for model in drawn[0]:
        x = model.random_windows(np.random.default_rng(0), 4)
        for name, values in reference.run(model, x).items():
            y = model.tensors[name]
            if y.bits > 3:
                shares.append(np.mean((values > y.low) & (values < y.high)))
    assert np.median(shares) > 0.8
    assert np.mean(shares) > 0.6
