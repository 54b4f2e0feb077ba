"""The arithmetic of the number contract in ONNX's operators, on int64 throughout.

Each function of :mod:`bitformer.model.numerics` that an operation needs has its steps here. Names
of steps begin with the tensor that the operation writes: ``layers.0.q/dot``.
"""

from typing import Any

from onnx import TensorProto

from bitformer.model import numerics
from bitformer.model.qonnx.graph import Graph

__all__ = ["Steps"]

#: Entries of the table of powers of two.
_POWERS = 62
#: From here on, the axes of ReduceMax are an input.
_AXES_AS_INPUT = 18


class Steps:
    """Adds the steps of one operation to a graph.

    Parameters
    ----------
    graph : the graph.
    tensor : the tensor that the operation writes.
    """

    def __init__(self, graph: Graph, tensor: str):
        self.graph = graph
        self.tensor = tensor

    def named(self, step: str) -> str:
        """Return the whole name of a step."""
        return f"{self.tensor}/{step}"

    def add(self, kind: str, *inputs: str, out: str, **attributes: Any) -> str:
        """Add a node, whose output is the step ``out``."""
        return self.graph.add(kind, *inputs, out=self.named(out), **attributes)

    def constant(self, name: str, values: Any, width: str = "") -> str:
        """Keep int64 constants of the operation's own."""
        return self.graph.constant(self.named(name), values, width=width)

    def annotated(self, tensor: str, magnitude: int) -> str:
        """Say that no number of a tensor is beyond ``magnitude``, and return the tensor."""
        self.graph.annotate(tensor, f"INT{magnitude.bit_length() + 1}")
        return tensor

    # Shapes. The first axis counts windows, which 0 keeps as many as they are.

    def reshape(self, x: str, *shape: int, out: str) -> str:
        """Lay the numbers of each window out as ``shape``."""
        return self.add("Reshape", x, self.graph.numbers(0, *shape), out=out)

    def transpose(self, x: str, *axes: int, out: str) -> str:
        """Put the axes into another order."""
        return self.add("Transpose", x, out=out, perm=[*axes])

    def cut(self, x: str, axis: int, start: int, stop: int, out: str) -> str:
        """Return ``start`` to before ``stop`` of an axis."""
        bounds = (self.graph.numbers(n) for n in (start, stop, axis))
        return self.add("Slice", x, *bounds, out=out)

    def pick(self, x: str, axis: int, indices: str, out: str) -> str:
        """Return elements of an axis by their indices."""
        return self.add("Gather", x, indices, out=out, axis=axis)

    # Arithmetic.

    def total(self, x: str, axis: int, out: str) -> str:
        """Sum over an axis, which stays."""
        return self.add("ReduceSum", x, self.graph.numbers(axis), out=out, keepdims=1)

    def largest(self, x: str, out: str) -> str:
        """Return the largest of the last axis, which stays."""
        if self.graph.opset >= _AXES_AS_INPUT:
            return self.add("ReduceMax", x, self.graph.numbers(-1), out=out, keepdims=1)
        return self.add("ReduceMax", x, out=out, axes=[-1], keepdims=1)

    def shifted_right(self, x: str, shift: int, name: str, out: str) -> str:
        """Return ``floor(x / 2**shift)``: what Mod leaves over is taken off before the division.

        Mod's remainder is that of the floor; Div alone would round towards 0.
        """
        if not shift:
            return x
        step = self.constant(name, 1 << shift)
        whole = self.add("Sub", x, self.add("Mod", x, step, out=f"{out}_rest"), out=f"{out}_whole")
        return self.add("Div", whole, step, out=out)

    def rounded_shift(self, x: str, shift: int, out: str) -> str:
        """Return ``floor(x / 2**shift + 1/2)`` (:func:`bitformer.model.numerics.round_shift`)."""
        if not shift:
            return x
        half = self.constant("half", (1 << shift) >> 1)
        return self.shifted_right(self.add("Add", x, half, out=f"{out}_half"), shift, "step", out)

    def power(self, exponent: str, out: str) -> str:
        """Return ``2**exponent`` of computed exponents, 0 to 61, out of a table."""
        table = self.graph.constant("table/powers_of_two", [1 << i for i in range(_POWERS)])
        return self.pick(table, 0, exponent, out)

    def bit_length(self, x: str, out: str) -> str:
        """Return the bits of numbers [..., 1] that are not negative: how many powers they reach."""
        table = self.graph.constant("table/powers_of_two", [1 << i for i in range(_POWERS)])
        reached = self.add("GreaterOrEqual", x, table, out=f"{out}_reached")
        ones = self.add("Cast", reached, out=f"{out}_ones", to=TensorProto.INT64)
        return self.total(ones, -1, out)

    # Tables.

    def exponentials(self, distance: str, out: str) -> str:
        """Return ``EXP_TABLE[d mod 8] >> (d div 8)`` of distances that are not negative."""
        eight = self.constant("octave", 1 << numerics.SCORE_FRACTION_BITS)
        table = self.graph.constant("table/exponential", numerics.EXP_TABLE, width="UINT8")
        fraction = self.add("Mod", distance, eight, out=f"{out}_fraction")
        octaves = self.add("Div", distance, eight, out=f"{out}_octaves")
        mantissa = self.pick(table, 0, fraction, f"{out}_mantissa")
        return self.add("Div", mantissa, self.power(octaves, f"{out}_power"), out=out)

    def reciprocal(self, total: str, keys: int, out: str) -> str:
        """Return the multiplier of a row of ``keys`` (:func:`bitformer.model.numerics.reciprocal`).

        The mantissa is ``total * 2 >> (e + 1)``, which is right for ``e`` of -1 as well.
        """
        table = self.graph.constant("table/reciprocal", numerics.RECIPROCAL_TABLE, width="UINT9")
        bits = self.bit_length(total, f"{out}_bits")
        above = self.add("Sub", bits, self.graph.numbers(8), out=f"{out}_above")
        twice = self.add("Mul", total, self.graph.numbers(2), out=f"{out}_twice")
        divisor = self.power(above, f"{out}_divisor")
        mantissa = self.add("Div", twice, divisor, out=f"{out}_mantissa")
        index = self.add("Sub", mantissa, self.graph.numbers(256), out=f"{out}_index")
        found = self.pick(table, 0, index, f"{out}_entry")
        most = self.constant("headroom", [numerics.reciprocal_headroom(keys) + 9])
        left = self.add("Sub", most, bits, out=f"{out}_left")
        return self.add("Mul", found, self.power(left, f"{out}_factor"), out=out)

    def rsqrt(self, variance: str, width: int, out: str) -> tuple[str, str]:
        """Return ``2**e`` and the mantissa of :func:`bitformer.model.numerics.rsqrt`.

        The index is the highest byte of the variance, an even number of bits further left. It is 64
        or more, and 0 for a variance of 0: the table has zeros below 64. Its ``e`` is not 0 then,
        but what it shifts is.
        """
        entries = [0] * 64 + numerics.RSQRT_TABLE
        table = self.graph.constant("table/reciprocal_root", entries, width="UINT9")
        bits = self.bit_length(variance, f"{out}_bits")
        free = self.add("Sub", self.constant("width", [width]), bits, out=f"{out}_free")
        exponent = self.add("Div", free, self.graph.numbers(2), out=f"{out}_exponent")
        power = self.power(exponent, f"{out}_power")
        once = self.add("Mul", variance, power, out=f"{out}_once")
        twice = self.add("Mul", once, power, out=f"{out}_twice")
        byte = self.constant("lower", 1 << (width - 8))
        index = self.add("Div", twice, byte, out=f"{out}_index")
        return power, self.pick(table, 0, index, out)
