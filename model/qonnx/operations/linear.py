"""The linear layer: rows of numbers times weights, and what is added."""

import numpy as np

from bitformer.model.gelu import corrections
from bitformer.model.operations import Linear
from bitformer.model.qonnx.graph import datatype
from bitformer.model.qonnx.operations.form import Form

__all__ = ["LinearForm"]


class LinearForm(Form[Linear]):
    """``x @ weight + bias``, with the weights as [inputs, outputs]."""

    says = (
        *("x", "weight", "weight_bits", "bias", "multiplier", "start", "relu", "gelu"),
        *("residual", "clock", "transposed", "parts", "step"),
    )

    def add(self) -> None:
        op, steps = self.op, self.steps
        bound = op.bound(self.tensors)
        width = {1: "BIPOLAR", 2: "TERNARY"}.get(op.weight_bits, f"INT{op.weight_bits}")
        weight = steps.constant("weight", op.weight.T, width)
        dot = steps.annotated(steps.add("MatMul", self._rows(), weight, out="dot"), bound.dot)
        u = steps.annotated(steps.add("Add", dot, self._bias(), out="biased"), bound.total)
        scaled = self._by_part(self.multiplied(u, op.multiplier))
        if op.residual is not None:
            added = self._added()
            if op.residual.shift:
                factor = steps.constant("residual_step", 1 << op.residual.shift)
                added = steps.add("Mul", added, factor, out="residual_scaled")
            scaled = steps.add("Add", scaled, added, out="sum")
        found = self.requantized(scaled)
        self.store(self.carried(self._gelu(found) if op.gelu else found))

    @property
    def _each(self) -> int:
        """Rows that each part makes."""
        return self.y.rows // self.op.parts

    def _rows(self) -> str:
        """Return ``x`` as rows of as many numbers as there are inputs."""
        op, steps, x = self.op, self.steps, self.tensors[self.op.x]
        found, shape = self.integers(op.x), x.shape
        if op.transposed:
            found, shape = steps.transpose(found, 0, 2, 1, out="columns"), shape[::-1]
        rows = self._each, op.weight.shape[1]
        if op.start or op.step:
            flat = steps.reshape(found, x.size, out="flat")
            return steps.pick(flat, 1, self._places(*rows), "rows")
        return found if rows == shape else steps.reshape(found, *rows, out="rows")

    def _places(self, rows: int, inputs: int) -> str:
        """Return where in line each number of each row is, of rows that begin ``step`` apart."""
        first = self.op.start + np.arange(rows) * (self.op.step or inputs)
        return self.steps.constant("places", first[:, None] + np.arange(inputs))

    def _bias(self) -> str:
        """Return the bias [outputs], or of each window the row [1, outputs] that its time has."""
        op, steps = self.op, self.steps
        most = int(np.abs(op.bias).max())
        bias = steps.constant("bias", op.bias, datatype(-most, most))
        if op.clock is None:
            return bias
        place = self.graph.numbers(op.clock)
        time = steps.pick(self.integers("clock"), 1, place, "time")
        return steps.pick(bias, 0, time, "bias_now")

    def _by_part(self, found: str) -> str:
        """Put the rows of the first part first, of [rows, parts * features]."""
        parts, features = self.op.parts, self.y.features
        if parts == 1:
            return found
        apart = self.steps.reshape(found, self._each, parts, features, out="parts")
        sorted_ = self.steps.transpose(apart, 0, 2, 1, 3, out="parts_sorted")
        return self.steps.reshape(sorted_, parts * self._each, features, out="parts_rows")

    def _added(self) -> str:
        """Return what is added: a tensor, or the last values of channels, [rows, 1]."""
        op, steps = self.op, self.steps
        assert op.residual is not None
        source = op.residual.source
        if not op.adds_channels:
            return self.integers(source)
        last = self.tensors[source].rows - 1
        row = steps.cut(self.integers(source), 1, last, last + 1, "last")
        places = steps.constant("channels", np.repeat(op.adds_channels, self._each))
        return steps.transpose(steps.pick(row, 2, places, "lasts"), 0, 2, 1, out="lasts_rows")

    def _gelu(self, whole: str) -> str:
        """Return GELU of whole steps: ``max(q, 0) - table[min(|q|, end)]``, and the zero point."""
        steps, y = self.steps, self.y
        _, low, high = self.op.limits(self.tensors)
        ends = steps.constant("gelu_low", low), steps.constant("gelu_high", high)
        whole = steps.add("Clip", whole, *ends, out="gelu_steps")
        entries = [*corrections(y.bits), 0]
        table = self.graph.constant(f"table/gelu_{y.bits}_bits", entries)
        above = steps.add("Max", whole, self.graph.numbers(0), out="gelu_above")
        magnitude = steps.add("Abs", whole, out="gelu_magnitude")
        end = steps.constant("gelu_end", len(entries) - 1)
        index = steps.add("Min", magnitude, end, out="gelu_index")
        lost = steps.pick(table, 0, index, "gelu_lost")
        found = steps.add("Sub", above, lost, out="gelu")
        return steps.add("Add", found, steps.constant("gelu_zero", y.zero), out="gelu_moved")
