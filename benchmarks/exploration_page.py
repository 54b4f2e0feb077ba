"""The page that :mod:`exploration` writes: an answer and a table for each question."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from tables import markdown_table

from bitformer.hw.parts import PARTS
from bitformer.search.selection import COSTS

__all__ = ["MOST", "NAMES", "PART", "UNIFORM", "beaten", "best", "duel", "fits", "markdown", "won"]

PART = "xc7s15"
#: Limits, as a multiple of the cycles and LUTs that 4 bits are predicted to take.
MOST = 1.1
#: Bits that everything has, for comparison.
UNIFORM = ("4", "6", "8")
#: What searches are called on the page.
NAMES = {
    "loss": "4, 6, 8 by predicted loss",
    "two": "4, 6 by predicted loss",
    "schemes": "schemes by predicted loss",
    "bits": "4, 6, 8 by the sum of bits",
    "nsga": "4, 6, 8 by NSGA-II",
}
Cell = Mapping[str, Any]


def fits(cell: Cell, one: Mapping[str, Any]) -> bool:
    """Whether a trained model is within the limits, and the part: by its own design."""
    limits, part, costs = cell["limits"], PARTS[PART], one["costs"]
    bounds = {
        "latency": limits["cycles"],
        "luts": limits["luts"],
        "lutram": part.lutram_luts,
        "ffs": part.ffs,
        "ramb18": part.ramb18,
        "dsps": part.dsps,
    }
    return all(costs[name] <= bound for name, bound in bounds.items())


def won(cell: Cell, search: str) -> Mapping[str, Any] | None:
    """The model of least validation error that a search found within the limits, if any."""
    kept = [one for one in cell["searches"][search] if fits(cell, one)]
    return min(kept, key=lambda one: one["val"], default=None)


def best(cell: Cell, search: str) -> float:
    """The least validation error that a search found within the limits; infinite without one."""
    found = won(cell, search)
    return math.inf if found is None else found["val"]


def duel(cells: Sequence[Cell], one: str, other: str) -> str:
    """Which of two searches finds the lower error, in a sentence."""
    pairs = [(best(cell, one), best(cell, other)) for cell in cells]
    wins, ties = sum(a < b for a, b in pairs), sum(a == b for a, b in pairs)
    equal = f", equal in {ties}" if ties else ""
    both = [a / b - 1 for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    change = f", its error {mean(both):+.2%} in the mean of {len(both)}" if both else ""
    name = NAMES[one][0].upper() + NAMES[one][1:]
    return f"{name} beat {NAMES[other]} in {wins} of {len(pairs)} cases{equal}{change}."


def _said(error: float) -> str:
    return f"{error:.5f}" if math.isfinite(error) else "none within"


def _rows(cells: Sequence[Cell], *searches: str) -> Iterator[list[str]]:
    for cell in cells:
        errors = [_said(best(cell, one)) for one in searches]
        yield [cell["set"], str(cell["seed"]), *errors]


def _change(cell: Cell, one: str, other: str) -> str:
    pair = best(cell, one), best(cell, other)
    return f"{pair[0] / pair[1] - 1:+.2%}" if all(map(math.isfinite, pair)) else "–"


def _against(cells: Sequence[Cell], one: str, other: str) -> list[str]:
    rows = [
        [*row, _change(cell, one, other), _bits(cell, one)]
        for row, cell in zip(_rows(cells, other, one), cells, strict=True)
    ]
    return markdown_table(["set", "seed", NAMES[other], NAMES[one], "difference", "its bits"], rows)


def _code(name: str) -> str:
    """A model's bits, one component after the other, as its name ends in them."""
    return f"`{name.rsplit('-', 1)[-1]}`"


def _bits(cell: Cell, search: str) -> str:
    found = won(cell, search)
    return "–" if found is None else _code(found["name"])


def beaten(cell: Cell, bits: str) -> Mapping[str, Any] | None:
    """The best trained model of smaller error than uniform bits that costs no more of anything."""
    uniform = cell["uniform"][bits]
    found = [
        one
        for search in cell["searches"].values()
        for one in search
        if one["val"] < uniform["val"]
        and all(one["costs"][name] <= uniform["costs"][name] for name in COSTS)
    ]
    return min(found, key=lambda one: one["val"], default=None)


def _uniform_table(cells: Sequence[Cell]) -> list[str]:
    rows = []
    for name in dict.fromkeys(cell["set"] for cell in cells):
        own = [cell for cell in cells if cell["set"] == name]
        for bits in UNIFORM:
            found = [(cell, one) for cell in own if (one := beaten(cell, bits)) is not None]
            error = mean(cell["uniform"][bits]["val"] for cell in own)
            cells_of = ["–"] * 4
            if found:
                cell, first = found[0]
                theirs = cell["uniform"][bits]
                costs = (
                    f"{theirs['costs'][cost]} → {first['costs'][cost]}"
                    for cost in ("luts", "latency")
                )
                changes = [one["val"] / cell["uniform"][bits]["val"] - 1 for cell, one in found]
                cells_of = [f"{mean(changes):+.2%}", _code(first["name"]), *costs]
            rows.append([name, bits, f"{error:.5f}", f"{len(found)} of {len(own)}", *cells_of])
    heads = ["set", "uniform", "its val. MSE", "seeds beaten", "by", "bits, first seed"]
    return markdown_table([*heads, "LUT", "cycles"], rows)


def _verdict(cells: Sequence[Cell]) -> str:
    said = []
    for bits in UNIFORM:
        won = sum(beaten(cell, bits) is not None for cell in cells)
        said.append(f"uniform {bits} in {won} of {len(cells)} cases")
    return f"Beaten is {', '.join(said)}."


def _proofs(cells: Sequence[Cell]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(cell["set"], proof) for cell in cells for proof in cell["proofs"]]


def _error(proof: Mapping[str, Any], name: str) -> float:
    return proof["predicted"][name] / proof["synthesized"][name] - 1


def _estimates(cells: Sequence[Cell]) -> list[str]:
    proofs = _proofs(cells)
    if not proofs:
        return ["Not measured.", ""]
    errors = []
    for name, title in (("luts", "LUT"), ("ffs", "FF")):
        own = [abs(_error(proof, name)) for _, proof in proofs]
        errors.append(f"{title} {mean(own):.1%} off in the mean, {max(own):.1%} at most")
    counted = sum(
        all(proof["predicted"][n] == proof["synthesized"][n] for n in ("ramb18", "dsps"))
        for _, proof in proofs
    )
    right = sum(proof["exact"] and proof["on_time"] for _, proof in proofs)
    rows = [
        [name, _code(proof["name"])]
        + [
            f"{proof['predicted'][one]}, {proof['synthesized'][one]} ({_error(proof, one):+.1%})"
            for one in ("luts", "ffs")
        ]
        + [f"{proof['predicted'][one]}, {proof['synthesized'][one]}" for one in ("ramb18", "dsps")]
        for name, proof in proofs
    ]
    return [
        f"Of {len(proofs)} trained models: {'; '.join(errors)}; RAMB18 and DSP blocks equal in"
        f" {counted}. {right} are bit-exact in simulation, in the cycles predicted. Each cell is"
        " predicted, synthesized.",
        "",
        *markdown_table(["set", "bits", "LUT", "FF", "RAMB18", "DSP"], rows),
    ]


def markdown(cells: Sequence[Cell], planned: int) -> str:
    """The whole page, of those of ``planned`` cells that are finished: a set with a seed each."""
    cells = sorted(cells, key=lambda cell: (cell["set"], cell["seed"]))
    seeds = sorted({cell["seed"] for cell in cells})
    trained = ", ".join(map(str, sorted({cell["trained"] for cell in cells})))
    counts = {
        search: sum(fits(cell, one) for cell in cells for one in cell["searches"][search])
        for search in NAMES
    }
    total = sum(cell["trained"] for cell in cells)
    kept = "; ".join(f"{NAMES[search]} {count}" for search, count in counts.items())
    limits = "; ".join(
        dict.fromkeys(
            f"{cell['set']} {cell['limits']['cycles']:.0f} cycles, {cell['limits']['luts']} LUTs"
            for cell in cells
        )
    )
    return "\n".join(
        [
            "# What a search finds",
            "",
            "Written by `python benchmarks/exploration.py --write`, which goes on where it was."
            f" {len(cells)} of {planned} pairs of a set and a seed are measured: seeds"
            f" {', '.join(map(str, seeds))}. Errors are mean squared ones of validation windows;"
            " test windows were not looked at. With so few seeds, differences below a percent say"
            " little.",
            "",
            f"- *Equal trainings*: each search trains {trained} models with rounding, all of a set"
            " and seed from one float model.",
            "- *Predicted loss*, as in `bitformer search`: calibration tells what each width"
            " of each component adds to the error, without training; all combinations are"
            " predicted, and the best within the limits are trained. *The sum of bits* trains"
            " those with the most bits.",
            "- *NSGA-II* draws models and keeps those of less error and fewer cycles. What is over"
            " a limit costs it no training.",
            f"- *Limits* on the {PART.upper()} at 100 MHz, {MOST} times what the shape takes with 4"
            f" bits as its default, predicted before training: {limits}. A model counts if its own"
            " design is within them. The choice is made by a design of random weights, and a"
            " trained model may pack otherwise: it takes more or fewer LUTs and cycles. Of"
            f" {total} trained by each search, within the limits are: {kept}.",
            "- *Bits* stand in the order of `Linput`, `AddPE`, `MHA`, `AddMHA`, `BNMHA`, `FFN`,"
            " `AddFFN`, `BNFFN`, `Loutput`, `Lpath`, as `WEIGHTSaACTIVATIONS`; `4p` are powers of"
            " two of 4 bits.",
            "",
            "## Are 4 and 6 bits enough, or does 8 help?",
            "",
            duel(cells, "loss", "two"),
            "",
            *_against(cells, "loss", "two"),
            "## Do mixed schemes help?",
            "",
            "Schemes are 1 bit, 2 bits, powers of two of 4 bits and 4 bits for weights, with"
            " activations of 8 bits, and 4 bits for both, in one search. "
            + duel(cells, "schemes", "loss"),
            "",
            *_against(cells, "schemes", "loss"),
            "## Which search finds better models?",
            "",
            duel(cells, "loss", "bits") + " " + duel(cells, "loss", "nsga"),
            "",
            *markdown_table(
                ["set", "seed", *(NAMES[one] for one in ("loss", "bits", "nsga"))],
                list(_rows(cells, "loss", "bits", "nsga")),
            ),
            "## Better than uniform bits, at equal or smaller cost",
            "",
            "No more LUTs, LUTs as memory, RAMB18, DSP blocks or cycles, by the estimate, among"
            " all that was trained above; the searches were not asked for it. " + _verdict(cells),
            "",
            *_uniform_table(cells),
            "## How wrong are the estimates?",
            "",
            *_estimates(cells),
        ]
    )
