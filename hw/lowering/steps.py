"""The program of a stream: a step for each slot of its rings, over and over.

The ring's pointer is the program's own place. In step ``s`` of a lap, the newest token lies in slot
``s`` of every ring, whose address an instruction says; behind the last step comes the first. So a
step takes no logic that a window does not, but for the rings of the head and of the linear path,
which are read from the oldest token to the newest.

Of several phases each takes a step before the program goes on to the next: what an instruction
says is where a word lies in the rings of each.

The first lap after a reset fills the rings. Its step ``s`` sees ``s + 1`` tokens: an operation of
its own reads so many and no more, and so nothing of what was there before.

Products over a ring may be summed ahead (:mod:`.ahead`): a step adds those of the newest token to
what the step before it has summed of the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bitformer.hw.lowering.ahead import goes_on, parts_ahead, sums_ahead, sums_of
from bitformer.hw.lowering.beside import beside
from bitformer.hw.lowering.encode import Encoder
from bitformer.hw.lowering.operations import lowering_of
from bitformer.hw.lowering.operations.lowering import shorter
from bitformer.hw.lowering.plan import Plan
from bitformer.hw.program import Instruction, Program, Source
from bitformer.hw.timetable import Event, Read, RowTask, Schedule
from bitformer.model.operations.operation import StepForm
from bitformer.model.stream import StepModel

__all__ = ["StreamProgram"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamProgram:
    """A plan's steps: rows of work, memory, and the program.

    Parameters
    ----------
    plan : of a :class:`bitformer.model.stream.StepModel`.
    model : that.
    """

    plan: Plan
    model: StepModel

    @classmethod
    def of(cls, plan: Plan) -> "StreamProgram | None":
        """Return that of a plan; None of one of windows."""
        model = plan.model
        return cls(plan=plan, model=model) if isinstance(model, StepModel) else None

    @property
    def slots(self) -> int:
        """Tokens of a ring, and steps of a lap."""
        return self.model.config.tokens

    def tasks(self, filled: int) -> dict[str, list[RowTask]]:
        """Return the rows of a step that sees so many tokens, by the tensor that they write.

        Of a ring's rows, the newest one is row 0: which slot it is in is not said yet.
        """
        found = {}
        for op in self.model.operations:
            rows = self._newest(lowering_of(op).rows(self.plan))
            if self.plan.ahead and sums_ahead(self.model.forms[op.y], self.model):
                found[op.y] = self._with_sums(rows, filled)
            else:
                found[op.y] = [self._task(one, filled) for one in rows]
        return found

    def _with_sums(self, rows: Sequence[RowTask], filled: int) -> list[RowTask]:
        """Return rows that go on with the sums of the step before, and those that sum ahead."""
        found = [goes_on(self._task(one, 1), filled > 1) for one in rows]
        size = self.plan.ahead if rows[0].tensor in beside(self.model) else self.slots
        for one in rows:
            parts = parts_ahead(min(filled, self.slots - 1), size)
            for number, (age, count) in enumerate(parts):
                # as the next step sees them, these are so many tokens of the newest of all
                whole, features = self._task(one, age + 2), self._features(one)
                operation = shorter(whole.operation, count * features)
                kept = sums_of(replace(whole, operation=operation), number > 0)
                found.append(replace(kept, start=one.start - age * features))
        return found

    def _features(self, task: RowTask) -> int:
        """Return the numbers of a token in the ring that a row of work reads in order."""
        (name,) = self.model.forms[task.tensor].rings
        return self.model.tensors[name].features

    def _newest(self, tasks: Sequence[RowTask]) -> list[RowTask]:
        """Return the rows of a step out of those for all that a tensor holds."""
        return [one for one in tasks if one.tensor not in self.model.rings or one.row == 0]

    def _task(self, task: RowTask, filled: int) -> RowTask:
        """Return a row of work that reads the newest row of each ring, and depends on that alone.

        Older rows are there already. Read in order, they come before it.
        """
        form = self.model.forms[task.tensor]
        if form.rings:
            task = lowering_of(form.operation).shortened(self.plan, task, filled)
        if form.rings and form.ordered:
            start = task.start - (filled - 1) * self._features(task)
            task = replace(task, start=start)
        reads = [self._newest_read(one, form, filled) for one in task.reads]
        return replace(task, reads=tuple(reads))

    def _newest_read(self, read: Read, form: StepForm, filled: int) -> Read:
        """Return a read of the newest row, if it is one of all rows of a ring."""
        if read.tensor not in self.model.rings or not read.rows:
            return read
        if not form.ordered:
            return Read(tensor=read.tensor, rows=1)
        features = self.model.tensors[read.tensor].features
        return Read(tensor=read.tensor, passed=(filled - 1) * features)

    def program(self, encoder: Encoder, timelines: Sequence[Schedule]) -> Program:
        """Return the program of the timetables of steps that see 1, 2, … tokens, of all last."""
        first, laps = list[Instruction](), list[Instruction]()
        for slot, timeline in enumerate(timelines):
            first += self._step(encoder, timeline, slot, slot + 1)
        for slot in range(self.slots):
            laps += self._step(encoder, timelines[-1], slot, self.slots, later=True)
        return Program(
            operations=tuple(encoder.operations),
            instructions=(*first, *laps),
            loop=len(first),
            steps=self.slots,
            phases=self.model.phases,
        )

    def _step(
        self,
        encoder: Encoder,
        timeline: Schedule,
        slot: int,
        filled: int,
        *,
        later: bool = False,
    ) -> list[Instruction]:
        """Return the instructions of a step whose newest token lies in ``slot``."""
        begun = later or slot > 0
        events = [
            replace(event, row=self._placed(encoder, event, slot, filled, begun, place == 0))
            for place, event in enumerate(timeline.events)
        ]
        return encoder.instructions(events, encoder.end(timeline))

    def _placed(
        self, encoder: Encoder, event: Event, slot: int, filled: int, begun: bool, starts: bool
    ) -> RowTask:
        """Return a row of work with its places in the rings."""
        row, op = event.row, event.row.operation
        rings, form = self.model.rings, self.model.forms[row.tensor]
        reads = tuple(
            replace(one, row=slot, rows=0) if one.tensor in rings and not one.post else one
            for one in row.reads
        )
        op = replace(op, starts=starts)
        if op.source is Source.INPUT and op.matrix and self.model.subtraction is not None:
            op = replace(op, previous=begun)
        op = lowering_of(form.operation).turned(self.plan, row, op, slot)
        start = row.start
        if form.ordered and form.rings and op.matrix:
            ((name, rows),) = form.rings.items()
            spec = self.model.tensors[name]
            # behind the newest row lies the oldest one
            start += self.slots * spec.features if slot * spec.features + start < 0 else 0
            if filled == self.slots and rows > 1 and op.length > spec.features:
                ways = self.plan.geometry.ways
                element = encoder.addresses[name, 0] * ways
                last = element + (rows * spec.features - 1) * op.act_step
                op = replace(op, ring_first=element, ring_last=last)
        return replace(
            row,
            operation=op,
            row=slot if row.tensor in rings else row.row,
            reads=reads,
            start=start,
        )
