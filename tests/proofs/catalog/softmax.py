"""Proofs of the softmax."""

from proofs.catalog.making import EVER, STATES, made
from proofs.question import Proof

__all__ = ["softmax"]


def softmax() -> list[Proof]:
    """Return the proofs."""
    found = [
        made(
            "exponential",
            "`softmax.Exponential`",
            "all pairs of a logit and a maximum, 3 cycles later",
            ("softmax", "exponential", {}),
            ("softmax", "shift.eq(distance[_FRACTION:])", "shift.eq(distance[_FRACTION + 1 :])"),
        )
    ]
    for keys in (1, 6, 24, 96, 256):
        found += [
            made(
                f"reciprocal-sum-{keys}",
                "`softmax.Reciprocal`",
                f"a row's total, {keys} numerators at most, with any pauses",
                ("softmax", "reciprocal_sum", {"keys": keys}),
                ("softmax", "Mux(self.i_first, 0, total)", "Mux(self.i_last, 0, total)"),
                bound=EVER,
            ),
            made(
                f"reciprocal-table-{keys}",
                "`softmax.Reciprocal`",
                f"the multiplier of each total of up to {keys} keys, 4 cycles later",
                ("softmax", "reciprocal_table", {"keys": keys}),
                ("softmax", "mantissa.eq(final << 1)", "mantissa.eq(final)"),
                bound=STATES,
            ),
        ]
    for ways in (1, 2):
        found.append(
            made(
                f"row-maximum-{ways}",
                "`softmax.RowMaximum`",
                f"the largest logit so far, {ways} a word, with any pauses",
                ("softmax", "row_maximum", {"ways": ways}),
                ("softmax", "(first | (best > self.o_maximum))", "(best > self.o_maximum)"),
                bound=EVER,
            )
        )
    return found
