"""Follows a running design and holds every observed value against the reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from bitformer.hw.design import Design
from bitformer.sim.trace import Difference, Place, Trace

__all__ = ["CHUNK", "Comparison", "Observed", "cycle_limit"]

#: Samples whose expected values are computed at a time; two such chunks are kept.
CHUNK = 64
#: Events that an engine reports one by one before they are compared.
_PENDING = 4096


def cycle_limit(design: Design, samples: int, back_pressure: float) -> int:
    """Cycles after which a design that has not answered is stuck, for any engine."""
    allowed = 200 + (samples + 1) * design.interval + design.latency
    return int(allowed / (1.0 - back_pressure) ** 2 * 1.5)


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What some cycles showed, an array element for each event, in order of cycles.

    A sample's value was taken in ``accept_cycle``; the engine was given ``operand`` of the input
    in ``operand_cycle``; the post-processor wrote ``slot_word`` in ``slot_cycle`` (``slot_valid``
    has a bit for each way, ``slot_vector`` says which unit); ``take`` was handed out in
    ``take_cycle``.
    """

    accept_cycle: np.ndarray
    operand_cycle: np.ndarray
    operand: np.ndarray
    slot_cycle: np.ndarray
    slot_valid: np.ndarray
    slot_vector: np.ndarray
    slot_word: np.ndarray
    take_cycle: np.ndarray
    take: np.ndarray


class _Sequence:
    """One observed sequence: the elements that must follow each other, inference by inference."""

    def __init__(self, slots: Sequence[tuple[Place | None, ...]], ways: int):
        self.slots = slots
        self.count = 0
        wanted = [place is not None for slot in slots for place in slot]
        self.wanted = np.array(wanted, dtype=bool).reshape(-1, ways)
        found: dict[str, list[tuple[int, int, int]]] = {}
        for at, place in enumerate(place for slot in slots for place in slot):
            if place is not None:
                found.setdefault(place.tensor, []).append((at, place.row, place.feature))
        self._indices = {tensor: np.array(where).T for tensor, where in found.items()}

    def place(self, at: int, way: int) -> tuple[Place, int]:
        """The place of a slot's way; of one that must be empty, a neighbour and the step to it."""
        near = min(
            (other for other, place in enumerate(self.slots[at]) if place is not None),
            key=lambda other: abs(way - other),
        )
        place = self.slots[at][near]
        if place is None:
            raise RuntimeError("a slot of the trace must hold a place")
        return place, way - near

    def expected(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Of every sample, slot after slot: [samples * slots, ways]."""
        samples = len(values["input"])
        result = np.zeros((samples, self.wanted.size), dtype=np.int32)
        for tensor, (at, row, feature) in self._indices.items():
            result[:, at] = values[tensor][:, row, feature]
        return result.reshape(-1, self.wanted.shape[1])


class Comparison:
    """Fed with what each cycle shows, keeps the first difference and the times of the samples.

    ``reference`` gives all tensors of some samples; it is asked for a few samples at a time, so
    memory does not grow with their number.
    """

    def __init__(
        self,
        design: Design,
        samples: np.ndarray,
        reference: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    ):
        self.trace = Trace(design)
        self.samples = len(samples)
        rows, features = design.model.output.shape
        self.horizon = design.model.output.size
        self.inputs = design.model.input.size
        self.bits = design.geometry.activation_bits
        self.ways = design.geometry.ways
        self.cycles = 0
        self._x, self._reference = samples, reference
        output = design.model.output.name
        # in the order in which a cycle's differences are told
        self._operands = _Sequence([(place,) for place in self.trace.operand], 1)
        self._drains = _Sequence(self.trace.drain, self.ways)
        self._vectors = _Sequence(self.trace.vector, self.ways)
        self._outputs = _Sequence(
            [
                (Place(tensor=output, row=row, feature=feature),)
                for row in range(rows)
                for feature in range(features)
            ],
            1,
        )
        self._sequences = (self._operands, self._drains, self._vectors, self._outputs)
        self._chunks: dict[int, list[np.ndarray]] = {}
        self._difference: Difference | None = None
        self._accepted: list[int] = []
        self._results: list[int] = []
        self._finished: list[int] = []
        self._input_count = 0
        self._pending: dict[str, list[int]] = {field.name: [] for field in fields(Observed)}

    @property
    def done(self) -> bool:
        """Whether all results have been taken."""
        return len(self._results) + len(self._pending["take"]) >= self.samples * self.horizon

    @property
    def finished(self) -> int:
        """Samples of which all results have been taken."""
        return (len(self._results) + len(self._pending["take"])) // self.horizon

    @property
    def difference(self) -> Difference | None:
        """The first element that was wrong."""
        self._flush()
        return self._difference

    @property
    def outputs(self) -> np.ndarray:
        """Results taken so far, whole samples only."""
        self._flush()
        whole = len(self._results) // self.horizon * self.horizon
        return np.array(self._results[:whole], dtype=np.int64).reshape(-1, self.horizon)

    @property
    def latency(self) -> list[int]:
        self._flush()
        return [end - start + 1 for start, end in zip(self._accepted, self._finished, strict=False)]

    @property
    def interval(self) -> list[int]:
        self._flush()
        return [b - a for a, b in zip(self._finished, self._finished[1:], strict=False)]

    def accept(self, cycle: int) -> None:
        """A sample's value was taken in this cycle."""
        self._pending["accept_cycle"].append(cycle)

    def take(self, cycle: int, value: int) -> None:
        """A result was handed out in this cycle."""
        self._add(take_cycle=cycle, take=value)
        self.cycles = cycle + 1

    def slot(self, cycle: int, valid: int, vector: int, word: int) -> None:
        """The post-processor wrote a slot's results."""
        self._add(slot_cycle=cycle, slot_valid=valid, slot_vector=vector, slot_word=word)
        if len(self._pending["slot_cycle"]) >= _PENDING:
            self._flush()

    def operand(self, cycle: int, value: int) -> None:
        """The engine was given an activation of the input."""
        self._add(operand_cycle=cycle, operand=value)

    def _add(self, **event: int) -> None:
        for name, value in event.items():
            self._pending[name].append(value)

    def _flush(self) -> None:
        if not any(self._pending.values()):
            return
        arrays = {
            name: np.array(values, dtype=np.uint64 if name == "slot_word" else np.int64)
            for name, values in self._pending.items()
        }
        self._pending = {name: [] for name in self._pending}
        self.observe(Observed(**arrays))

    def observe(self, seen: Observed) -> None:
        """Compare what the next cycles showed."""
        first = -self._input_count % self.inputs
        self._accepted += seen.accept_cycle[first :: self.inputs].tolist()
        self._input_count += len(seen.accept_cycle)
        first = (-len(self._results) - 1) % self.horizon
        self._finished += seen.take_cycle[first :: self.horizon].tolist()
        self._results += seen.take.tolist()
        if len(seen.take_cycle):
            self.cycles = int(seen.take_cycle[-1]) + 1

        always = np.ones((1, 1), dtype=bool)
        vector = seen.slot_vector != 0
        values, valid = self._split(seen.slot_word, seen.slot_valid)
        differences = [
            self._compare(0, seen.operand_cycle, seen.operand[:, None], always),
            self._compare(1, seen.slot_cycle[~vector], values[~vector], valid[~vector]),
            self._compare(2, seen.slot_cycle[vector], values[vector], valid[vector]),
            self._compare(3, seen.take_cycle, seen.take[:, None], always),
        ]
        found = [difference for difference in differences if difference is not None]
        if found and self._difference is None:
            self._difference = min(found, key=lambda difference: difference.cycle)

    def _split(self, words: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Signed values [slots, ways] of words, and which of them were written."""
        ways = np.arange(self.ways)
        shift = (64 - self.bits * (ways + 1)).astype(np.uint64)
        values = (words[:, None] << shift).view(np.int64) >> (64 - self.bits)
        return values, (valid[:, None] >> ways & 1).astype(bool)

    def _compare(
        self, number: int, cycles: np.ndarray, values: np.ndarray, valid: np.ndarray
    ) -> Difference | None:
        """The first of a sequence's next ``values`` that is wrong, missing or too many."""
        sequence = self._sequences[number]
        length = len(sequence.slots)
        start = sequence.count
        sequence.count += len(cycles)
        if self._difference is not None or not length:
            return None
        end = min(sequence.count, self.samples * length)
        size = CHUNK * length
        while start < end:
            chunk, offset = divmod(start, size)
            stop = min(end, (chunk + 1) * size)
            part = slice(start - sequence.count + len(cycles), stop - sequence.count + len(cycles))
            expected = self._expected(chunk)[number][offset : offset + stop - start]
            wanted = sequence.wanted[np.arange(start, stop) % length]
            written = np.broadcast_to(valid, values.shape)[part]
            wrong = (wanted & (values[part] != expected)) | (wanted != written)
            if wrong.any():
                slot, way = divmod(int(wrong.argmax()), wrong.shape[1])
                sample, at = divmod(start + slot, length)
                place, step = sequence.place(at, way)
                return Difference(
                    tensor=place.tensor,
                    row=place.row,
                    feature=place.feature + step,
                    expected=int(expected[slot, way]),
                    got=int(values[part][slot, way]) if written[slot, way] else 0,
                    cycle=int(cycles[part][slot]),
                    sample=sample,
                )
            start = stop
        return None

    def _expected(self, chunk: int) -> list[np.ndarray]:
        """Of each sequence, what a chunk of samples must give; the latest chunks are kept."""
        if chunk not in self._chunks:
            values = self._reference(self._x[chunk * CHUNK : (chunk + 1) * CHUNK])
            while len(self._chunks) > 1:
                del self._chunks[next(iter(self._chunks))]
            self._chunks[chunk] = [sequence.expected(values) for sequence in self._sequences]
        return self._chunks[chunk]
