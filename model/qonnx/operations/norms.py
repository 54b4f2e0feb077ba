"""Norms: a factor and an offset for each feature of a row."""

from bitformer.model import numerics
from bitformer.model.operations import Affine, LayerNorm
from bitformer.model.qonnx.operations.form import Form

__all__ = ["AffineForm", "LayerNormForm"]


class AffineForm(Form[Affine]):
    """A folded BatchNorm; the offsets are shifted already."""

    says = ("x", "multiplier", "offset", "offset_shift")

    def add(self) -> None:
        op, steps = self.op, self.steps
        offset = steps.constant("offset", op.offset << op.offset_shift)
        product = self.multiplied(self.integers(op.x), op.multiplier)
        scaled = steps.add("Add", product, offset, out="sum")
        self.store(self.carried(self.requantized(scaled)))


class LayerNormForm(Form[LayerNorm]):
    """``(N*x - sum(x)) * 2**e * gamma * r``; the offsets are shifted already."""

    says = ("x", "gamma", "beta", "beta_shift")

    def add(self) -> None:
        op, steps, x = self.op, self.steps, self.tensors[self.op.x]
        numbers, count = self.integers(op.x), steps.constant("count", x.features)
        total = steps.total(numbers, -1, "total")
        squares = steps.total(steps.add("Mul", numbers, numbers, out="square"), -1, "squares")
        variance = steps.add(
            "Sub",
            steps.add("Mul", squares, count, out="squares_counted"),
            steps.add("Mul", total, total, out="total_square"),
            out="variance",
        )
        width = numerics.norm_width(x.features, x.bits)
        self.graph.annotate(variance, f"UINT{width}")
        power, root = steps.rsqrt(variance, width, "root")
        counted = steps.add("Mul", numbers, count, out="counted")
        apart = steps.add("Sub", counted, total, out="deviation")
        u = steps.add("Mul", apart, power, out="normalized")
        gamma = steps.constant("gamma", op.gamma, "INT8")
        factor = steps.add("Mul", root, gamma, out="multiplier")
        product = steps.add("Mul", u, factor, out="product")
        beta = steps.constant("beta", op.beta << op.beta_shift)
        self.store(self.carried(self.requantized(steps.add("Add", product, beta, out="sum"))))
