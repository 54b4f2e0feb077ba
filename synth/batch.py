"""Small components synthesized in one run of Yosys, each as if it were alone.

Yosys takes longer to start than to map a few stores. Nothing is shared or simplified across the
bounds of the components, and each is one flat module: what comes out is what it is by itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib import wiring

from bitformer.hw.families.family import Family
from bitformer.model.progress import Progress, silent
from bitformer.synth.cache import default_cache, digest_of, synthesized
from bitformer.synth.depth import depth
from bitformer.synth.netlist import read_netlist
from bitformer.synth.resources import Resources
from bitformer.synth.synthesize import source_of
from bitformer.synth.yosys import find_tool

__all__ = ["Apart", "synthesize_apart"]

_PART = "part_{number}"


@dataclass(frozen=True, kw_only=True)
class Apart:
    """The result of one component.

    ``digest`` : as of :func:`.synthesize.digest`. ``levels`` : LUTs of its deepest path.
    """

    digest: str
    tool: str
    resources: Resources
    levels: int


def _together(sources: Iterable[str]) -> str:
    """Return the components' RTLIL as modules ``part_0`` ..., which are cells of ``top``.

    The cells are connected to nothing, and kept; the modules' ports are free.
    """
    texts, cells = [], []
    for number, source in enumerate(sources):
        name = _PART.format(number=number)
        own = source.replace("attribute \\top 1\n", "attribute \\keep_hierarchy 1\n")
        texts.append(re.sub(r"^(module|  cell) \\top(?=[ .\n])", rf"\1 \\{name}", own, flags=re.M))
        cells.append(f"  attribute \\keep 1\n  cell \\{name} \\{name}\n  end\n")
    return "".join([*texts, "attribute \\top 1\nmodule \\top\n", *cells, "end\n"])


def synthesize_apart(
    components: Iterable[wiring.Component],
    family: Family,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> list[Apart]:
    """Synthesize components for a family, each by itself; errors and the rest as `synthesize`."""
    tool = find_tool()
    sources = [source_of(component) for component in components]
    if not sources:
        return []
    netlist, _ = synthesized(
        tool,
        _together(sources),
        family,
        flatten=True,
        folder=cache or default_cache(),
        progress=progress,
    )
    found = []
    for number, source in enumerate(sources):
        own = read_netlist(netlist, family=family, module=_PART.format(number=number))
        found.append(
            Apart(
                digest=digest_of(source, tool, family),
                tool=tool.version,
                resources=Resources.of(own.counts, family),
                levels=depth(own, worst=1).levels,
            )
        )
    return found
