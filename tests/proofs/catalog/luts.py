"""Proofs of products and look-ups in LUTs."""

from proofs.catalog.making import STATES, made
from proofs.question import Proof

__all__ = ["luts"]


def luts() -> list[Proof]:
    """Return the proofs."""
    found = []
    for family, widths, shifts, negative, cells, accumulates in (
        ("ecp5", (6, 5), (0, 1), True, False, False),
        ("series7", (6, 5, 4), (0, 1, 2), True, False, False),
        ("series7", (6, 5), (0, 2), False, True, False),
        ("series7", (6, 5, 4), (0, 1, 2), True, True, False),
        ("series7", (8, 7), (0, 3), True, True, True),
    ):
        label = f"{len(widths)}{'-cells' if cells else ''}{'-own' if accumulates else ''}"
        found.append(
            made(
                f"lut-adder-{family}-{label}",
                "`lut_adder.add_in_luts`",
                f"the sum of {len(widths)} numbers"
                + (" and its own" if accumulates else "")
                + (", of LUT6_2 and CARRY4" if cells else ""),
                (
                    "weights",
                    "added",
                    {
                        "family": family,
                        "widths": widths,
                        "shifts": shifts,
                        "negative": negative,
                        "cells": cells,
                        "accumulates": accumulates,
                    },
                ),
                (
                    (
                        "lut_adder",
                        "other = int(sum(numbers) >= 2)",
                        "other = int(sum(numbers) >= 1)",
                    )
                    if cells and len(widths) + accumulates > 2
                    else ("lut_adder", "whole = sum(numbers) & 1", "whole = int(sum(numbers) > 0)")
                    if cells
                    else (
                        "lut_adder",
                        "-(term.value << term.shift) if term.negative",
                        "term.value << term.shift if term.negative",
                    )
                ),
                bound=STATES,
            )
        )
    for family, weight, x, cells, slow in (
        ("series7", 2, 4, False, False),
        ("series7", 4, 6, False, False),
        ("series7", 4, 6, True, False),
        ("series7", 6, 6, True, True),
        ("series7", 8, 5, True, True),
        ("ecp5", 3, 6, False, False),
        ("ecp5", 6, 5, False, True),
    ):
        found.append(
            made(
                f"lut-column-{family}-{weight}-{x}{'-cells' if cells else ''}",
                "`lut_column.dot_in_luts`",
                f"a sum goes on with weights of {weight} bits and activations of {x}"
                + (", of LUT6_2 and CARRY4" if cells else ""),
                (
                    "weights",
                    "dot_product",
                    {"family": family, "weight_bits": weight, "x_bits": x, "cells": cells},
                ),
                (
                    "lut_column",
                    "Mux(weight(level, place), own, 0)",
                    "Mux(weight(level, place), own, 1)",
                ),
                bound=STATES,
                slow=slow,
            )
        )
    for weight, x in ((2, 6), (3, 5), (4, 5)):
        found.append(
            made(
                f"short-products-{weight}-{x}",
                "`sums.multiply_short`",
                f"both sums go on with weights of {weight} bits and activations of {x}",
                ("weights", "short_products", {"weight_bits": weight, "x_bits": x}),
                (
                    ("sums", "Mux(negative, ~x, x)", "Mux(negative, x, x)")
                    if weight == 2
                    else (
                        "sums",
                        "sum(rows[:-1], Const(0)) - rows[-1]",
                        "sum(rows[:-1], Const(0)) + rows[-1]",
                    )
                ),
                bound=STATES,
            )
        )
    return found
