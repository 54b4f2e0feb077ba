"""How many columns of LUTs an engine has beside its multipliers, where a design asks for them."""

from collections.abc import Callable

from bitformer.hw.design import Design
from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.packing import Packing
from bitformer.hw.lowering.place import cost, crowding
from bitformer.hw.lut_rows import MOST_BITS, ahead, product_cost
from bitformer.hw.parts import PARTS, Part
from bitformer.model.errors import UserError
from bitformer.model.ir import Linear

__all__ = [
    "AUTO",
    "asked_broad",
    "asked_columns",
    "column_luts",
    "in_time",
    "longest_single",
    "most_columns",
    "room",
    "soft_of",
]

#: Asks for as many as take the fewest cycles.
AUTO = "auto"
#: LUTs of all logic but stores and columns of LUTs: the 141 designs of the knowledge base that
#: ships take 1 076 to 2 762, and hardware has grown since.
_LOGIC = 3000
#: What each bit of a drained sum takes, its choice among columns, and each bit of a weight, its
#: choice among formats and the shift register before it: two designs of 16 such columns take 58 and
#: 69 LUTs more a column than without.
_SUM_CHOICE, _WEIGHT_CHOICE = 0.6, 2
#: LUTs that a broad column takes beside its longer product: 43 and 56 in two designs of 16 each.
_BROAD = 56
#: LUTs of what each further token row and post-processor takes.
_ROW, _POST = 450, 1100
#: Columns of LUTs at most: their weights are as many bits of a word, which block RAM is wide for.
_MOST = 64
#: What is inferred takes so many times the LUTs that are counted, by Yosys.
_INFERRED = 1.4
#: A column of LUTs must save this share of all cycles.
_WORTH = 0.002
#: Counts that are tried, those with which the layers take the fewest cycles.
_TRIED = 6


def asked_columns(soft: int | str | None, lower_with: Callable[[int | None], Design]) -> int | None:
    """Return the columns of LUTs that are asked for; None for those that a family has unasked.

    ``auto`` are those of the design of fewest cycles that ``lower_with`` lowers with so many, or
    with None. Raises :class:`UserError` for what is no count.
    """
    if soft is None:
        return None
    if soft == AUTO:
        return _best(lower_with)
    if type(soft) is not int or not 0 <= soft <= _MOST:
        raise UserError(f"soft must be {AUTO} or a number from 0 to {_MOST}, not {soft!r}")
    return soft


def asked_broad(broad: int | None, soft: int | None, lower_with: Callable[[int], Design]) -> int:
    """Return how many of so many columns of LUTs are to multiply single weights, too.

    Where that is left open, those of the design of fewest cycles that ``lower_with`` lowers with so
    many, and for which its part has room. Each must save some of the cycles.
    """
    if not soft:
        return 0
    if broad is not None:
        if type(broad) is not int or not 0 <= broad <= soft:
            raise UserError(f"broad must be a number from 0 to the {soft} columns, not {broad!r}")
        return broad
    first = lower_with(0)
    geometry = first.geometry
    if not geometry.weights.soft or geometry.apart:
        return 0
    singles = [op for op in first.model.linears if not first.packed[op.y]]

    def groups(count: int) -> tuple[int, ...]:
        features = (first.model.tensors[op.y].features for op in singles)
        return tuple(-(-own // (geometry.hard + count)) for own in features)

    best, found = groups(0), {0: first}
    for count in range(2, soft + 1, 2):
        if (own := groups(count)) != best:
            best, design = own, lower_with(count)
            if design.geometry.weights.broad and not _over(design):
                found[count] = design
    return min(found, key=lambda count: found[count].latency * (1 + _WORTH * count))


def _over(design: Design) -> bool:
    """Return True if a part has too little of what a design takes."""
    memories, _ = crowding(design.stores.values(), PARTS[design.part])
    return memories > 0 or room(design) < 0


def soft_of(lut_lanes: int | str, rows: int | str = 1) -> int | str:
    """Return the columns of LUTs of each token row that make so many products a cycle in all.

    ``auto`` is itself.
    """
    if lut_lanes == AUTO:
        return AUTO
    if isinstance(rows, str):
        raise UserError(f"lut_lanes must be {AUTO} where rows are, not {lut_lanes!r}")
    step, most = 2 * rows, 2 * rows * _MOST
    if type(lut_lanes) is not int or lut_lanes % step or not 0 <= lut_lanes <= most:
        kind = "an even number" if rows == 1 else f"a multiple of {step}"
        raise UserError(f"lut_lanes must be {AUTO} or {kind} from 0 to {most}, not {lut_lanes!r}")
    return lut_lanes // step


def in_time(hard: int, packing: Packing, multiplier: Multiplier) -> bool:
    """Return True if so many multipliers precede columns of LUTs as these take cycles longer."""
    adder = None if packing.apart or not packing.half_bits else multiplier.adder
    return adder is None or hard >= ahead(packing.half_bits, adder.terms)


def longest_single(hard: int, packing: Packing, multiplier: Multiplier) -> int:
    """Return the bits of the longest single weight that columns of LUTs multiply in time.

    0 where their sums lie as those of all columns do.
    """
    adder = None if packing.apart or not packing.half_bits else multiplier.adder
    if adder is None:
        return 0
    # of one bit, no multiplier need be before
    return max(bits for bits in range(1, MOST_BITS) if ahead(bits, adder.terms) <= hard)


def column_luts(part: Part, *, weight_bits: int, activation_bits: int, sum_bits: int) -> float:
    """Return the LUTs of a column of two products a cycle, with all that it takes beside it.

    That is what its weights wait in and are chosen by, and the choice of its sums by the drain.
    """
    adder = part.family.multiplier.adder
    if adder is None:
        raise UserError(f"part {part.name} must have no columns of LUTs but its family's own")
    product: float = product_cost(weight_bits, activation_bits, sum_bits, adder.terms).luts
    product *= 1 if adder.cells is not None else _INFERRED
    return 2 * (product + _WEIGHT_CHOICE * weight_bits + _SUM_CHOICE * sum_bits)


def most_columns(design: Design) -> int:
    """Return the columns of LUTs that a part has room for beside a design without, an even number.

    Of its LUTs its stores take some, and all other logic as many as that of large designs.
    """
    if not _served(design) or PARTS[design.part].family.multiplier.adder is None:
        return 0
    return max(0, min(_MOST, int(room(design) / _own_luts(design))) // 2 * 2)


def _own_luts(design: Design) -> float:
    """Return the LUTs that a column of LUTs takes in a design, or would take, in all token rows."""
    layers, model = _served(design), design.model
    return design.geometry.rows * column_luts(
        PARTS[design.part],
        weight_bits=design.geometry.half_bits,
        activation_bits=max(model.tensors[op.x].bits for op in layers),
        sum_bits=max(model.bounds[op.y].dot for op in layers).bit_length() + 1,
    )


def room(design: Design) -> float:
    """Return the LUTs that a design leaves; below 0 where it takes more than the part has."""
    part, soft = PARTS[design.part], design.geometry.weights.soft
    taken = [cost(s, s.placement, part.family) for s in design.stores.values()]
    stores = sum(one.luts + one.lutram for one in taken)
    geometry = design.geometry
    logic = _LOGIC + (geometry.rows - 1) * _ROW + (geometry.posts - 1) * _POST
    own = soft * _own_luts(design) + _broad_luts(design) if soft else 0
    return part.luts - stores - logic - own


def _broad_luts(design: Design) -> float:
    """Return the LUTs that broad columns take more than others, in all token rows."""
    geometry, adder = design.geometry, design.family.multiplier.adder
    bits, sums = geometry.broad_bits, geometry.broad_sum_bits
    if not geometry.weights.broad or adder is None:
        return 0
    own = geometry.half_bits, geometry.soft_sum_bits
    broad, plain = (
        product_cost(weight, geometry.soft_bits, total, adder.terms).luts
        for weight, total in ((max(own[0], bits), max(own[1], sums)), own)
    )
    return geometry.rows * geometry.weights.broad * (broad - plain + _BROAD)


def _served(design: Design) -> list[Linear]:
    """Return the layers that columns of LUTs serve: those of short packed products."""
    tensors, half = design.model.tensors, design.geometry.half_bits
    layers = (op for op in design.model.linears if design.packed[op.y])
    return [op for op in layers if tensors[op.x].bits * half <= MOST_BITS]


def _cycles(design: Design, columns: int) -> int:
    """Return the engine's cycles in the layers that columns of LUTs serve, if it had so many."""
    total = 0
    for op in _served(design):
        y, length = design.model.tensors[op.y], op.weight.shape[1]
        groups = -(-y.features // (2 * columns))
        blocks = -(-y.rows // design.geometry.rows)
        total += blocks * ((groups - 1) * max(length, columns) + length)
    return total


def _worth(design: Design) -> list[int]:
    """Return the counts of columns of LUTs that are worth a try, fewest first."""
    hard = design.geometry.hard
    best, found = _cycles(design, hard), []
    for count in range(2, most_columns(design) + 1, 2):
        cycles = _cycles(design, hard + count)
        if cycles < best:
            best = cycles
            found.append(count)
    return found[-_TRIED:]


def _best(lower_with: Callable[[int | None], Design]) -> int | None:
    """Return the columns of LUTs of the design of fewest cycles for which a part has room.

    Of those that fit the part, or are least over. A column must save some of the cycles.
    """
    first = lower_with(None)
    designs = {count: lower_with(count) for count in _worth(first)}

    def value(count: int | None) -> tuple[int, float, float]:
        design = first if count is None else designs[count]
        over, _ = crowding(design.stores.values(), PARTS[design.part])
        beyond = max(0, -room(design)) if count else 0
        return over, beyond, design.latency * (1 + _WORTH * (count or 0))

    return min([None, *designs], key=value)
