"""Models on multipliers of 16 bits: all that lower on longer ports, and what they take then."""

from dataclasses import replace

import numpy as np
import pytest
from design_strategies import models, several
from hypothesis import given, reject
from hypothesis import strategies as st

from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.lowering import suggested
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.operations import Affine, LayerNorm

PART = "ice40up5k"


def small(norm):
    config = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6, norm=norm)
    return initialize(config, seed=0, samples=16)


@several(60)
@given(case=models(), lanes=st.sampled_from([1, 2, 4, 5, 8]), pack=st.booleans())
def test_what_lowers_on_longer_ports_lowers_here(case, lanes, pack):
    model = case.make()
    try:
        lower(model, part="xc7s15", lanes=lanes, pack=pack)
    except UserError:
        reject()
    geometry = lower(model, part=PART, lanes=lanes, pack=pack).geometry
    assert geometry.factor_bits <= 18
    assert geometry.factor_signed == any(op.negates for op in model.operations)


def changed(model, kind, **fields):
    operations = tuple(
        replace(op, **{name: change(op) for name, change in fields.items()})
        if isinstance(op, kind)
        else op
        for op in model.operations
    )
    return replace(model, operations=operations)


def test_a_negative_multiplier_costs_the_unsigned_bit():
    model = small("layer")
    factors = {
        gamma: lower(
            changed(model, LayerNorm, gamma=lambda op, own=gamma: np.full_like(op.gamma, own)),
            part=PART,
        ).geometry
        for gamma in (127, -127)
    }
    assert [g.factor_signed for g in factors.values()] == [False, True]
    assert [g.factor_bits for g in factors.values()] == [17, 17]  # 16 bits without a sign


def test_shifts_use_the_bit_that_no_sign_needs():
    """Those of this model meet where a multiplier has 16 bits; with a sign they must have 15."""
    model = initialize(named_config("grid-12-32-4"), seed=0)
    most = {}
    for sign in (1, -1):
        one = changed(model, Affine, multiplier=lambda op, own=sign: own * op.multiplier)
        design = lower(one, part=PART)
        assert design.geometry.factor_signed == (sign < 0)
        most[sign] = max(op.multiplier for op in design.program.operations)
    assert 1 << 14 <= most[-1] < 1 << 15 <= most[1] < 1 << 16


@pytest.mark.parametrize(("upper", "blocks"), [(0, 2), (17, 3), (32, 3), (33, 4)])
def test_blocks_of_a_long_multiplicand_are_counted(upper, blocks):
    geometry = lower(small("batch"), part=PART).geometry
    wide = replace(geometry, wide=frozenset({"output"}), upper_bits=upper)
    assert wide.dsps - wide.columns == blocks
    assert ICE40UP.multiplier.multiplicand_bits >= 48


def test_queries_come_later_where_that_takes_fewer_words(monkeypatch):
    """And no more cycles: a block of 256 words has what is kept of this model then."""
    model = initialize(named_config("etth1-96-24-w2a8"), seed=0)
    better = lower(model, part=PART)
    ranks = suggested._ranks
    monkeypatch.setattr(suggested, "_ranks", lambda model, later: ranks(model))
    plain = lower(model, part=PART)
    assert better.stores["activations"].depth <= 256 < plain.stores["activations"].depth
    assert (better.latency, better.interval) <= (plain.latency, plain.interval)


def test_other_families_keep_their_order():
    """Memories in LUTs are cheap: no other order is looked for, though one takes fewer words."""
    model = initialize(named_config("grid-12-64-4"), seed=0)
    words = {part: lower(model, part=part).stores["activations"].depth for part in (PART, "xc7s15")}
    assert words[PART] < words["xc7s15"]
