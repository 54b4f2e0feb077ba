"""Slots of results, of units that are small enough to be played."""

from bitformer.hw.units.result_slots import slot_layout

__all__ = ["DST_BITS", "FIELDS", "RES_BITS", "fields_of", "row_parameters"]

DST_BITS, RES_BITS = 5, 4
FIELDS = ("valid", "op", "first", "last", "parameter", "dst", "res")


def layout(ways, *, upper=False, soft=False, posts=1, rounds=1):
    """Return a slot whose addresses have room to run on from an instruction's."""
    sizes = {"op_bits": 3, "parameter_bits": 8, "dst_bits": 7, "res_bits": 7}
    return slot_layout(ways=ways, upper=upper, soft=soft, posts=posts, rounds=rounds, **sizes)


def row_parameters(operations, ways, *, soft=False, posts=1, rounds=1):
    """Return what Drain and VectorSlots share."""
    upper = ways > 1 and any(o.wide for o in operations)
    return {
        "operations": operations,
        "slot": layout(ways, upper=upper, soft=soft, posts=posts, rounds=rounds),
        "dst_bits": DST_BITS,
        "res_bits": RES_BITS,
    }


def fields_of(slot):
    """Return a slot as a dictionary, from the simulator's structure."""
    return {name: getattr(slot, name) for name in slot.shape().members}
