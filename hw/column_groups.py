"""How many columns read their keys and values in one cycle, so that an address has few loads."""

from bitformer.hw.design import Design

__all__ = ["group_of"]

#: LUTs of a memory of keys and values that an address may load.
_LOADS = 128


def group_of(design: Design) -> int:
    """Return the columns whose keys and values are read in a cycle: all where an address may."""
    spec, columns, luts = design.stores.get("dynamic"), design.geometry.columns, design.family.luts
    hard = design.geometry.hard
    if spec is None or spec.placement != "distributed" or not luts.rams or design.geometry.rows > 1:
        return columns
    loads = luts.ram_of(spec.depth).cells(spec.depth, spec.width)
    group = -(-hard // -(-loads // _LOADS))
    return group if group < hard else columns
