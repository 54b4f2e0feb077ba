"""The memories that a design writes: how many words each has, of how many elements and bits."""

from collections.abc import Mapping
from dataclasses import replace

from bitformer.hw.design import phase_bits
from bitformer.hw.judging import judged_depth, level_bits
from bitformer.hw.lowering.ahead import summed_ahead
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.memory import StoreSpec
from bitformer.model import numerics

__all__ = ["written_stores"]


def written_stores(plan: Plan, depths: Mapping[str, int]) -> list[StoreSpec]:
    """Return the memories that a design writes, not placed yet."""
    geometry, source, result = plan.geometry, plan.model.input, plan.model.results
    ways, slots, lanes = geometry.ways, geometry.dynamic_slots, geometry.rows
    mixed = ways > 1 and (bool(geometry.wide) or not all(plan.packing.packed.values()))

    def ram(
        name: str, depth: int, elements: int, bits: int, *, apart: bool = mixed, **fields
    ) -> StoreSpec:
        """Return words of elements that are written all at once, or each ``apart``."""
        granule = bits if apart else 0
        return StoreSpec(name=name, depth=depth, width=elements * bits, granule=granule, **fields)

    def in_lanes(
        name: str, depth: int, elements: int, bits: int, *, apart: bool = mixed, **fields
    ) -> StoreSpec:
        """Return words of elements for each token row, which are written by themselves."""
        found = ram(name, depth, elements * lanes, bits, apart=apart, **fields)
        return replace(found, granule=found.granule or elements * bits) if lanes > 1 else found

    detector: list[StoreSpec] = []
    if (judge := plan.model.detector) is not None:
        level = level_bits(judge, plan.model)
        detector = [
            ram("levels", result.size, 1, level, apart=False),
            ram("judged", judged_depth(result.size), 1, source.bits, apart=False),
        ]
    phases = phase_bits(plan.model)
    # a slot of a pair of sums keeps both; of a wide one, which is alone, way 0 is all that is kept
    single = any(
        not plan.packing.packed[name] and name not in geometry.wide
        for name in summed_ahead(plan.model)
    )
    # results that come one a cycle wait one in a word
    together = ways if plan.packing.packed.get(result.name, True) else 1
    small: list[StoreSpec] = []
    if not plan.part.family.luts.rams:
        # elsewhere these take a few LUTs as memory, and are not placed
        rows = depths["scores"] // max(1, geometry.score_pitch)
        small = [in_lanes("maxima", rows, 1, numerics.SCORE_BITS, apart=False)]
        if plan.model.subtraction is not None:
            last = (plan.model.phases + 1) * source.features
            small.append(ram("last", last, 1, source.bits, apart=False, read_ports=2))
    return [
        in_lanes(
            "activations",
            depths["activations"] << phases,
            ways,
            geometry.element_bits,
            read_ports=2,
        ),
        in_lanes("scores", depths["scores"], ways, numerics.SCORE_BITS),
        ram("sums", depths["sums"] << phases, ways, geometry.accumulator_bits, apart=single),
        ram(
            "dynamic",
            depths["dynamic"] << phases,
            slots * geometry.dynamic_parts,
            geometry.dynamic_bits,
            apart=True,
        ),
        in_lanes("input", geometry.lane_words(source.size), 1, source.bits, apart=False),
        ram(
            "output",
            result.rows * -(-result.features // together),
            together,
            result.bits,
            apart=mixed and together > 1,
            asynchronous=True,
        ),
        *detector,
        *small,
    ]
