"""Follows a running design and holds every observed value against the reference."""

import numpy as np

from bitformer.hw.design import Design
from bitformer.hw.pipeline import signed_value

from .trace import Difference, Place, Trace

__all__ = ["Comparison"]


class Comparison:
    """Fed with what each cycle shows, keeps the first difference and the times of the samples."""

    def __init__(self, design: Design, expected: dict[str, np.ndarray]):
        self.trace = Trace(design)
        self.expected = expected
        self.samples = len(expected["input"])
        self.horizon = design.model.output.features
        self.output_tensor = design.model.output.name
        self.inputs = design.model.input.rows * design.model.input.features
        self.bits = design.geometry.activation_bits
        self.ways = design.geometry.ways
        self.difference: Difference | None = None
        self.cycles = 0
        self._accepted: list[int] = []
        self._finished: list[int] = []
        self._results: list[int] = []
        self._input_count = 0
        self._drains = self._vectors = self._operands = 0

    @property
    def done(self) -> bool:
        """Whether all results have been taken."""
        return len(self._results) >= self.samples * self.horizon

    @property
    def outputs(self) -> np.ndarray:
        """Results taken so far, whole samples only."""
        whole = len(self._results) // self.horizon * self.horizon
        return np.array(self._results[:whole], dtype=np.int64).reshape(-1, self.horizon)

    @property
    def latency(self) -> list[int]:
        return [end - start + 1 for start, end in zip(self._accepted, self._finished, strict=False)]

    @property
    def interval(self) -> list[int]:
        return [b - a for a, b in zip(self._finished, self._finished[1:], strict=False)]

    def accept(self, cycle: int) -> None:
        """A sample's value was taken in this cycle."""
        if self._input_count % self.inputs == 0:
            self._accepted.append(cycle)
        self._input_count += 1

    def take(self, cycle: int, value: int) -> None:
        """A result was handed out in this cycle."""
        sample, feature = divmod(len(self._results), self.horizon)
        place = Place(tensor=self.output_tensor, row=0, feature=feature)
        if sample < self.samples:
            self._check(cycle, sample, place, value)
        self._results.append(value)
        if feature == self.horizon - 1:
            self._finished.append(cycle)
        self.cycles = cycle + 1

    def slot(self, cycle: int, valid: int, vector: int, word: int) -> None:
        """The post-processor wrote a slot's results."""
        sequence = self.trace.vector if vector else self.trace.drain
        count = self._vectors if vector else self._drains
        sample, number = divmod(count, len(sequence))
        if vector:
            self._vectors += 1
        else:
            self._drains += 1
        if sample >= self.samples:
            return
        for way, place in enumerate(sequence[number]):
            if place is None:
                continue
            if not valid >> way & 1:
                self._differ(cycle, sample, place, 0)
                continue
            value = signed_value(word >> (way * self.bits), self.bits)
            self._check(cycle, sample, place, value)

    def operand(self, cycle: int, value: int) -> None:
        """The engine was given an activation of the input."""
        sample, number = divmod(self._operands, len(self.trace.operand))
        self._operands += 1
        if sample < self.samples:
            self._check(cycle, sample, self.trace.operand[number], value)

    def _check(self, cycle: int, sample: int, place: Place, value: int) -> None:
        expected = int(self.expected[place.tensor][sample, place.row, place.feature])
        if value != expected:
            self._differ(cycle, sample, place, value)

    def _differ(self, cycle: int, sample: int, place: Place, value: int) -> None:
        if self.difference is not None:
            return
        self.difference = Difference(
            tensor=place.tensor,
            row=place.row,
            feature=place.feature,
            expected=int(self.expected[place.tensor][sample, place.row, place.feature]),
            got=value,
            cycle=cycle,
            sample=sample,
        )
