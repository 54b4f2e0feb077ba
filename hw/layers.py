"""Turns each operation of the integer model into operations and rows of the accelerator."""

from dataclasses import dataclass, field, replace

import numpy as np

from bitformer.model import ir

from .program import Addend, Destination, Factor, Operation, Source
from .schedule import Read, Row, Stage

__all__ = ["Layout", "Lowered", "lower_operation"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a layer must know of the engine: columns, results a cycle, packing of each tensor."""

    columns: int
    ways: int
    packed: dict[str, bool]
    dynamic_packed: bool
    shifts: dict[str, int]
    destination: dict[str, Destination]

    def per_group(self, tensor: str) -> int:
        """Outputs of one group of columns."""
        return self.columns * (2 if self.packed[tensor] else 1)

    @property
    def dynamic_slots(self) -> int:
        return self.columns * (2 if self.dynamic_packed else 1)

    def words(self, features: int) -> int:
        """Words of a row in the activation store."""
        return -(-features // self.ways)


@dataclass(kw_only=True)
class Lowered:
    """Stages of one IR operation, with the ROM words it needs."""

    stages: list[Stage] = field(default_factory=list)
    weights: np.ndarray | None = None
    parameters: np.ndarray | None = None


def _columns(layout: Layout, tensor: str, outputs: int) -> tuple[int, int]:
    """Groups, and columns of the last group, for ``outputs`` results."""
    per_group = layout.per_group(tensor)
    groups = -(-outputs // per_group)
    rest = outputs - (groups - 1) * per_group
    return groups, -(-rest // (2 if layout.packed[tensor] else 1))


def _pitch(length: int, groups: int, columns: int) -> int:
    return max(length, columns) if groups > 1 else length


def _clamped(operation: Operation, spec: ir.Tensor, relu: bool = False) -> Operation:
    """The operation with its tensor's zero point and limits."""
    low = max(spec.low, spec.zero) if relu else spec.low
    return replace(operation, zero=spec.zero, low=low, high=spec.high)


def _scaled(layout: Layout, tensor: str, shift: int) -> tuple[int, int]:
    """Power of two that brings the operation to its common shift, and that shift."""
    target = layout.shifts[tensor]
    return target - shift, target


def _power(values: np.ndarray, power: int) -> np.ndarray:
    return values << power if power >= 0 else values >> -power


def _linear(model: ir.IntegerModel, op: ir.Linear, layout: Layout, rank: int) -> Lowered:
    x, y = model.tensors[op.x], model.tensors[op.y]
    groups, last = _columns(layout, op.y, y.features)
    length = op.weight.shape[1]
    power, shift = _scaled(layout, op.y, op.shift)
    multiplier = _power(op.multiplier, power)
    uniform = bool((multiplier == multiplier[0]).all())
    addend, addend_shift, reads = Addend.NONE, 0, []
    if op.residual is not None:
        addend_shift = op.residual.shift + power
        if op.residual.channel is not None:
            addend = Addend.LAST
        elif op.residual.source in model.constants:
            addend = Addend.POSITION
        else:
            addend = Addend.ACTIVATION
    from_input = op.x in ("input", "delta")
    destination = layout.destination[op.y]
    base = _clamped(
        Operation(
            tensor=op.y,
            matrix=True,
            source=Source.INPUT if from_input else Source.ACTIVATION,
            length=length,
            pitch=_pitch(length, groups, layout.columns),
            groups=groups,
            last_columns=last,
            packed=layout.packed[op.y],
            weight_group=length,
            wait_input=from_input,
            wait_output=destination is Destination.OUTPUT,
            bias=True,
            factor=Factor.IMMEDIATE if uniform else Factor.PARAMETER,
            multiplier=int(multiplier[0]) if uniform else 0,
            shift=shift,
            addend=addend,
            addend_shift=addend_shift,
            destination=destination,
            statistics=_feeds_layer_norm(model, op.y),
            odd=bool(y.features % layout.ways),
        ),
        y,
        op.relu,
    )
    rows = []
    for row in range(y.rows):
        operation = base
        if from_input and row == y.rows - 1:
            operation = replace(base, release_input=True)
        reads = [] if from_input else _activation_reads(model, op, row, length)
        if addend is Addend.ACTIVATION and op.residual is not None:
            reads.append(Read(tensor=op.residual.source, row=row, post=True))
        needed = 0
        if from_input:
            needed = x.rows * x.features if op.x == "delta" else (row + 1) * length
        rows.append(
            Row(
                operation=operation,
                tensor=op.y,
                row=row,
                first=0,
                features=y.features,
                reads=tuple(reads),
                needed_inputs=needed,
            )
        )
    return Lowered(
        stages=[Stage(name=op.y, rank=rank, rows=tuple(rows))],
        weights=op.weight,
        parameters=np.stack([op.bias, multiplier], axis=1),
    )


def _activation_reads(model: ir.IntegerModel, op: ir.Linear, row: int, length: int) -> list[Read]:
    """The rows of ``x`` that row ``row`` of a linear layer reads: one, or all for a flat view."""
    if length == model.tensors[op.x].features:
        return [Read(tensor=op.x, row=row)]
    return [Read(tensor=op.x, whole=True)]


def _feeds_layer_norm(model: ir.IntegerModel, tensor: str) -> bool:
    return any(isinstance(op, ir.LayerNorm) and op.x == tensor for op in model.operations)


def _scores(model: ir.IntegerModel, op: ir.Scores, layout: Layout, rank: int) -> Lowered:
    q, y = model.tensors[op.q], model.tensors[op.y]
    length = q.features // op.heads
    groups, last = _columns(layout, op.y, y.features)
    power, shift = _scaled(layout, op.y, op.shift)
    rows = []
    for row in range(y.rows):
        token, head = divmod(row, op.heads)
        operation = _clamped(
            Operation(
                tensor=op.y,
                matrix=True,
                length=length,
                pitch=_pitch(length, groups, layout.columns),
                groups=groups,
                last_columns=last,
                packed=layout.packed[op.y],
                dynamic=True,
                weight_base=head * length,
                weight_group=q.features,
                multiplier=op.multiplier << power if power >= 0 else op.multiplier >> -power,
                shift=shift,
                destination=Destination.SCORE,
                odd=bool(y.features % layout.ways),
            ),
            y,
        )
        reads = (Read(tensor=op.q, row=token), Read(tensor=op.k, whole=True))
        rows.append(
            Row(
                operation=operation,
                tensor=op.y,
                row=row,
                first=0,
                features=y.features,
                reads=reads,
            )
        )
    return Lowered(stages=[Stage(name=op.y, rank=rank, rows=tuple(rows))])


def _pieces(layout: Layout, first: int, features: int) -> list[tuple[int, int]]:
    """A head's features as (start, count), each inside one word of values or of whole words."""
    slots = layout.dynamic_slots
    if first % slots == 0 and features % slots == 0:
        return [(first, features)]
    pieces = []
    while features:
        count = min(features, slots - first % slots)
        pieces.append((first, count))
        first, features = first + count, features - count
    return pieces


def _attend(model: ir.IntegerModel, op: ir.Attend, layout: Layout, rank: int) -> Lowered:
    v, y = model.tensors[op.v], model.tensors[op.y]
    size, slots = v.features // op.heads, layout.dynamic_slots
    per_column = 2 if layout.packed[op.y] else 1
    _, shift = _scaled(layout, op.y, op.shift)
    rows = []
    for token in range(y.rows):
        for head in range(op.heads):
            pieces = _pieces(layout, head * size, size)
            for first, count in pieces:
                groups = -(-count // slots)
                skip = first % slots // per_column
                begins, completes = first == 0, first + count == y.features
                operation = _clamped(
                    Operation(
                        tensor=op.y,
                        matrix=True,
                        source=Source.SCORE,
                        length=v.rows,
                        pitch=_pitch(v.rows, groups, layout.columns),
                        groups=groups,
                        last_columns=skip + -(-(count - (groups - 1) * slots) // per_column),
                        skip=skip,
                        packed=layout.packed[op.y],
                        dynamic=True,
                        weight_base=first // slots,
                        weight_step=-(-v.features // slots),
                        weight_group=1,
                        factor=Factor.RECIPROCAL,
                        shift=shift,
                        destination=layout.destination[op.y],
                        odd=bool(count % layout.ways),
                    ),
                    y,
                )
                rows.append(
                    Row(
                        operation=operation,
                        tensor=op.y,
                        row=token,
                        first=first,
                        features=count,
                        begins=begins,
                        completes=completes,
                        reads=(
                            Read(tensor=op.scores, row=token * op.heads + head),
                            Read(tensor=op.v, whole=True),
                        ),
                    )
                )
    return Lowered(stages=[Stage(name=op.y, rank=rank, rows=tuple(rows))])


def _pool(model: ir.IntegerModel, op: ir.Pool, layout: Layout, rank: int) -> Lowered:
    x, y = model.tensors[op.x], model.tensors[op.y]
    groups, last = _columns(layout, op.y, y.features)
    power, shift = _scaled(layout, op.y, op.shift)
    operation = _clamped(
        Operation(
            tensor=op.y,
            matrix=True,
            source=Source.ONE,
            length=x.rows,
            pitch=_pitch(x.rows, groups, layout.columns),
            groups=groups,
            last_columns=last,
            packed=layout.packed[op.y],
            dynamic=True,
            weight_step=-(-x.features // layout.dynamic_slots),
            weight_group=1,
            multiplier=op.multiplier << power if power >= 0 else op.multiplier >> -power,
            shift=shift,
            destination=layout.destination[op.y],
            odd=bool(y.features % layout.ways),
        ),
        y,
    )
    row = Row(
        operation=operation,
        tensor=op.y,
        row=0,
        first=0,
        features=y.features,
        reads=(Read(tensor=op.x, whole=True),),
    )
    return Lowered(stages=[Stage(name=op.y, rank=rank, rows=(row,))])


def _norm(
    model: ir.IntegerModel, op: ir.Affine | ir.LayerNorm, layout: Layout, rank: int
) -> Lowered:
    y = model.tensors[op.y]
    power, shift = _scaled(layout, op.y, op.shift)
    if isinstance(op, ir.Affine):
        values, factors = op.offset, _power(op.multiplier, power)
        offset_shift, factor = op.offset_shift + power, Factor.PARAMETER
    else:
        values, factors = op.beta, _power(op.gamma, power)
        offset_shift, factor = op.beta_shift + power, Factor.NORM
    operation = _clamped(
        Operation(
            tensor=op.y,
            slots=layout.words(y.features),
            factor=factor,
            shift=shift,
            addend=Addend.PARAMETER,
            addend_shift=offset_shift,
            destination=layout.destination[op.y],
            normalize=isinstance(op, ir.LayerNorm),
            odd=bool(y.features % layout.ways),
        ),
        y,
    )
    rows = tuple(
        Row(
            operation=operation,
            tensor=op.y,
            row=row,
            first=0,
            features=y.features,
            reads=(Read(tensor=op.x, row=row, post=True),),
        )
        for row in range(y.rows)
    )
    return Lowered(
        stages=[Stage(name=op.y, rank=rank, rows=rows)],
        parameters=np.stack([values, factors], axis=1),
    )


def lower_operation(model: ir.IntegerModel, op: ir.Operation, layout: Layout, rank: int) -> Lowered:
    """Stages, weights and parameters of one IR operation."""
    if isinstance(op, ir.SubtractLast):
        return Lowered()
    if isinstance(op, ir.Linear):
        return _linear(model, op, layout, rank)
    if isinstance(op, ir.Scores):
        return _scores(model, op, layout, rank)
    if isinstance(op, ir.Attend):
        return _attend(model, op, layout, rank)
    if isinstance(op, ir.Pool):
        return _pool(model, op, layout, rank)
    if isinstance(op, (ir.Affine, ir.LayerNorm)):
        return _norm(model, op, layout, rank)
    raise TypeError(f"An operation of the IR must be given, not {type(op).__name__}")
