"""Chooses how the weights of a model share the words of their store."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bitformer.hw.lowering.packing import Packing
from bitformer.hw.lowering.token_rows import is_split, lane_dot
from bitformer.hw.weight_layout import WeightFormat, WeightLayout
from bitformer.model import ir

__all__ = ["MOST_FORMATS", "cycles_of", "weight_layouts"]

#: Formats of a design, at most: each is one more input of the multiplexer before a multiplier.
MOST_FORMATS = 3


def _format(op: ir.Linear, packing: Packing) -> WeightFormat:
    if packing.packed[op.y]:
        return WeightFormat.of(op.weight_bits, pair=True)
    # as wide as the pair that could not be proved safe, it needs nothing of its own
    alone = op.weight_bits != packing.half_bits
    return WeightFormat(pair=False, field=op.weight_bits * (1 if alone else 2))


def _formats(model: ir.IntegerModel, packing: Packing) -> dict[str, WeightFormat]:
    """Choose a format for each layer: its own width's, or a wider one if there are too many."""
    formats = {op.y: _format(op, packing) for op in model.linears}
    sizes = {op.y: op.weight.size for op in model.linears}
    while len(set(formats.values())) > MOST_FORMATS:
        kinds = sorted(set(formats.values()))
        merges = []
        for kind, other in itertools.combinations(kinds, 2):
            if other.pair == kind.pair:
                layers = [name for name, own in formats.items() if own == kind]
                grown = (other.bits - kind.bits) * sum(sizes[name] for name in layers)
                merges.append((grown, kind, other))
        _, kind, other = min(merges)
        formats = {name: other if own == kind else own for name, own in formats.items()}
    return formats


def cycles_of(model: ir.IntegerModel, layout: WeightLayout) -> int:
    """Return the cycles in which the engine works on layers with weights."""
    total = 0
    for op in model.linears:
        kind, y = layout.formats[op.y], model.tensors[op.y]
        columns, length = layout.columns_of(kind), op.weight.shape[1]
        groups = layout.groups(kind, y.features)
        total += y.rows * ((groups - 1) * max(length, columns) + length)
    return total


def _short(
    model: ir.IntegerModel, formats: Mapping[str, WeightFormat], half_bits: int, most: int
) -> frozenset[WeightFormat]:
    """Return the pairs that columns of LUTs can multiply: their bits are ``most`` or fewer.

    That is of their weights, times those of what they multiply.
    """
    fit = set()
    for kind in {kind for kind in formats.values() if kind.pair}:
        bits = [model.tensors[op.x].bits for op in model.linears if formats[op.y] == kind]
        if half_bits * max(bits) <= most:
            fit.add(kind)
    return frozenset(fit)


def _single(
    model: ir.IntegerModel,
    formats: Mapping[str, WeightFormat],
    packing: Packing,
    *,
    most: int,
    longest: int,
    rows: int,
) -> frozenset[WeightFormat]:
    """Return the single weights that broad columns of LUTs can multiply.

    They have ``longest`` bits or fewer, times those of what they multiply ``most`` or fewer, and
    the sums of their products fit the field of a packed operation's low sum.
    """
    found: dict[WeightFormat, bool] = {}
    for op in model.linears:
        kind = formats[op.y]
        if not kind.pair:
            bits = max(2, op.weight_bits)
            few = bits <= longest and bits * model.tensors[op.x].bits <= most
            short = lane_dot(model, op, rows) < 1 << packing.shift - 1
            found[kind] = found.get(kind, True) and few and short
    return frozenset(kind for kind, fits in found.items() if fits)


def _apart(
    formats: Mapping[str, WeightFormat], cuts: frozenset[WeightFormat]
) -> dict[str, WeightFormat]:
    """Return formats in which no single weight fills a field as one of ``cuts`` does, but a wider.

    Such a field would be in all columns, and the weight in some.
    """
    singles = sorted({kind for kind in formats.values() if not kind.pair} - cuts)
    found = {}
    for name, kind in formats.items():
        wider = (one for one in singles if one.field > kind.field)
        more = WeightFormat(pair=False, field=kind.field + 1)
        found[name] = next(wider, more) if kind in cuts else kind
    return found


def _few(model: ir.IntegerModel, layout: WeightLayout) -> WeightLayout:
    """Return a layout in which operations that gain nothing by columns of LUTs do not use them.

    Where none gains, there are none.
    """
    formats = dict(layout.formats)
    served = layout.short | layout.single
    for op in model.linears:
        few = replace(formats[op.y], few=True)
        outputs = model.tensors[op.y].features
        if formats[op.y] in served and layout.groups(few, outputs) == layout.groups(
            formats[op.y], outputs
        ):
            formats[op.y] = few
    kept = layout.single & set(formats.values())
    broad = layout.broad if kept else 0
    if any(kind in layout.short for kind in formats.values()):
        return replace(layout, formats=formats, broad=broad, single=kept)
    if broad:
        return replace(layout, formats=formats, columns=layout.hard + broad, soft=broad)
    return replace(layout, columns=layout.hard, soft=0, short=frozenset(), broad=0, single=kept)


def weight_layouts(
    model: ir.IntegerModel,
    packing: Packing,
    columns: int,
    hard: int,
    soft_bits: int = 0,
    *,
    few: bool = False,
    rows: int = 1,
    broad: int = 0,
    longest: int = 0,
) -> Iterator[WeightLayout]:
    """Yield layouts with words for all columns of a format, those with the fewest cycles first.

    With token ``rows``, a word holds the weights of all of them for each split layer.

    The columns beyond the first ``hard`` are of LUTs if some format is short enough: bits of its
    weights times those of what they multiply are ``soft_bits`` or fewer. With ``few``, an operation
    that gains nothing by them does without. ``broad`` of them multiply a single weight of
    ``longest`` bits or fewer, too, where there are such.
    """
    formats = _formats(model, packing)
    short: frozenset[WeightFormat] = frozenset()
    if hard < columns and (pairs := _short(model, formats, packing.half_bits, soft_bits)):
        whole = [kind for kind in pairs if kind.bits == packing.half_bits]
        cuts = frozenset(WeightFormat(pair=False, field=kind.field) for kind in whole)
        formats, short = _apart(formats, cuts), pairs | cuts
    soft = columns - hard if short else 0
    if not short:
        columns = hard
    single = frozenset[WeightFormat]()
    if soft and (broad := min(broad, soft)):
        single = _single(model, formats, packing, most=soft_bits, longest=longest, rows=rows)
    broad = broad if single else 0
    packed = packing.packed.values()
    even = any(packed) and not all(packed)
    least = max(kind.field for kind in formats.values()) * (2 if even else 1)

    def used(kind: WeightFormat) -> int:
        return columns - soft + (soft if kind in short else broad if kind in single else 0)

    if rows > 1:
        own = {formats[op.y] for op in model.linears if is_split(model, op)}
        least = max([least, *(rows * used(kind) * kind.field for kind in own)])
    layouts = {
        bits: WeightLayout(
            bits=bits,
            columns=columns,
            formats=formats,
            half_bits=packing.half_bits,
            even=even,
            soft=soft,
            short=short,
            broad=broad,
            single=single,
        )
        for bits in (max(least, used(kind) * kind.field) for kind in formats.values())
    }
    found = [_few(model, one) for one in layouts.values()] if few and soft else layouts.values()
    yield from sorted(found, key=lambda lay: (cycles_of(model, lay), lay.bits))
