"""The rules on arrays give every combination the widths that its own design has."""

import numpy as np
import pytest

from bitformer.estimate.features import quantities
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.search.engine import Engine
from bitformer.search.space.components import ComponentSpace
from bitformer.search.space.quantities import distinct

#: What follows from words of tables and from constants, for which one design stands for many.
ALIKE = {"constants", "rom_luts"}


class Noted:
    """A predictor that notes the quantities of a space."""

    def counts(self, q):
        self.q = dict(q)
        return dict.fromkeys(("luts", "lutram", "ffs"), q["columns"])


@pytest.mark.parametrize("engine", [Engine(), Engine(pack=False), Engine(lanes=6)])
@pytest.mark.parametrize(
    ("name", "bits"), [("tiny", "3/4 6/8"), ("tiny", "2/8 4"), ("grid-6-8-4", "4 8")]
)
def test_quantities_are_those_of_the_designs(name, bits, engine):
    space = ComponentSpace(
        named_config(name), bits=[Precision.parse(one) for one in bits.split()], engine=engine
    )
    noted = Noted()
    space._outcomes(noted)
    for number in np.random.default_rng(4).choice(len(space), 4, replace=False):
        design = lower(initialize(space.config_of(number)), **engine.options)
        if design.geometry.columns != space.columns:
            continue  # nothing can be packed: the space takes it from other columns
        own = quantities(design)
        assert own.keys() < noted.q.keys()
        different = {k for k in own.keys() - ALIKE if round(float(noted.q[k][number])) != own[k]}
        assert not different, {k: (noted.q[k][number], own[k]) for k in different}


def test_kinds_of_rows_in_order():
    first, kinds = distinct(np.array([3, 1, 3, 1, 2]), np.array([[0], [5], [0], [4], [9]]))
    assert first.tolist() == [3, 1, 4, 0]
    assert kinds.tolist() == [3, 1, 3, 0, 2]
