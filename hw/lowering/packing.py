"""Which operations may put two products in one multiplier, proved from the actual weights."""

from dataclasses import dataclass

from bitformer.hw.families.family import Multiplier
from bitformer.model import ir

__all__ = ["MATRIX", "Packing", "choose_packing", "dynamic_bits", "macs"]

#: Operations that the matrix engine runs.
MATRIX = (ir.Linear, ir.Scores, ir.Attend, ir.Pool)


@dataclass(frozen=True, kw_only=True)
class Packing:
    """``packed`` by tensor written; ``shift`` between two weights of ``half_bits`` each.

    ``dynamic`` : keys and values, which play the weights' part, are packed too.
    """

    packed: dict[str, bool]
    dynamic: bool = False
    shift: int = 0
    half_bits: int = 0


def _kept(model: ir.IntegerModel) -> list[str]:
    """Tensors that play the weights' part."""
    names = [op.k for op in model.operations if isinstance(op, ir.Scores)]
    names += [op.v for op in model.operations if isinstance(op, ir.Attend)]
    return names + [op.x for op in model.operations if isinstance(op, ir.Pool)]


def dynamic_bits(model: ir.IntegerModel) -> int:
    """Bits of the widest tensor that plays the weights' part; 0 without one."""
    return max((model.tensors[name].bits for name in _kept(model)), default=0)


def _pairable(model: ir.IntegerModel) -> bool:
    """Whether every stored row and every head has an even number of features."""
    scores = {op.y for op in model.operations if isinstance(op, ir.Scores)}
    free = {"input", model.steps.name, model.output.name} | scores
    heads = [
        model.tensors[op.v].features // op.heads
        for op in model.operations
        if isinstance(op, ir.Attend)
    ]
    widths = [spec.features for name, spec in model.tensors.items() if name not in free]
    return all(width % 2 == 0 for width in (*widths, *heads))


def _candidate(
    model: ir.IntegerModel,
    half: int,
    dynamic: bool,
    multiplier: Multiplier,
    single: frozenset[str],
) -> Packing:
    """Packing with weights of at most ``half`` bits; with keys and values in or out."""
    # the high weight less a borrow must fit the port above the low field: a narrow one does
    wide = dynamic and any(
        model.tensors[n].bits == half and not model.tensors[n].narrow for n in _kept(model)
    )
    port = multiplier.long_bits
    shift = port - half - (1 if wide else 0)
    packed = {}
    for op in model.operations:
        if not isinstance(op, MATRIX):
            continue
        bound = op.bound(model.tensors)
        fits = bound.dot < 1 << (shift - 1) and bound.total < 1 << (port - 1)
        narrow = op.weight_bits <= half if isinstance(op, ir.Linear) else dynamic
        packed[op.y] = fits and narrow and op.y not in single
    return Packing(packed=packed, dynamic=dynamic, shift=shift, half_bits=half)


def macs(model: ir.IntegerModel, op: ir.Operation) -> int:
    y = model.tensors[op.y]
    if isinstance(op, ir.Linear):
        return y.rows * op.weight.size
    if isinstance(op, ir.Scores):
        return y.rows * y.features * model.tensors[op.q].features // op.heads
    if isinstance(op, ir.Attend):
        return y.rows * y.features * model.tensors[op.v].rows
    return y.features


def choose_packing(
    model: ir.IntegerModel,
    columns: int,
    allowed: bool,
    multiplier: Multiplier,
    single: frozenset[str] = frozenset(),
) -> Packing:
    """The provably safe packing that covers most multiply-accumulates.

    Every operation whose low sum fits its field packs, the others do not, nor those of ``single``,
    by tensor written; keys and values are laid out one way for all that reads them.
    """
    matrix = [op for op in model.operations if isinstance(op, MATRIX)]
    nothing = Packing(packed={op.y: False for op in matrix})
    if not allowed or not _pairable(model):
        return nothing
    static = {op.y for op in matrix if isinstance(op, ir.Linear)}
    bits = dynamic_bits(model)
    # a weight of one bit, -1 or 1, is multiplied as a number of two
    widths = {max(2, op.weight_bits) for op in matrix if isinstance(op, ir.Linear)} | {bits}
    best, most = nothing, 0
    for half in sorted(width for width in widths if width):
        for dynamic in (False, True):
            found = _candidate(model, half, dynamic, multiplier, single)
            if dynamic and (
                bits > half or not all(found.packed[n] for n in found.packed if n not in static)
            ):
                continue
            if columns % 2 and not all(found.packed.values()):
                continue
            gain = sum(macs(model, op) for op in matrix if found.packed[op.y])
            if gain > most:
                best, most = found, gain
    return best
