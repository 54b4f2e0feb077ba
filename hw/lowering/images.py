"""Contents of the ROMs: weights by columns, biases and multipliers by channels, positions."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bitformer.hw.design import Geometry
from bitformer.hw.lowering.batch import Batch
from bitformer.hw.weight_layout import WeightLayout
from bitformer.model.ir import IntegerModel
from bitformer.model.numerics import bit_length
from bitformer.model.operations import Linear, Operation

__all__ = [
    "field_bits",
    "is_uniform",
    "pack_elements",
    "parameter_table",
    "parameter_words",
    "part_words",
    "position_words",
    "weight_words",
]


def pack_elements(values: Sequence[int], bits: int) -> int:
    """Return two's complement elements side by side, the first lowest."""
    mask = (1 << bits) - 1
    return sum((int(value) & mask) << (bits * place) for place, value in enumerate(values))


def _planes(values: np.ndarray, bits: int) -> np.ndarray:
    """Return the lowest bits of two's complement numbers: [..., bits], the lowest first."""
    return (values[..., None] >> np.arange(bits)) & 1


def _words(planes: np.ndarray) -> list[int]:
    """Return a word for each row of bits, whatever the shape of a row, the lowest first."""
    flat = planes.reshape(len(planes), -1).astype(np.uint8)
    packed = np.packbits(flat, axis=1, bitorder="little")
    return [int.from_bytes(word.tobytes(), "little") for word in packed]


def _by_lanes(weight: np.ndarray, features: int, lanes: int, parts: int) -> np.ndarray:
    """Return weights [..., terms] in the order of a split operation: term by term, lane by lane.

    Rows of ``features`` terms lie in ``lanes`` in turn; those that are missing have zeros, as have
    lanes up to ``parts``.
    """
    rows = -(-weight.shape[-1] // (features * lanes)) * lanes
    pad = [(0, 0)] * (weight.ndim - 1)
    weight = np.pad(weight, [*pad, (0, rows * features - weight.shape[-1])])
    by_lane = weight.reshape(*weight.shape[:-1], -1, lanes, features)
    by_lane = np.pad(by_lane, [*pad, (0, 0), (0, parts - lanes), (0, 0)])
    return by_lane.swapaxes(-1, -2).reshape(*weight.shape[:-1], -1)


def weight_words(
    linears: Iterable[Linear],
    layout: WeightLayout,
    split: Mapping[str, int] | None = None,
    lanes: int = 1,
) -> tuple[list[int], dict[str, int]]:
    """Return words with the parts of each layer, and the address where each layer begins.

    Parts of words follow group by group of outputs, and input by input; those of a layer's second
    set of weights after those of its first. Of ``split`` layers a word has those of an input of
    each of ``lanes``, which have rows of so many inputs in turn.
    """
    words: list[int] = []
    bases: dict[str, int] = {}
    for op in linears:
        bases[op.y] = len(words) * layout.units
        kind, weight = layout.formats[op.y], op.weight
        if kind.bits == 1:
            weight = (weight < 0).astype(np.int64)
        outputs, together = len(weight) // op.parts, 2 if kind.pair else 1
        groups = layout.groups(kind, outputs)
        per_group = layout.columns_of(kind) * together
        weight = weight.reshape(op.parts, outputs, -1)
        weight = np.pad(weight, ((0, 0), (0, groups * per_group - outputs), (0, 0)))
        if split and op.y in split:
            weight = _by_lanes(weight, split[op.y], lanes, layout.parts(kind))
        groups *= op.parts
        parts = weight.reshape(groups, per_group, -1).swapaxes(1, 2).reshape(-1, per_group)
        parts = np.pad(parts, ((0, -len(parts) % layout.parts(kind)), (0, 0)))
        rows = parts.reshape(-1, layout.parts(kind) * per_group)
        words += _words(_planes(rows, kind.bits))
    return words, bases


def field_bits(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the bits of the smallest signed fields that hold ``low`` and ``high``."""
    return bit_length(np.maximum(high, ~low)) + 1


def is_uniform(op: Operation) -> bool:
    """Return True if the results of all channels have one fixed multiplier."""
    return op.matrix and op.multipliers is not None and bool(np.ptp(op.multipliers) == 0)


def parameter_table(op: Operation, *, immediate: bool = True) -> np.ndarray:
    """Return the (value, factor) of each feature [features, 2], at the operation's own shift.

    Of a table, those of each row: [rows, features, 2]. A layer in parts has a set of features for
    each: [..., parts, features, 2]. The factor is 0 where ``immediate`` makes a uniform one a
    constant of the hardware instead.
    """
    table = np.stack(np.broadcast_arrays(*op.parameters or ()), axis=-1)
    return table * [1, 0] if immediate and is_uniform(op) else table


def part_words(tensor: str, features: int, geometry: Geometry) -> int:
    """Return the words of parameters that a row of so many results has."""
    words = -(-features // geometry.ways)
    return words * geometry.ways if tensor in geometry.wide else words


def parameter_words(
    tables: Mapping[str, np.ndarray], geometry: Geometry, clocks: Mapping[str, int]
) -> tuple[list[int], dict[str, int], tuple[int, int], tuple[int, ...]]:
    """Return words of ``ways`` channels, where each layer begins, and bits of value and factor.

    ``tables`` hold (value, factor) of each channel, by tensor, or those of each row that the
    number in ``clocks`` selects. All tables of one number have their rows side by side: the last
    result is how many words lie from one row to the next, by number. A word of a wide operation has
    one channel, whose value takes the fields of both ways.
    """
    halved = geometry.wide if geometry.ways > 1 else frozenset()
    widths = np.ones((1, 2), dtype=np.int64)
    for tensor, table in tables.items():
        every = table.reshape(-1, 2)
        own = field_bits(every.min(axis=0, initial=0), every.max(axis=0, initial=0))
        own[0] = -(-own[0] // 2) if tensor in halved else own[0]
        widths = np.maximum(widths, own)
    value_bits, factor_bits = widths[0].tolist()

    def words_of(tensor: str, table: np.ndarray) -> list[int]:
        table = table.reshape(-1, *table.shape[-2:])  # of each part
        table = np.pad(table, ((0, 0), (0, -table.shape[1] % geometry.ways), (0, 0))).reshape(-1, 2)
        if tensor in halved:
            # a value over both fields, its factor in both
            table = np.repeat(table[:, None], 2, axis=1)
            table[:, 1, 0] >>= value_bits
        value, factor = table.reshape(-1, geometry.ways, 2).transpose(2, 0, 1)
        fields = [_planes(value, value_bits), _planes(factor, factor_bits)]
        return _words(np.concatenate(fields, axis=-1))

    words: list[int] = []
    bases: dict[str, int] = {}
    for tensor, table in tables.items():
        if tensor not in clocks:
            bases[tensor] = len(words)
            words += words_of(tensor, table)
    strides = []
    for number in range(1 + max(clocks.values(), default=-1)):
        first = len(words)
        together = {
            tensor: tables[tensor] for tensor, selects in clocks.items() if selects == number
        }
        for row in zip(*together.values(), strict=True):
            for tensor, channels in zip(together, row, strict=True):
                bases.setdefault(tensor, len(words))
                words += words_of(tensor, channels)
        rows = max((len(table) for table in together.values()), default=1)
        strides.append((len(words) - first) // rows)
    return words, bases, (value_bits, factor_bits), tuple(strides)


def position_words(
    model: IntegerModel, geometry: Geometry
) -> tuple[list[int], dict[tuple[str, int], int], int]:
    """Return tables of positions, the word of each row, and the bits of an element.

    A word has ``ways`` elements of each of the token rows.
    """
    bits, lanes = int(Batch.of(model).position_bits[0]), geometry.rows
    words: list[int] = []
    places: dict[tuple[str, int], int] = {}
    for name, table in model.constants.items():
        padded = np.pad(table, ((0, -len(table) % lanes), (0, -table.shape[1] % geometry.ways)))
        blocks = padded.reshape(len(padded) // lanes, lanes, -1, geometry.ways)
        for number, block in enumerate(blocks.swapaxes(1, 2)):
            places |= {(name, number * lanes + lane): len(words) for lane in range(lanes)}
            words += _words(_planes(block, bits))
    return words, places, bits
