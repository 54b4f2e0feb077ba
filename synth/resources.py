"""What the cells of a netlist take of a part: of the whole, and of each unit by itself.

Logic that was mapped to LUTs belongs to no unit any more, so a flat netlist cannot be split. In one
that kept its hierarchy each unit was synthesized by itself, all its inputs free and all its outputs
used: nothing is shared or simplified across bounds, and units add up to more than the whole.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitformer.hw.families.family import Family, Kind
from bitformer.hw.parts import Part, Use, known_uses

__all__ = ["OWN", "Resources", "unit_resources"]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a netlist takes: LUTs by use, flip-flops, block RAMs and DSPs.

    ``luts_as_memory`` are LUTs that serve as RAM or, among them, as shift registers (``srls``).
    ``ramb18`` counts a double block RAM, of which there are ``ramb36``, as two. ``cells`` are logic
    cells, of a whole netlist in a family where LUTs and flip-flops share them, else 0.
    """

    luts_as_logic: int = 0
    luts_as_memory: int = 0
    srls: int = 0
    ffs: int = 0
    ramb18: int = 0
    ramb36: int = 0
    dsps: int = 0
    carries: int = 0
    inverters: int = 0
    cells: int = 0

    @property
    def luts(self) -> int:
        """All LUTs."""
        return self.luts_as_logic + self.luts_as_memory

    @classmethod
    def of(cls, counts: Mapping[str, int], family: Family) -> "Resources":
        """Return what so many cells of each kind take."""
        cells: Counter[Kind] = Counter()
        taken: Counter[Kind] = Counter()
        for name, count in counts.items():
            primitive = family.primitive(name)
            cells[primitive.kind] += count
            taken[primitive.kind] += count * primitive.size
        srls, blocks = taken[Kind.SHIFT_REGISTER], taken[Kind.BLOCK_RAM]
        return cls(
            luts_as_logic=taken[Kind.LUT] + taken[Kind.CARRY],
            luts_as_memory=taken[Kind.LUT_RAM] + srls,
            srls=srls,
            ffs=cells[Kind.REGISTER],
            ramb18=blocks,
            ramb36=blocks - cells[Kind.BLOCK_RAM],
            dsps=cells[Kind.MULTIPLIER],
            carries=cells[Kind.CARRY],
            inverters=cells[Kind.INVERTER],
        )

    def uses(self, part: Part) -> tuple[Use, ...]:
        """Return each resource's use beside the part's budget."""
        cells = part.luts if part.family.luts.holds_register else 0
        return known_uses(
            Use(resource="logic cell", used=self.cells, available=cells),
            Use(resource="LUT", used=self.luts, available=part.luts),
            Use(resource="LUT as memory", used=self.luts_as_memory, available=part.lutram_luts),
            Use(resource="FF", used=self.ffs, available=part.ffs),
            Use(resource=part.family.block_ram.name, used=self.ramb18, available=part.ramb18),
            Use(resource="DSP", used=self.dsps, available=part.dsps),
        )


#: What is in no unit.
OWN = "(own)"


def unit_resources(
    data: Mapping[str, Any], family: Family, *, module: str = "top"
) -> dict[str, Resources]:
    """Return what each unit of a module takes, with its own units; ``OWN`` is what is in none."""
    modules = {name: found["cells"] for name, found in data["modules"].items()}

    def counts(kind: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for cell in modules[kind].values():
            found.update(counts(cell["type"]) if cell["type"] in modules else [cell["type"]])
        return found

    found, own = {}, Counter[str]()
    for name, cell in modules[module].items():
        if cell["type"] in modules:
            found[re.sub(r"\$\d+$", "", name)] = Resources.of(counts(cell["type"]), family)
        else:
            own[cell["type"]] += 1
    return {**dict(sorted(found.items())), OWN: Resources.of(own, family)}
