"""A linear layer on the engine."""

from dataclasses import replace

from bitformer.hw.lowering.images import part_words
from bitformer.hw.lowering.operations.lowering import Lowering, Role, shorter
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.lowering.token_rows import blocks
from bitformer.hw.program import Addend, Destination, Factor, MachineOperation, Source
from bitformer.hw.timetable import Read, RowTask
from bitformer.model.errors import UserError
from bitformer.model.operations import Linear

__all__ = ["LinearLowering"]


class LinearLowering(Lowering[Linear]):
    """A row of ``y``, or a block of rows, in one task: all its dot products, weights from a ROM."""

    def needs(self):
        window = () if self.op.transposed else (Role.WINDOW,)
        yield "x", self.op.x, (*window, Role.ACTIVATION)
        if self.op.adds_tensor is not None:
            yield "residual", self.op.adds_tensor, (Role.TABLE, Role.ACTIVATION)

    def _addend(self, plan: Plan) -> Addend:
        if self.op.adds_channels:
            return Addend.LAST
        if self.op.adds_tensor is None:
            return Addend.NONE
        added_table = self.op.adds_tensor in plan.model.constants
        return Addend.POSITION if added_table else Addend.ACTIVATION

    def _base(self, plan: Plan) -> MachineOperation:
        op, weights = self.op, plan.weights
        outputs, length = plan.model.tensors[op.y].features, op.weight.shape[1]
        split = plan.is_split(op)
        if split:
            length = plan.lane_length(op)
        addend, uniform = self._addend(plan), plan.is_uniform(op)
        pitch = plan.geometry.words(plan.model.tensors[op.x]) * plan.geometry.ways
        from_input = op.x == plan.model.steps.name
        kind = weights.formats[op.y]
        return self._matrix(
            plan,
            outputs=outputs,
            length=length,
            source=Source.INPUT if from_input else Source.ACTIVATION,
            weight_step=weights.units if split else weights.step(kind),
            weight_group=length * (weights.units if split else weights.step(kind)),
            split=split,
            weight_format=weights.kinds.index(weights.cut(kind)),
            wide_x=op.x in plan.wide_rows,
            wide_r=op.adds_tensor in plan.wide_rows,
            stride=pitch if op.transposed else 0,
            wait_input=from_input,
            clock=0 if op.clock is None else op.clock + 1,
            bias=True,
            factor=Factor.IMMEDIATE if uniform else Factor.PARAMETER,
            multiplier=int(plan.multipliers(op)[0]) if uniform else 0,
            addend=addend,
            addend_shift=0 if op.added_shift is None else op.added_shift + plan.power(op),
            gelu=plan.model.tensors[op.y].bits if op.gelu else 0,
            statistics=any(o.normalizes and op.y in o.reads for o in plan.model.operations),
        )

    def _part(self, plan: Plan, base: MachineOperation, part: int) -> MachineOperation:
        """Return the operation of a part's rows: its weights, parameters and channel."""
        op, features = self.op, plan.model.tensors[self.op.y].features
        own = len(plan.last_channels) > 1 and op.adds_channels
        return replace(
            base,
            weight_base=part * base.groups * base.weight_group,
            parameters=part * part_words(op.y, features, plan.geometry),
            channel=op.adds_channels[part] if own else 0,
        )

    def _needed(self, plan: Plan, end: int) -> int:
        """Return the words that must be there for a row that reads the window to its ``end``.

        All that comes behind it, too, for a table, and where the window ends: so no window is left
        before all of it is there.
        """
        model = plan.model
        whole = model.whole_window or self.op.clock is not None or end == model.input.size
        return model.window_size if whole else end

    def shortened(self, plan: Plan, task: RowTask, filled: int) -> RowTask:
        op, features = task.operation, plan.model.tensors[self.op.x].features
        # the weights of the oldest tokens come first
        base = op.weight_base + (op.length - filled * features) * op.weight_step
        return replace(task, operation=replace(shorter(op, filled * features), weight_base=base))

    def rows(self, plan: Plan) -> list[RowTask]:
        op, model, base = self.op, plan.model, self._base(plan)
        behind = model.window_size > model.input.size
        x, y = model.tensors[op.x], model.tensors[op.y]
        length, together = op.weight.shape[1], plan.geometry.rows
        apart = op.step or length
        steps = not any(one % x.features for one in (op.start, apart, length))
        if model.subtraction and base.wait_input and not steps:
            # the last value to subtract is counted channel by channel from a row's beginning
            raise UserError(f"rows of {op.y} must be whole steps of {x.features} input(s)")
        tasks, each = [], y.rows // op.parts
        parts = [self._part(plan, base, part) for part in range(op.parts)]
        # results leave for the output row after row
        alone = base.destination is Destination.OUTPUT or op.parts > 1 or base.split
        for row, count in blocks(y.rows, 1 if alone else together):
            base, place = parts[row // each], row % each
            reads, needed, start = [], 0, op.start + place * apart
            # the lane of what it reads; of split rows, that of what it writes and adds
            lane = row if base.split else start // length
            if base.wait_input:
                needed = self._needed(plan, start + count * length)
                start //= together
            elif op.transposed:
                reads.append(Read(tensor=op.x, rows=x.rows, feature=place))
                start = place
            elif op.is_flat(model.tensors):
                line = base.split and op.start == 0
                reads.append(Read(tensor=op.x, rows=x.rows, line=line))
                start //= together
            else:
                reads.append(Read(tensor=op.x, row=start // x.features, count=count))
                start = 0
            if base.addend is Addend.ACTIVATION:
                residual = str(op.adds_tensor)
                reads.append(Read(tensor=residual, row=row, count=count, post=True))
            # the output has room for all rows or for none
            waits = row == 0 and base.destination is Destination.OUTPUT
            tasks.append(
                RowTask(
                    operation=replace(
                        base,
                        wait_output=waits,
                        whole=(behind or together > 1) and needed == model.window_size,
                        rows=count,
                        lane=lane % together if count == 1 else 0,
                        pitch=self._pitch(
                            plan,
                            groups=base.groups,
                            length=base.length,
                            columns=base.columns,
                            count=count,
                        ),
                    ),
                    tensor=op.y,
                    row=row,
                    first=0,
                    features=y.features,
                    reads=tuple(reads),
                    start=start,
                    count=count,
                    needed_inputs=needed,
                    # the input is the next window's for a row that does not read it
                    after_inputs=model.window_size if base.clock and not needed else 0,
                )
            )
        return tasks
