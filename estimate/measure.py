"""Entries of a knowledge base from what was synthesized."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bitformer.estimate.features import VERSION, quantities
from bitformer.estimate.knowledge import Entry
from bitformer.estimate.logic_cells import CELLS
from bitformer.estimate.shapes import family_of
from bitformer.hw.design import Design
from bitformer.model.config import TransformerConfig
from bitformer.model.sealed_json import digest_of

if TYPE_CHECKING:
    from bitformer.synth.resources import Resources
    from bitformer.synth.routing import Routing
    from bitformer.synth.synthesize import Synthesis

__all__ = [
    "entries_of",
    "measured_entry",
    "paths_of",
    "routed_entry",
    "routed_key",
    "routed_key_of",
    "unit_key",
    "widths_of",
]


def widths_of(config: TransformerConfig) -> dict[str, str]:
    """Return the bits of each component, ``"4/8"``, and of each tensor that has its own."""
    widths = {component: config.bits(component).both for component in config.components}
    return widths | {name: str(bits) for name, bits in config.tensors.items()}


def _shape_of(config: TransformerConfig) -> dict[str, int]:
    names = ("window", "inputs", "horizon", "patch", "d_model", "layers", "heads", "ffn")
    return {name: getattr(config, name) for name in (*names, "decoder_layers")}


def unit_key(digest: str, unit: str) -> str:
    """Return the key of a unit's entry: the digest of its design's hardware, and its name."""
    return f"{digest}.{unit}"


def measured_entry(
    design: Design, tool: str, key: str, name: str, kind: str, taken: "Resources", **more: Any
) -> Entry:
    """Return the entry of a part of a design that a ``tool``, name and version, has measured."""
    config, geometry = design.model.config, design.geometry
    program, _, version = tool.rpartition(" ")
    counts = {
        "luts": taken.luts,
        "lutram": taken.luts_as_memory,
        "srls": taken.srls,
        "ffs": taken.ffs,
        "ramb18": taken.ramb18,
        "dsps": taken.dsps,
    }
    about: dict[str, Any] = {
        "widths": widths_of(config),
        "placement": {name: spec.placement for name, spec in design.stores.items()},
    }
    return Entry(
        key=key,
        kind=kind,
        name=name,
        part=design.part,
        lanes=geometry.columns * geometry.ways,
        shape=_shape_of(config),
        tool=program,
        version=version,
        **{**about, **counts, **more},
    )


def entries_of(design: Design, result: "Synthesis", *, family: str = "") -> list[Entry]:
    """Return the entries of a synthesis: the design, and each unit that was synthesized alone.

    ``family`` : of shapes that the design was drawn from; by default the one that it is of. Its
    entry tells it.
    """
    features = {"version": VERSION, **{k: int(v) for k, v in quantities(design).items()}}
    features |= paths_of(result)
    if result.resources.cells:
        features[CELLS] = result.resources.cells
    whole = measured_entry(
        design,
        result.tool,
        result.digest,
        design.model.config.name,
        "design",
        result.resources,
        features=features,
        levels=result.depth.levels,
        details={"family": family or family_of(design)},
    )
    units = [
        measured_entry(design, result.tool, unit_key(result.digest, unit), unit, "unit", taken)
        for unit, taken in result.units.items()
    ]
    return [whole, *units]


def paths_of(result: "Synthesis") -> dict[str, int]:
    """Return what its clock is estimated from: loads of the widest net, steps of late paths."""
    loads = max((net.loads for net in result.fanouts), default=0)
    return {"loads": loads, "late_steps": result.depth.late_steps}


def routed_key(digest: str) -> str:
    """Return how keys begin of what place and route made of a design, by its synthesis' digest."""
    return f"{digest}.routed."


def routed_key_of(digest: str, tool: str, asked_hz: float, seeds: Iterable[int]) -> str:
    """Return the key of a routed design, which is known before it is routed.

    ``tool`` : nextpnr's name and version. ``seeds`` : all that are tried.
    """
    return routed_key(digest) + digest_of([tool, asked_hz / 1e6, sorted(seeds)])[:16]


def routed_entry(design: Design, result: "Synthesis", routing: "Routing") -> Entry:
    """Return the entry of a design that was placed and routed: the megahertz of its seeds."""
    features = {
        "best_mhz": routing.best_mhz,
        "median_mhz": routing.median_mhz,
        "worst_mhz": routing.worst_mhz,
        "asked_mhz": routing.asked_hz / 1e6,
        "seeds": len(routing.seeds),
        "version": VERSION,
        **{f"seed_{seed.seed}_mhz": seed.mhz for seed in routing.seeds},
    }
    tried = (*(seed.seed for seed in routing.seeds), *map(int, routing.failed))
    details = {
        "chip": f"{routing.part} {routing.package}, speed grade {routing.speed}",
        "synthesis": result.tool,
    }
    if (path := routing.best.path) is not None:
        details["worst_path"] = (
            f"{path.start} to {path.end}: {path.delay_ns:.2f} ns, {path.logic_ns:.2f} of them logic"
        )
    return measured_entry(
        design,
        routing.tool,
        routed_key_of(result.digest, routing.tool, routing.asked_hz, tried),
        design.model.config.name,
        "routed",
        result.resources,
        features=features,
        levels=result.depth.levels,
        details=details,
    )
