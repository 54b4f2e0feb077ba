"""Proofs of LayerNorms."""

from proofs.catalog.making import EVER, STATES, made
from proofs.question import Proof

__all__ = ["norms"]


def norms() -> list[Proof]:
    """Return the proofs."""
    found = []
    for features, bits, gamma, slow in ((4, 4, 4, False), (6, 4, 3, False), (16, 8, 8, True)):
        found.append(
            made(
                f"normalizer-{features}-{bits}",
                "`layernorm.Normalizer`",
                f"`(N*x - total) << e` and `gamma * factor`: N = {features}, {bits} bits",
                (
                    "norms",
                    "normalizer",
                    {"features": features, "bits": bits, "gamma_bits": gamma},
                ),
                ("layernorm", "lower + (upper << 2 * _PART)", "lower + (upper << _PART)"),
                slow=slow,
            )
        )
    for features, bits, ways, slow in ((4, 3, 1, False), (6, 3, 2, False), (16, 4, 2, True)):
        found.append(
            made(
                f"row-sums-{features}-{bits}-{ways}",
                "`row_statistics.RowStatistics`",
                f"sums of numbers and squares: N = {features}, {bits} bits, {ways} a word",
                ("norms", "row_sums", {"features": features, "bits": bits, "ways": ways}),
                (
                    "row_statistics",
                    "Mux(begins[1], 0, own_power) + word_power",
                    "own_power + word_power",
                ),
                bound=EVER,
                slow=slow,
            )
        )
    for features, bits, soft, slow in (
        (4, 4, False, False),
        (16, 8, False, True),
        (12, 6, True, True),
    ):
        found.append(
            made(
                f"variance-{features}-{bits}{'-luts' if soft else ''}",
                "`row_statistics.RowStatistics`",
                f"`N*sum(x^2) - sum(x)^2`: N = {features}, {bits} bits"
                + (", in LUTs" if soft else ""),
                ("norms", "variance", {"features": features, "bits": bits, "soft": soft}),
                (
                    (
                        "row_statistics",
                        "left.eq(scaled - (ac << 2 * bits + 1))",
                        "left.eq(scaled - (ac << 2 * bits))",
                    )
                    if soft
                    else ("row_statistics", "unit.a.eq(-total)", "unit.a.eq(total)")
                ),
                bound=STATES,
                slow=slow,
            )
        )
    for features, bits in ((4, 4), (16, 8), (24, 8), (32, 6)):
        found.append(
            made(
                f"root-{features}-{bits}",
                "`row_statistics.RowStatistics`",
                f"exponent and factor of all variances: N = {features}, {bits} bits",
                ("norms", "reciprocal_root", {"features": features, "bits": bits}),
                (
                    "row_statistics",
                    "(late << (exponent << 1)) >> (kept - 8)",
                    "(late << exponent) >> (kept - 8)",
                ),
                bound=STATES,
            )
        )
    found.append(
        made(
            "small-row",
            "`row_statistics.RowStatistics`",
            "all of it: total, exponent and factor of a row of 3 elements of 3 bits, on time",
            ("norms", "small_rows", {"features": 3, "bits": 3}),
            ("row_statistics", "result.factor.eq(factor)", "result.factor.eq(factor + 1)"),
            bound="all rows; one row from power-up",
            slow=True,
        )
    )
    return found
