"""Which words of a design's stores are whose: ROMs are cut by tensor, RAMs hold rows of tensors."""

from collections.abc import Iterable
from itertools import pairwise

from bitformer.hw.design import RINGS, Design, phase_bits
from bitformer.hw.lowering.allocate import allocate
from bitformer.hw.lowering.encode import memory_blocks

__all__ = ["own_depths", "rom_words"]


def _from(bases: dict[str, int], depth: int) -> dict[str, list[int]]:
    """Return the words from each base to the next; tensors in the order of their bases."""
    order = sorted(bases, key=lambda name: bases[name])
    ends = [*(bases[name] for name in order), depth]
    return {
        name: list(range(first, end))
        for name, (first, end) in zip(order, pairwise(ends), strict=True)
    }


def _by_rows(design: Design, words: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return parameter words, those from a table's base on given to the tables that share rows."""
    found = dict(words)
    for number, stride in enumerate(design.strides):
        own = [tensor for tensor, clock in design.model.clocks.items() if clock == number]
        every = sorted(word for tensor in own for word in words[tensor])
        places = _from({tensor: words[tensor][0] - every[0] for tensor in own}, stride)
        for tensor, mine in places.items():
            found[tensor] = [word for word in every if (word - every[0]) % stride in mine]
    return found


def rom_words(design: Design) -> dict[str, dict[str, list[int]]]:
    """Return, by ROM and tensor, the numbers of the words that the tensor's operation reads.

    Every word of a ROM is one tensor's: those of weights and parameters that of the operation that
    writes the tensor, as rows of the program; those of the position store a table's own.
    """
    model, program = design.model, design.program
    units = design.geometry.weights.units
    weights: dict[str, int] = {}
    parameters: dict[str, int] = {}
    for op in program.operations:
        if op.matrix and not op.dynamic:
            weights.setdefault(op.tensor, op.weight_base // units)  # of its first part
        if model.writers[op.tensor].parameters is not None:
            parameters.setdefault(op.tensor, op.parameters)
    tables, place = {}, 0
    for name, table in model.constants.items():
        tables[name] = place
        place += table.shape[0] * -(-table.shape[1] // design.geometry.ways)
    rows: dict[str, list[int]] = {}
    for number, instruction in enumerate(program.instructions):
        rows.setdefault(program.operations[instruction.op].tensor, []).append(number)
    found = {
        "program": rows,
        "weights": _from(weights, len(design.images["weights"])),
        "parameters": _by_rows(design, _from(parameters, len(design.images["parameters"]))),
        "position": _from(tables, len(design.images["position"])),
    }
    return {name: found[name] for name in found if name in design.stores}


def own_depths(design: Design, tensors: Iterable[str]) -> dict[str, int]:
    """Return the words of each RAM that the rows of some tensors need if nothing else is in it.

    Rows that never live at once share words, as they do in the design: of all tensors together
    these are the design's own depths. RAMs are named as in :attr:`Design.memories`.
    """
    wanted = set(tensors)
    depths = {}
    for store, blocks in memory_blocks(design.model, design.schedule, design.geometry).items():
        parts = design.stores[store].parts if store in design.stores else ()
        memories = {f"{store}_{n}": wanted & {*one.tensors} for n, one in enumerate(parts)}
        for memory, there in (memories or {store: wanted}).items():
            own = [block for block in blocks if block.key[0] in there]
            if own:
                depths[memory] = allocate(own, by_size=store == "dynamic")
                if store in RINGS:
                    depths[memory] <<= phase_bits(design.model)
    for store, tensor in (("input", design.model.input), ("output", design.model.results)):
        if tensor.name in wanted:
            depths[store] = design.stores[store].depth
    return depths
