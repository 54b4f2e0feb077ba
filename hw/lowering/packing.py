"""Which operations may put two products in one multiplier, proved from the actual weights."""

import itertools
from dataclasses import dataclass

import numpy as np

from bitformer.hw.families.family import Multiplier
from bitformer.hw.lowering.batch import Batch
from bitformer.model.ir import Attend, IntegerModel
from bitformer.model.numerics import bit_length

__all__ = ["Packing", "Packings", "choose_packing", "product_bits"]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """``packed`` by tensor written; ``shift`` between two weights of ``half_bits`` each.

    ``dynamic`` : keys and values, which are multiplied in the place of weights, are packed too.
    ``apart`` : the two sums are kept apart, the low one with ``extension`` bits above ``shift``.
    ``halves`` : a half of a multiplier makes each product, and the low one is that of an operation
    that is not packed.
    """

    packed: dict[str, bool]
    dynamic: bool = False
    shift: int = 0
    half_bits: int = 0
    apart: bool = False
    extension: int = 0
    halves: bool = False


@dataclass(frozen=True, kw_only=True)
class Packings:
    """The packing of each model of a batch.

    ``names`` : tensors that the matrix operations write. ``packed`` : bool [models, operations].
    ``dynamic``, ``apart`` and ``halves`` : bool, ``shift``, ``half_bits`` and ``extension`` :
    integers, [models]; as in :class:`Packing`. No model has sums apart where ``apart`` is None.
    """

    names: tuple[str, ...]
    packed: np.ndarray
    dynamic: np.ndarray
    shift: np.ndarray
    half_bits: np.ndarray
    apart: np.ndarray | None = None
    extension: np.ndarray | None = None
    halves: np.ndarray | None = None

    def __getitem__(self, number: int) -> Packing:
        """Return one model's."""
        return Packing(
            packed=dict(zip(self.names, self.packed[number].tolist(), strict=True)),
            dynamic=bool(self.dynamic[number]),
            shift=int(self.shift[number]),
            half_bits=int(self.half_bits[number]),
            apart=self.apart is not None and bool(self.apart[number]),
            extension=0 if self.extension is None else int(self.extension[number]),
            halves=self.halves is not None and bool(self.halves[number]),
        )


def product_bits(
    dots: np.ndarray, packed: np.ndarray, shift: np.ndarray | int, *, apart: bool = False
) -> np.ndarray:
    """Return the bits of an accumulator whose dot products are at most ``dots``.

    A packed one has the other product ``shift`` bits higher, and takes a borrow from it, unless the
    sums are kept ``apart``.
    """
    return bit_length(dots) + 1 + np.where(packed, np.asarray(shift) + (not apart), 0)


def _pairable(model: IntegerModel) -> bool:
    """Return True if every stored row and every head has an even number of features.

    But for rows that are read an element a word: logits, and what is read by columns alone.
    """
    attends = [op for op in model.operations if isinstance(op, Attend)]
    free = {"input", model.steps.name, model.results.name, model.output.name}
    free |= {op.scores for op in attends}
    columns = {op.x for op in model.linears if op.transposed}
    rows = {op.x for op in model.linears if not op.transposed}
    rows |= {name for op in model.operations for name in op.requantizer_reads}
    free |= columns - rows - set(Batch.of(model).kept)
    widths = [spec.features for name, spec in model.tensors.items() if name not in free]
    widths += [model.tensors[op.y].features // op.heads for op in attends]
    return all(width % 2 == 0 for width in widths)


def _short(batch: Batch, bits: int) -> np.ndarray:
    """Return of each model whether all that it multiplies has so many bits, with a sign.

    The exponentials of a softmax have 9.
    """
    widest = np.maximum(batch.weight_widths, batch.operand_bits)
    return (widest <= bits).all(axis=1)


def _many(found: np.ndarray, gains: np.ndarray, multiplier: Multiplier) -> np.ndarray | bool:
    """Return whether so much is packed that it is worth an even number of columns.

    Where multipliers are few, an odd number or two more without packing may be better else.
    """
    return not multiplier.apart or 2 * (found @ gains) >= gains.sum()


def choose_packing(
    batch: Batch,
    columns: int,
    allowed: bool,
    multiplier: Multiplier,
    single: frozenset[str] = frozenset(),
) -> Packings:
    """Return the provably safe packing that covers most multiply-accumulates of each model.

    Every operation whose low sum fits its field packs, the others do not, nor those of ``single``,
    by tensor written; keys and values are laid out one way for all that reads them. With an odd
    number of ``columns``, all operations pack or none. Where the multiplier allows it, and more is
    packed then, the sums are kept apart: a single product must fit the low field, and sums are as
    long as they are. What columns of LUTs can multiply, too, counts half as much again.
    """
    port = multiplier.long_bits
    model, operations = batch.first, batch.matrix_operations
    none = np.zeros(len(batch), dtype=np.int64)
    packed = np.zeros((len(batch), len(operations)), dtype=bool)
    dynamic, shift, half_bits = none.astype(bool), none.copy(), none.copy()
    most, apart, extension = none.copy(), none.astype(bool), none.copy()
    own = np.array([op.weights_from is None for op in operations])
    keys = batch.tensor_values(batch.kept)
    # a weight of one bit, -1 or 1, is multiplied as a number of two
    widths = np.where(own, np.maximum(2, batch.weight_widths), batch.dynamic_bits[:, None])
    halves = np.unique(widths) if allowed and _pairable(model) else ()
    may = np.array([op.y not in single for op in operations])
    broad = batch.tensor_values(batch.kept, "narrow") == 0
    gains = np.array([op.macs(model.tensors) for op in operations])
    operands = batch.operand_bits
    dots, totals = batch.bounds[..., 0], batch.bounds[..., 1]
    sums = (False, True) if multiplier.apart else (False,)
    for half, keys_too, kept in itertools.product(halves, (False, True), sums):
        # the high weight less a borrow must fit the port above the low field: a narrow one does
        distance = port - half - (keys_too & (broad & (keys == half)).any(axis=1))
        # what meets below the high sum, and the multiplicand of one way
        low = batch.terms if kept else dots
        fits = (low < 1 << (distance - 1)[:, None]) & (totals < 1 << (port - 1))
        found = fits & may & np.where(own, widths <= half, keys_too)
        possible = (widths == half).any(axis=1)
        if keys_too:
            possible &= (batch.dynamic_bits <= half) & (found | own).all(axis=1)
        if columns % 2:
            possible &= found.all(axis=1)
        possible &= _many(found, gains, multiplier)
        soft = own & (half * operands <= multiplier.soft)
        gain = np.where(possible, (found * (2 + soft)) @ gains, 0)
        better = gain > most
        most[better], packed[better], half_bits[better] = gain[better], found[better], half
        dynamic[better], shift[better], apart[better] = keys_too, distance[better], kept
        longest = np.where(found, bit_length(dots) + 1, 0).max(axis=1)
        extension[better] = (np.maximum(0, longest - distance) * kept)[better]
    own_mode = np.zeros(len(batch), dtype=bool)
    if len(halves) and multiplier.half_bits:
        # all operations are of the one mode, each with one product or both
        half, short = widths.max(axis=1), _short(batch, multiplier.half_bits)
        found = (totals < 1 << (port - 1)) & may & (own | short[:, None])
        every = (found | own).all(axis=1)
        found &= own | every[:, None]
        if columns % 2:
            short &= found.all(axis=1)
        short &= _many(found, gains, multiplier)
        better = np.where(short, (found * 2) @ gains, 0) > most
        packed[better], half_bits[better], apart[better] = found[better], half[better], True
        dynamic[better] = (every & bool(len(batch.kept)))[better]
        shift[better] = (bit_length(dots).max(axis=1) + 1)[better]
        extension[better], own_mode[better] = 0, True
    names = tuple(op.y for op in operations)
    return Packings(
        names=names,
        packed=packed,
        dynamic=dynamic,
        shift=shift,
        half_bits=half_bits,
        apart=apart,
        extension=extension,
        halves=own_mode,
    )
