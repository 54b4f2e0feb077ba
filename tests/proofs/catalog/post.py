"""Proofs of the post-processor."""

from proofs.catalog.making import made
from proofs.question import Proof

__all__ = ["post"]


def post() -> list[Proof]:
    """Return the proofs."""
    found = []
    mutants = (
        ("tiny", ("postprocessor", "(1 << o.shift) >> 1", "(1 << o.shift) >> 2"), True),
        (
            "sense-24-1",
            ("postprocessor", "total.eq(unit.product + offset)", "total.eq(unit.product - offset)"),
            True,
        ),
        ("etth1-96-24", ("drained_sums", "packed & whole[k - 1]", "packed & whole[k - 2]"), True),
        (
            "etth1-96-24-w2a4",
            (
                "postprocessor",
                "half = by_operation(m, ops[0], added",
                "half = by_operation(m, ops[1], added",
            ),
            True,
        ),
    )
    for name, mutant, slow in mutants:
        found.append(
            made(
                f"requantizer-{name}",
                "`postprocessor.PostProcessor`",
                "packed split, bias, multiplier, addend, rounding, shift and clamp of every "
                f"operation that is not wide, on time: {name}",
                ("postprocessor", "requantizer", {"name": name}),
                mutant,
                bound="all inputs, from any state, any products",
                slow=slow,
            )
        )
    found.append(
        made(
            "vectors-together",
            "`postprocessor.PostProcessor`",
            "rows that a LayerNorm normalises and others that are scaled as they are, in turn",
            ("postprocessor", "vectors_together", {}),
            ("postprocessor", "delay(m, stored, NORM_DELAY,", "delay(m, stored, NORM_DELAY + 1,"),
            bound="all inputs, from any state, any products",
        )
    )
    return found
