"""Turns each operation of the integer model into operations and rows of the accelerator."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bitformer.hw.program import Addend, Destination, Factor, Operation, Source
from bitformer.hw.timetable import Read, Row, Stage
from bitformer.hw.weight_layout import WeightLayout
from bitformer.model import ir
from bitformer.model.errors import UserError

__all__ = ["Layout", "Lowered", "is_flat", "lower_operation"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a layer must know of the engine: columns, results a cycle, packing of each tensor."""

    columns: int
    ways: int
    weights: WeightLayout
    wide: frozenset[str]
    wide_rows: frozenset[str]
    packed: dict[str, bool]
    dynamic_packed: bool
    shifts: dict[str, int]
    destination: dict[str, Destination]
    immediate: bool = True

    def per_column(self, tensor: str) -> int:
        """Outputs of one column."""
        return 2 if self.packed[tensor] else 1

    def columns_of(self, tensor: str) -> int:
        """Columns that the operation uses: those for which a weight word has a field."""
        kind = self.weights.formats.get(tensor)
        return self.columns if kind is None else self.weights.columns_of(kind)

    def per_group(self, tensor: str) -> int:
        """Outputs of one group of columns."""
        return self.columns_of(tensor) * self.per_column(tensor)

    @property
    def dynamic_slots(self) -> int:
        return self.columns * (2 if self.dynamic_packed else 1)

    def words(self, spec: ir.Tensor) -> int:
        """Words of a row in the activation store."""
        return spec.features if spec.name in self.wide_rows else -(-spec.features // self.ways)


@dataclass(kw_only=True)
class Lowered:
    """Stages of one IR operation, with the ROM words it needs."""

    stages: list[Stage] = field(default_factory=list)
    weights: np.ndarray | None = None
    parameters: np.ndarray | None = None


def _result(model: ir.IntegerModel, op: ir.Operation, layout: Layout, outputs: int) -> dict:
    """Fields of an operation that its tensor decides, for ``outputs`` results a row."""
    y = model.tensors[op.y]
    return {
        "tensor": op.y,
        "shift": layout.shifts[op.y],
        "destination": layout.destination[op.y],
        "odd": bool(outputs % layout.ways),
        "zero": y.zero,
        "low": y.low,
        "high": y.high,
        "wide": op.y in layout.wide,
        "wide_y": op.y in layout.wide_rows,
    }


def _matrix(
    model: ir.IntegerModel,
    op: ir.Operation,
    layout: Layout,
    *,
    outputs: int,
    length: int,
    skip: int = 0,
    **fields: Any,
) -> Operation:
    """Dot products of ``length`` terms for ``outputs`` results, from column ``skip`` on."""
    per_column, per_group = layout.per_column(op.y), layout.per_group(op.y)
    columns = layout.columns_of(op.y)
    groups = -(-outputs // per_group)
    rest = outputs - (groups - 1) * per_group
    return Operation(
        **_result(model, op, layout, outputs) | fields,
        matrix=True,
        length=length,
        pitch=max(length, columns) if groups > 1 else length,
        groups=groups,
        columns=columns,
        last_columns=skip + -(-rest // per_column),
        skip=skip,
        packed=layout.packed[op.y],
    )


def _power(layout: Layout, op, values):
    """``values`` times the power of two that brings the operation to its common shift."""
    power = layout.shifts[op.y] - op.shift
    return values << power if power >= 0 else values >> -power


def is_flat(model: ir.IntegerModel, op: ir.Linear) -> bool:
    """Whether a row of ``op`` is no row of its input, but a part of the flat view of all rows."""
    features = model.tensors[op.x].features
    return op.weight.shape[1] != features or op.start % features != 0


def _addend(model: ir.IntegerModel, op: ir.Linear) -> Addend:
    if op.residual is None:
        return Addend.NONE
    if op.residual.channel is not None:
        return Addend.LAST
    return Addend.POSITION if op.residual.source in model.constants else Addend.ACTIVATION


def _linear(model: ir.IntegerModel, op: ir.Linear, layout: Layout, rank: int) -> Lowered:
    x, y = model.tensors[op.x], model.tensors[op.y]
    length = op.weight.shape[1]
    subtracted = op.x == model.steps.name != "input"
    if subtracted and (op.start % x.features or length % x.features):
        # the last value to subtract is counted channel by channel from a row's beginning
        raise UserError(f"rows of {op.y} must be whole steps of {x.features} input(s)")
    multiplier = _power(layout, op, op.multiplier)
    uniform = layout.immediate and bool((multiplier == multiplier[0]).all())
    addend, from_input = _addend(model, op), op.x == model.steps.name
    power = layout.shifts[op.y] - op.shift
    kind = layout.weights.formats[op.y]
    step = layout.weights.step(kind)
    base = _matrix(
        model,
        op,
        layout,
        outputs=y.features,
        length=length,
        source=Source.INPUT if from_input else Source.ACTIVATION,
        weight_step=step,
        weight_group=length * step,
        wide_x=op.x in layout.wide_rows,
        wide_r=addend is Addend.ACTIVATION and op.reads[-1] in layout.wide_rows,
        weight_format=layout.weights.kinds.index(layout.weights.cut(kind)),
        wait_input=from_input,
        bias=True,
        factor=Factor.IMMEDIATE if uniform else Factor.PARAMETER,
        multiplier=int(multiplier[0]) if uniform else 0,
        addend=addend,
        addend_shift=op.residual.shift + power if op.residual is not None else 0,
        statistics=_feeds_layer_norm(model, op.y),
        low=max(y.low, y.zero) if op.relu else y.low,
    )
    rows = []
    for row in range(y.rows):
        reads, needed = [], 0
        if from_input:
            needed = op.start + (row + 1) * length
            needed = x.size if model.whole_window else needed
        elif is_flat(model, op):
            reads.append(Read(tensor=op.x, rows=x.rows))
        else:
            reads.append(Read(tensor=op.x, row=op.start // x.features + row))
        if addend is Addend.ACTIVATION and op.residual is not None:
            reads.append(Read(tensor=op.residual.source, row=row, post=True))
        # the output has room for all rows or for none
        waits = row == 0 and base.destination is Destination.OUTPUT
        rows.append(
            Row(
                operation=replace(base, wait_output=waits),
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


def _feeds_layer_norm(model: ir.IntegerModel, tensor: str) -> bool:
    return any(isinstance(op, ir.LayerNorm) and op.x == tensor for op in model.operations)


def _keys(model: ir.IntegerModel, op: ir.Scores | ir.Attend, token: int) -> int:
    """Keys that a row of attention sees: what is masked is not computed."""
    if op.causal:
        return token + 1
    return model.tensors[op.k if isinstance(op, ir.Scores) else op.v].rows


def _scores(model: ir.IntegerModel, op: ir.Scores, layout: Layout, rank: int) -> Lowered:
    q, y = model.tensors[op.q], model.tensors[op.y]
    length = q.features // op.heads
    rows = []
    for row in range(y.rows):
        token, head = divmod(row, op.heads)
        keys = _keys(model, op, token)
        operation = _matrix(
            model,
            op,
            layout,
            outputs=keys,
            length=length,
            dynamic=True,
            wide_x=op.q in layout.wide_rows,
            weight_base=head * length,
            weight_group=q.features,
            multiplier=_power(layout, op, op.multiplier),
        )
        rows.append(
            Row(
                operation=operation,
                tensor=op.y,
                row=row,
                first=0,
                features=keys,
                reads=(Read(tensor=op.q, row=token), Read(tensor=op.k, rows=keys)),
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
    rows = []
    for row in range(y.rows * op.heads):
        token, head = divmod(row, op.heads)
        keys = _keys(model, op, token)
        for first, count in _pieces(layout, head * size, size):
            operation = _matrix(
                model,
                op,
                layout,
                outputs=count,
                length=keys,
                skip=first % slots // layout.per_column(op.y),
                source=Source.SCORE,
                dynamic=True,
                weight_base=first // slots,
                weight_step=-(-v.features // slots),
                weight_group=1,
                factor=Factor.RECIPROCAL,
            )
            rows.append(
                Row(
                    operation=operation,
                    tensor=op.y,
                    row=token,
                    first=first,
                    features=count,
                    begins=first == 0,
                    completes=first + count == y.features,
                    reads=(Read(tensor=op.scores, row=row), Read(tensor=op.v, rows=keys)),
                )
            )
    return Lowered(stages=[Stage(name=op.y, rank=rank, rows=tuple(rows))])


def _pool(model: ir.IntegerModel, op: ir.Pool, layout: Layout, rank: int) -> Lowered:
    x, y = model.tensors[op.x], model.tensors[op.y]
    operation = _matrix(
        model,
        op,
        layout,
        outputs=y.features,
        length=x.rows,
        source=Source.ONE,
        dynamic=True,
        weight_step=-(-x.features // layout.dynamic_slots),
        weight_group=1,
        multiplier=_power(layout, op, op.multiplier),
    )
    row = Row(
        operation=operation,
        tensor=op.y,
        row=0,
        first=0,
        features=y.features,
        reads=(Read(tensor=op.x, rows=x.rows),),
    )
    return Lowered(stages=[Stage(name=op.y, rank=rank, rows=(row,))])


def _norm(
    model: ir.IntegerModel, op: ir.Affine | ir.LayerNorm, layout: Layout, rank: int
) -> Lowered:
    y = model.tensors[op.y]
    if isinstance(op, ir.Affine):
        values, factors = op.offset, _power(layout, op, op.multiplier)
        offset_shift, factor = op.offset_shift, Factor.PARAMETER
    else:
        values, factors = op.beta, op.gamma  # a wider row's shift is in its exponent
        offset_shift, factor = op.beta_shift, Factor.NORM
    operation = Operation(
        **_result(model, op, layout, y.features),
        slots=y.features if op.y in layout.wide else -(-y.features // layout.ways),
        wide_r=op.x in layout.wide_rows,
        factor=factor,
        addend=Addend.PARAMETER,
        addend_shift=offset_shift + layout.shifts[op.y] - op.shift,
        normalize=isinstance(op, ir.LayerNorm),
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
