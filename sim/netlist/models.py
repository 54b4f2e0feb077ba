"""The cells that are modelled, by family."""

from collections.abc import Mapping

from bitformer.hw.families.family import Family
from bitformer.hw.families.series7 import SERIES7
from bitformer.sim.netlist.codegen import Modelled
from bitformer.sim.netlist.series7_blocks import BLOCKS
from bitformer.sim.netlist.series7_slices import SLICE

__all__ = ["MODELLED"]

#: The models of each family's primitives, by name.
MODELLED: dict[Family, Mapping[str, Modelled]] = {SERIES7: {**SLICE, **BLOCKS}}
