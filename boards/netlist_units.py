"""What each unit of a design takes, from a netlist that was not flattened.

Logic that was mapped to LUTs belongs to no unit any more, so a flat netlist cannot be split. In one
that kept its hierarchy each unit was synthesized by itself, all its inputs free and all its outputs
used: nothing is shared or simplified across bounds, and units add up to more than the whole.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from bitformer.boards.netlist_resources import Resources

__all__ = ["OWN", "unit_resources"]

#: What is in no unit.
OWN = "(own)"


def unit_resources(data: Mapping[str, Any], *, module: str = "top") -> dict[str, Resources]:
    """Resources of each unit of a module, units within it included; ``OWN`` is what is in none."""
    modules = {name: found["cells"] for name, found in data["modules"].items()}

    def counts(kind: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for cell in modules[kind].values():
            found.update(counts(cell["type"]) if cell["type"] in modules else [cell["type"]])
        return found

    found, own = {}, Counter[str]()
    for name, cell in modules[module].items():
        if cell["type"] in modules:
            found[re.sub(r"\$\d+$", "", name)] = Resources.of(counts(cell["type"]))
        else:
            own[cell["type"]] += 1
    return {**dict(sorted(found.items())), OWN: Resources.of(own)}
