"""Comparing every value that a running design shows with the reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from bitformer.hw.design import Design
from bitformer.hw.widths import signed_value
from bitformer.model.progress import Progress, silent
from bitformer.sim.trace import Difference, Place, Trace

__all__ = ["CHUNK", "Comparison", "Observed", "cycle_limit"]

#: Samples whose expected values are computed at a time; two such chunks are kept.
CHUNK = 64
#: Events that an engine reports one by one before they are compared.
_PENDING = 4096


def cycle_limit(design: Design, samples: int, back_pressure: float) -> int:
    """Return the cycles after which a design that has not answered is stuck."""
    allowed = 200 + (samples + 1) * design.interval + design.latency
    return int(allowed / (1.0 - back_pressure) ** 2 * 1.5)


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Events of some cycles, in order: arrays with an element for each event.

    Attributes
    ----------
    accept_cycle
        Cycles in which the accelerator took a value of a sample.
    operand_cycle, operand
        Activations of the input that the matrix engine was given, by token row.
    slot_cycle, slot_word
        Words that the post-processors wrote.
    slot_valid, slot_vector
        A bit for each of their ways that holds a result; whether the row is one of no products.
    take_cycle, take
        Results that left the accelerator.
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


def _split(
    words: np.ndarray, bits: int, elements: int, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed values [cycles, elements] of words, and which of them are valid.

    ``words`` are [cycles, posts], and share the elements evenly.
    """
    each = elements // words.shape[1]
    shift = (64 - bits * (np.arange(each) + 1)).astype(np.uint64)
    values = (words[:, :, None] << shift).view(np.int64) >> (64 - bits)
    there = (valid[:, None] >> np.arange(elements) & 1).astype(bool)
    return values.reshape(len(words), elements), there


def _parts(word: int, bits: int, number: int) -> list[int]:
    """Return a word's equal parts of so many bits, from the lowest on."""
    return [word >> bits * n & ((1 << bits) - 1) for n in range(number)]


Slots = Sequence[tuple[Place | None, ...]]


class _Inference:
    """A sequence of elements of one kind of inference."""

    def __init__(self, slots: Slots, ways: int):
        self.slots = slots
        wanted = [place is not None for slot in slots for place in slot]
        self.wanted = np.array(wanted, dtype=bool).reshape(-1, ways)
        found: dict[str, list[tuple[int, int, int]]] = {}
        for at, place in enumerate(place for slot in slots for place in slot):
            if place is not None:
                found.setdefault(place.tensor, []).append((at, place.row, place.feature))
        self._indices = {tensor: np.array(where).T for tensor, where in found.items()}

    def place(self, at: int, way: int) -> tuple[Place, int]:
        """Return the place nearest to a way of a slot, and the ways from there.

        A way that must be empty has no place; its slot has others.
        """
        places = [(other, place) for other, place in enumerate(self.slots[at]) if place is not None]
        near, place = min(places, key=lambda found: abs(way - found[0]))
        return place, way - near

    def expected(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the integers of every sample, slot after slot: [samples * slots, ways]."""
        samples = len(values["input"])
        result = np.zeros((samples, self.wanted.size), dtype=np.int32)
        for tensor, (at, row, feature) in self._indices.items():
            result[:, at] = values[tensor][:, row, feature]
        return result.reshape(-1, self.wanted.shape[1])


class _Sequence:
    """A sequence of elements, inference after inference, each of a kind by its number."""

    def __init__(self, kinds: Sequence[Slots], of: np.ndarray, ways: int):
        self._kinds, self._of = [_Inference(slots, ways) for slots in kinds], of
        self.count = 0
        lengths = np.array([len(slots) for slots in kinds])
        #: Where each inference ends.
        self.ends = np.cumsum(lengths[of])

    def begin(self, sample: int) -> int:
        """Return where an inference begins."""
        return int(self.ends[sample - 1]) if sample else 0

    def sample(self, at: int) -> int:
        """Return the inference that an element belongs to."""
        return int(np.searchsorted(self.ends, at, side="right"))

    def place(self, at: int, way: int) -> tuple[Place, int]:
        """Return the place of a way of a slot, as :meth:`_Inference.place` does."""
        sample = self.sample(at)
        return self._kinds[self._of[sample]].place(at - self.begin(sample), way)

    def expected(
        self, first: int, values: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the integers of inferences from ``first`` on, and which must be there.

        Both are [slots, ways].
        """
        of = self._of[first : first + len(values["input"])]
        edges = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(of)]
        found, wanted = [], []
        for start, stop in pairwise(edges):
            kind = self._kinds[of[start]]
            found.append(kind.expected({name: one[start:stop] for name, one in values.items()}))
            wanted.append(np.tile(kind.wanted, (stop - start, 1)))
        return np.concatenate(found), np.concatenate(wanted)


class Comparison:
    """Compares what each cycle shows; keeps the first difference and the times of the samples.

    Parameters
    ----------
    samples
        Integers [N, steps, channels].
    reference
        Returns all tensors of some samples, by name. It is called for few samples at a time, so
        memory does not grow with N.
    progress
        Called whenever a sample is finished.
    resets
        Samples of a stream before which its design is reset.
    """

    def __init__(
        self,
        design: Design,
        samples: np.ndarray,
        reference: Callable[[np.ndarray], Mapping[str, np.ndarray]],
        progress: Progress = silent,
        resets: Sequence[int] = (),
    ):
        self.trace = Trace(design)
        # the first steps after a reset see fewer tokens, and later ones are all alike
        traces = [*(Trace(design, one) for one in design.first_lap), self.trace]
        begins = np.zeros(len(samples), dtype=np.int64)
        begins[[0, *resets]] = [0, *resets]
        steps = np.arange(len(samples)) - np.maximum.accumulate(begins)
        kinds = np.minimum(steps // design.phases, len(design.first_lap))
        self.samples = len(samples)
        rows, features = design.model.output.shape
        self.horizon = design.model.output.size
        self.inputs = design.model.window_size
        self.bits = design.geometry.activation_bits
        self.ways = design.geometry.ways * design.geometry.posts
        self.rows, self.posts = design.geometry.rows, design.geometry.posts
        self.operand_bits = design.geometry.operand_bits
        self.cycles = 0
        self._x, self._reference, self._progress, self._told = samples, reference, progress, 0
        self._model = design.model
        output = design.model.output.name
        outputs = [
            Place(tensor=output, row=row, feature=feature)
            for row in range(rows)
            for feature in range(features)
        ]
        # of several differences in a cycle, the first of these is reported
        self._sequences = (
            _Sequence([one.operand for one in traces], kinds, self.rows),
            _Sequence([one.drain for one in traces], kinds, self.ways),
            _Sequence([one.vector for one in traces], kinds, self.ways),
            _Sequence([[(place,) for place in outputs] for _ in traces], kinds, 1),
        )
        self._chunks: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._difference: Difference | None = None
        self._accepted: list[int] = []
        self._results: list[int] = []
        self._finished: list[int] = []
        self._input_count = 0
        self._pending: dict[str, list[int | list[int]]] = {
            field.name: [] for field in fields(Observed)
        }

    @property
    def done(self) -> bool:
        """Whether all results have been taken."""
        return self.finished >= self.samples

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
        """Note that the accelerator took a value of a sample."""
        self._pending["accept_cycle"].append(cycle)

    def take(self, cycle: int, value: int) -> None:
        """Note a result that left the accelerator."""
        self._add(take_cycle=cycle, take=value)
        self.cycles = cycle + 1
        self._report()

    def slot(self, cycle: int, valid: int, vector: int, word: int) -> None:
        """Note a word that the post-processor wrote."""
        words = _parts(word, self.bits * self.ways // self.posts, self.posts)
        self._add(slot_cycle=cycle, slot_valid=valid, slot_vector=vector, slot_word=words)
        if len(self._pending["slot_cycle"]) >= _PENDING:
            self._flush()

    def operand(self, cycle: int, value: int) -> None:
        """Note an activation of the input that the matrix engine was given."""
        bits = self.operand_bits
        values = [signed_value(part, bits) for part in _parts(value, bits, self.rows)]
        self._add(operand_cycle=cycle, operand=values)

    def _add(self, **event: int | list[int]) -> None:
        for name, value in event.items():
            self._pending[name].append(value)

    def _report(self) -> None:
        if self.finished > self._told:
            self._told = self.finished
            self._progress(self._told, self.samples, "simulating")

    def _flush(self) -> None:
        if not any(self._pending.values()):
            return
        several = {"slot_word": (np.uint64, self.posts), "operand": (np.int64, self.rows)}
        arrays = {}
        for name, values in self._pending.items():
            kind, elements = several.get(name, (np.int64, 0))
            array = np.array(values, dtype=kind)
            arrays[name] = array.reshape(-1, elements) if elements else array
        self._pending = {name: [] for name in self._pending}
        self.observe(Observed(**arrays))

    def observe(self, seen: Observed) -> None:
        """Compare what the next cycles showed."""
        results = self._numbers(seen.take)
        first = -self._input_count % self.inputs
        self._accepted += seen.accept_cycle[first :: self.inputs].tolist()
        self._input_count += len(seen.accept_cycle)
        first = (-len(self._results) - 1) % self.horizon
        self._finished += seen.take_cycle[first :: self.horizon].tolist()
        self._results += results.tolist()
        if len(seen.take_cycle):
            self.cycles = int(seen.take_cycle[-1]) + 1
        self._report()

        always = np.ones((1, 1), dtype=bool)
        vector = seen.slot_vector != 0
        values, valid = _split(seen.slot_word, self.bits, self.ways, seen.slot_valid)
        differences = [
            self._compare(0, seen.operand_cycle, seen.operand, None),
            self._compare(1, seen.slot_cycle[~vector], values[~vector], valid[~vector]),
            self._compare(2, seen.slot_cycle[vector], values[vector], valid[vector]),
            self._compare(3, seen.take_cycle, results[:, None], always),
        ]
        found = [difference for difference in differences if difference is not None]
        if found and self._difference is None:
            self._difference = min(found, key=lambda difference: difference.cycle)

    def _numbers(self, words: np.ndarray) -> np.ndarray:
        """Return the integers of results as they are handed out, whatever the engine's sign."""
        if not self._model.config.adc_words:
            return words
        return self._model.numbers(words & ((1 << self._model.output.bits) - 1))

    def _compare(
        self, number: int, cycles: np.ndarray, values: np.ndarray, valid: np.ndarray | None
    ) -> Difference | None:
        """Return the first of a sequence's next ``values`` that is wrong, missing or too many.

        Without ``valid``, which of them are there is not seen.
        """
        sequence = self._sequences[number]
        before = start = sequence.count
        sequence.count += len(cycles)
        end = min(sequence.count, int(sequence.ends[-1]))
        if self._difference is not None:
            return None
        while start < end:
            chunk = sequence.sample(start) // CHUNK
            first = sequence.begin(chunk * CHUNK)
            stop = min(end, sequence.begin(min((chunk + 1) * CHUNK, self.samples)))
            part = slice(start - before, stop - before)
            expected, wanted = (
                one[start - first : stop - first] for one in self._of(chunk, number)
            )
            written = wanted if valid is None else np.broadcast_to(valid, values.shape)[part]
            wrong = (wanted & (values[part] != expected)) | (wanted != written)
            if wrong.any():
                slot, way = divmod(int(wrong.argmax()), wrong.shape[1])
                place, step = sequence.place(start + slot, way)
                return Difference(
                    tensor=place.tensor,
                    row=place.row,
                    feature=place.feature + step,
                    expected=int(expected[slot, way]),
                    got=int(values[part][slot, way]) if written[slot, way] else 0,
                    cycle=int(cycles[part][slot]),
                    sample=sequence.sample(start + slot),
                )
            start = stop
        return None

    def _of(self, chunk: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what is expected of a chunk of samples in a sequence; keep the last two chunks."""
        if chunk not in self._chunks:
            values = self._reference(self._x[chunk * CHUNK : (chunk + 1) * CHUNK])
            while len(self._chunks) > 1:
                del self._chunks[next(iter(self._chunks))]
            self._chunks[chunk] = [
                sequence.expected(chunk * CHUNK, values) for sequence in self._sequences
            ]
        return self._chunks[chunk][number]
