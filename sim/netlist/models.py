"""The cells that are modelled, by family."""

from collections.abc import Mapping

from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.family import Family
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.families.series7 import SERIES7
from bitformer.sim.netlist import (
    ecp5_blocks,
    ecp5_slices,
    ice40_blocks,
    ice40_multiplier,
    ice40_slices,
    series7_blocks,
    series7_slices,
)
from bitformer.sim.netlist.codegen import Modelled

__all__ = ["MODELLED"]

#: The models of each family's primitives, by name.
MODELLED: dict[Family, Mapping[str, Modelled]] = {
    SERIES7: {**series7_slices.SLICE, **series7_blocks.BLOCKS},
    ECP5: {**ecp5_slices.SLICE, **ecp5_blocks.BLOCKS},
    ICE40UP: {**ice40_slices.SLICE, **ice40_blocks.BLOCKS, **ice40_multiplier.MULTIPLIER},
}
