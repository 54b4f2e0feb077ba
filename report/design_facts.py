"""A design as a page shows it: its timetable, what it takes of the part, and each store's place."""

import dataclasses
from typing import TYPE_CHECKING, Any

from bitformer.hw.design import Design
from bitformer.hw.parts import PARTS
from bitformer.hw.timeline import layer_use, spans

if TYPE_CHECKING:
    from bitformer.estimate.breakdown import ComponentRow
    from bitformer.estimate.predictor import Prediction
    from bitformer.hw.lowering.exact import Estimate
    from bitformer.synth.synthesize import Synthesis

__all__ = ["MOST_SPANS", "block_ram_sentence", "resource_facts", "timetable_facts"]

#: Rows that a timetable shows one by one; of a longer one, the first so many.
MOST_SPANS = 24_000


def timetable_facts(design: Design) -> dict[str, Any]:
    """Return each row's time on the engine and the post-processor, and what layers wait for.

    A span is ``[layer, unit, start, end, row, rows, waited, reason]``, the first two and the last
    as numbers of the lists beside.
    """
    found = spans(design)
    kept = found[:MOST_SPANS]
    layers = list(dict.fromkeys(one.layer for one in found))
    units = ["engine", "post-processor"]
    reasons = list(dict.fromkeys(one.reason for one in found))
    place = {name: number for number, name in enumerate(layers)}
    why = {name: number for number, name in enumerate(reasons)}
    uses: list[dict[str, Any]] = [
        {
            "layer": use.layer,
            "first": use.first,
            "last": use.last,
            "rows": use.rows,
            "engine": use.engine,
            "post": use.post,
            "waits": dict(use.waits),
            "waited": use.waited,
        }
        for use in layer_use(design)
    ]
    waits: dict[str, int] = {}
    for use in uses:
        for reason, cycles in use["waits"].items():
            waits[reason] = waits.get(reason, 0) + cycles
    return {
        "layers": layers,
        "units": units,
        "reasons": reasons,
        "spans": [
            [
                *(place[one.layer], units.index(one.unit), int(one.start), int(one.end)),
                *(one.row, one.rows, int(one.waited), why[one.reason]),
            ]
            for one in kept
        ],
        "left_out": len(found) - len(kept),
        "uses": uses,
        "engine": sum(use["engine"] for use in uses),
        "waits": dict(sorted(waits.items(), key=lambda item: -item[1])),
        "latency": design.latency,
        "interval": design.interval,
    }


def block_ram_sentence(exact: "Estimate", ramb18: int) -> str:
    """Say why the ``ramb18`` of a design are not the sum of its stores'; nothing where they are."""
    nominal = sum(store.ramb18 for store in exact.stores)
    if ramb18 == nominal:
        return ""
    why = (
        "it drops bits that are the same in all words of a ROM"
        if ramb18 < nominal
        else "it cuts deep ROMs in its own way"
    )
    name = PARTS[exact.part].family.block_ram.name
    return f"{name}: by their shapes the stores take {nominal}; synthesis makes {ramb18}, as {why}."


def resource_facts(
    design: Design,
    exact: "Estimate",
    prediction: "Prediction | None",
    components: "list[ComponentRow]",
    synthesis: "Synthesis | None" = None,
) -> dict[str, Any]:
    """Return what a design takes of its part, in all, by component, by unit and by store.

    Parameters
    ----------
    design
        Lowered.
    exact
        Cycles and stores.
    prediction
        Resources of the whole design; without one, and without a synthesis, the stores' alone.
    components
        What each component adds.
    synthesis
        What Yosys measured, unit by unit, where that was asked for.
    """
    low: dict[str, int] = {}
    high: dict[str, int] = {}
    if synthesis is not None:
        uses, by = synthesis.uses, f"measured by {synthesis.tool}"
    elif prediction is not None:
        uses = prediction.uses
        by = "measured by Yosys" if prediction.measured else "predicted from measured designs"
        for name, one in (
            ("LUT", prediction.luts),
            ("LUT as memory", prediction.lutram),
            ("FF", prediction.ffs),
        ):
            low[name], high[name] = one.low, one.high
    else:
        uses, by = exact.uses, "of the stores alone: nothing is known yet of the units' logic"
    units = {} if synthesis is None else synthesis.units
    ram = design.family.block_ram.name
    blocks = next(use.used for use in uses if use.resource == ram)
    return {
        "part": exact.part,
        "by": by,
        "uses": [
            {
                "resource": use.resource,
                "used": use.used,
                "available": use.available,
                "low": low.get(use.resource, use.used),
                "high": high.get(use.resource, use.used),
                "over": use.over,
            }
            for use in uses
        ],
        "fits": not any(use.over for use in uses),
        "components": [
            {"name": row.name, "luts": row.luts, "lutram": row.lutram, "ramb18": row.ramb18}
            for row in components
        ],
        "units": [
            {"name": name, "luts": one.luts, **dataclasses.asdict(one)}
            for name, one in units.items()
        ],
        "block_ram": ram,
        "block_ram_sentence": block_ram_sentence(exact, blocks),
        "stores": [store.to_dict() for store in exact.stores],
        "accumulator_bits": design.geometry.accumulator_bits,
        "bounds": {name: int(bound) for name, bound in design.bounds.items()},
        "macs": exact.macs,
        "peak": exact.peak,
        "macs_per_cycle": exact.macs_per_cycle,
        "utilisation": exact.utilisation,
    }
