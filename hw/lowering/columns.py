"""How many multipliers the engine has: blocks of the part, and columns of LUTs beside them."""

from bitformer.hw.lowering.operations import lowering_of
from bitformer.hw.parts import Part
from bitformer.hw.widths import soft_sum, squared_in_dsp
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel

__all__ = ["choose_columns", "hard_columns"]

#: A column of LUTs must save this share of the engine's cycles.
_WORTH = 0.02


def choose_columns(
    model: IntegerModel,
    part: Part,
    lanes: int | None,
    pack: bool,
    wide_rows: frozenset[str] = frozenset(),
    rows: int = 1,
    posts: int = 1,
) -> int:
    """Return the columns of a token row: those asked for, or what the part has to spare.

    Of these a multiple of 8, which most layers can be cut by, or a power of two below; in a family
    with few multipliers, the number with which the layers take the fewest cycles. With several
    token ``rows`` it is a power of two.
    """
    if lanes is not None:
        if lanes < 1:
            raise UserError(f"lanes must be at least 1, not {lanes}")
        columns = max(1, lanes // 2) if pack and lanes > 1 else lanes
        return columns if rows == 1 else max(1, columns // rows)
    if rows > 1:
        return _of_rows(model, part, pack, wide_rows, rows, posts)
    spare = _spare(model, part, pack, wide_rows)
    most = min(spare, part.family.most_columns)
    if part.family.any_columns:
        return _best(model, most, part.family.soft_columns if pack else 0, pack)
    return most // 8 * 8 if most >= 8 else 1 << most.bit_length() - 1


def hard_columns(
    model: IntegerModel,
    part: Part,
    columns: int,
    pack: bool,
    wide_rows: frozenset[str] = frozenset(),
) -> int:
    """Return how many of the ``columns`` must be multipliers of the part.

    The others, if there are any, may be made of LUTs where they multiply short weights alone.
    """
    soft = part.family.soft_columns if pack else 0
    spare = _spare(model, part, pack, wide_rows) // 2 * 2
    return columns if columns <= spare or columns - spare > soft or not spare else spare


def _of_rows(
    model: IntegerModel,
    part: Part,
    pack: bool,
    wide_rows: frozenset[str],
    rows: int,
    posts: int,
) -> int:
    """Return the columns of each of several token rows: as many as leave LUTs for the rest.

    That is, a LayerNorm's sums are squared in LUTs where that makes room for more columns.
    """
    spare = _spare(model, part, pack, wide_rows, posts)
    norms = {model.tensors[op.reads[0]].features for op in model.operations if op.normalizes}
    if all(soft_sum(features, model.norm_bits) for features in norms):
        spare += posts * bool(model.norm_bits)
    return 1 << max(1, spare // rows).bit_length() - 1


def _spare(
    model: IntegerModel, part: Part, pack: bool, wide_rows: frozenset[str], posts: int = 1
) -> int:
    """Return the multipliers that nothing but the engine has use for."""
    post = 2 + bool(model.norm_bits)
    if squared_in_dsp(model.norm_bits):
        post += 2 if pack and not wide_rows else 1
    spare = part.dsps - posts * post
    if spare < 1:
        raise UserError(f"part {part.name} must have more than {part.dsps} DSP blocks")
    return spare


def _best(model: IntegerModel, most: int, soft: int, pack: bool) -> int:
    """Return the number of columns, ``most`` of them multipliers, that takes the fewest cycles.

    ``soft`` columns at most are of LUTs beside them. With packing, the number is even: an operation
    that is not packed needs that.
    """
    step = 2 if pack and most > 1 else 1
    hard = range(step, most + 1, step)
    counts = [(columns, columns, 0) for columns in hard]
    counts += [(hard[-1] + more, hard[-1], more) for more in range(step, soft + 1, step)]

    def value(count: tuple[int, int, int]) -> tuple[float, int]:
        columns, own, more = count
        return _cycles(model, columns, own, pack) * (1 + _WORTH * more), columns

    return min(counts, key=value)[0]


def _cycles(model: IntegerModel, columns: int, hard: int, pack: bool) -> int:
    """Return the cycles of the engine if all layers with weights use all columns, in pairs.

    What multiplies keys and values uses ``hard`` columns alone.
    """
    total = 0
    for op in model.operations:
        if not op.matrix:
            continue
        rows, outputs, length = lowering_of(op).dots(model)
        layer = op.weights_from is None
        own = columns if layer else hard
        groups = -(-outputs // (own * (2 if pack and layer else 1)))
        total += rows * ((groups - 1) * max(length, own) + length)
    return total
