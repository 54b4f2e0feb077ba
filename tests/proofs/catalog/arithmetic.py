"""Proofs of shifts, clamps and rounding, of which all results are made."""

from proofs.catalog.making import EVER, made
from proofs.question import Proof

__all__ = ["arithmetic"]


def arithmetic() -> list[Proof]:
    """Return the proofs."""
    found = []
    for bits, most, slow in ((12, 8, False), (48, 24, True)):
        found.append(
            made(
                f"round-{bits}",
                "`fixed.round_shift`",
                f"within half a unit, half rounds up: {bits} bits, shifts 0 to {most}",
                ("arithmetic", "rounding_shifts", {"bits": bits, "most": most}),
                (
                    "fixed",
                    "(value + (1 << (shift - 1))) >> shift",
                    "(value + (1 << shift) // 2 - 1) >> shift",
                ),
                slow=slow,
            )
        )
    for bits, result in ((8, 4), (48, 16)):
        found.append(
            made(
                f"clamp-{bits}",
                "`fixed.clamp`",
                f"{bits} bits between any two limits of {result} bits",
                ("arithmetic", "clamps", {"bits": bits, "result_bits": result}),
                ("fixed", "Mux(value > high, high, value)", "Mux(value > high, low, value)"),
            )
        )
    for split in (9, 17, 24):
        found.append(
            made(
                f"wide-split-{split}",
                "`wide_product.split_multiplicand`",
                f"both parts make up the multiplicand, split at {split}",
                ("arithmetic", "splits", {"bits": 30, "split": split}),
                ("wide_product", "Mux(wide, 0, u[split])", "u[split]"),
            )
        )
    found.append(
        made(
            "wide-join",
            "`wide_product.joined`",
            "the sum of both parts' products, a cycle later",
            ("arithmetic", "joins", {"low_bits": 44, "high_bits": 30, "split": 17}),
            ("wide_product", "(low >> split) + high", "(low >> split) - high"),
        )
    )
    for a, b, slow in ((4, 9, False), (8, 9, True)):
        found.append(
            made(
                f"lut-product-{a}-{b}",
                "`pipeline.multiply_in_luts`",
                f"signed {a} bits times unsigned {b} bits",
                ("arithmetic", "multiplies", {"a_bits": a, "b_bits": b}),
                ("pipeline", "for i in range(len(b))]", "for i in range(len(b) - 1)]"),
                slow=slow,
            )
        )
    for widths, bits in (((4,), 6), ((4, 8), 11), ((2, 3, 5, 6), 9)):
        found.append(
            made(
                f"gelu-{'-'.join(map(str, widths))}",
                "`gelu.Gelu`",
                f"GELU of results of {', '.join(map(str, widths))} bits; others pass",
                ("arithmetic", "gelu", {"widths": widths, "bits": bits}),
                (
                    "gelu",
                    "padded[n if n < half else 2 * half - n]",
                    "padded[n if n < half else 2 * half - n - 1]",
                ),
            )
        )
    found.append(
        made(
            "table-rows",
            "`table_rows.TableRows`",
            "rows of 24 and 7 that a time selects, of two windows in turn; no row is row 0",
            ("arithmetic", "table_rows", {"rows": (24, 7), "strides": (3, 5), "bits": 8}),
            ("table_rows", "Mux(beyond, 0, self.i_number[:width])", "self.i_number[:width]"),
            bound=EVER,
        )
    )
    return found
