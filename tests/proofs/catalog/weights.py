"""Proofs of weights on their way to the engine."""

from proofs.catalog.making import STATES, made
from proofs.question import Proof

__all__ = ["weights"]


def weights() -> list[Proof]:
    """Return the proofs."""
    found = []
    mutant = ("weight_columns", "free = exact_log2(layout.step(own))", "free = 0")
    for name in ("tiny", "sense-24-1", "etth1-96-24-w2a4"):
        found.append(
            made(
                f"columns-{name}",
                "`weight_columns.WeightColumns`",
                f"each column's weights in a word, at the widths of {name}",
                ("weights", "columns", {"name": name}),
                ("weight_columns", "return word\n", "return ~word\n")
                if name != "etth1-96-24-w2a4"
                else (
                    "weight_columns",
                    "number.as_signed() | Const(0, signed(width))",
                    "number | Const(0, width)",
                ),
                slow=name != "tiny",
            )
        )
    for widths, count in (
        (((1, False), (2, True), (4, False), (8, False)), 4),
        (((1, True), (3, False), (6, True)), 4),
        (((2, False), (5, True), (7, False), (16, False)), 2),
    ):
        label = ", ".join(f"{b}{' in pairs' if p else ''}" for b, p in widths)
        found.append(
            made(
                f"columns-{'-'.join(str(b) for b, _ in widths)}",
                "`weight_columns.WeightColumns`",
                f"each column's weights in a word of formats of {label} bits",
                ("weights", "columns_of_widths", {"widths": widths, "count": count}),
                mutant,
            )
        )
    for shift, half, always in ((13, 4, True), (17, 8, False), (21, 4, False), (22, 3, False)):
        found.append(
            made(
                f"operand-{shift}-{half}",
                "`matrix_engine.MatrixEngine`",
                f"a pair of weights of {half} bits, {shift} bits apart, as one multiplicand",
                ("weights", "operand", {"shift": shift, "half": half, "always": always}),
                ("matrix_engine", "~high[:place].any()", "high[:place].any()"),
            )
        )
    for name in ("tiny",):
        found.append(
            made(
                f"engine-{name}",
                "`matrix_engine.MatrixEngine`",
                f"operands of every column and its sum, for any product: {name}",
                ("weights", "engine", {"name": name}),
                (
                    "matrix_engine",
                    "self._begins(m, self.i_first, 2,",
                    "self._begins(m, self.i_first, 1,",
                ),
                bound="all inputs, from any state, any products",
                slow=True,
            )
        )
    for shift, bits, extension in ((6, 13, 0), (11, 23, 4)):
        found.append(
            made(
                f"sums-apart-{shift}-{extension}",
                "`sums.add_apart`",
                f"two sums side by side, {shift} bits and {extension} more, or one",
                ("weights", "sums_apart", {"shift": shift, "bits": bits, "extension": extension}),
                ("sums", "packed & sign, above", "sign, above"),
                bound=STATES,
            )
        )
    return found
