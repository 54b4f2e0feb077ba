"""docs/study.md from what was trained; what was not says so."""

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tables import markdown_table

from bitformer.model.compression import published_ratio
from bitformer.model.precision import FLOAT_BITS, Precision, Width
from bitformer.study.trials import Outcome

__all__ = ["PART", "QUESTIONS", "TASKS", "Cell", "markdown"]

PART = "xc7s15"
TASKS = {"etth1": "ETTh1", "ozone": "ozone", "decoder": "encoder–decoder"}
METHODS = {"qat": "QAT", "ptq": "PTQ"}
RANGES = {"learned": "learned", "minmax": "min-max", "moving-average": "moving average"}
ZEROS = {False: "symmetric", True: "asymmetric"}
#: Bits of weights and activations.
WIDTHS = ("8/8", "6/8", "4/8", "3/8", "2/8", "1/8")
#: What ranges and zero points are asked for.
FEW_WIDTHS = ("4/8", "2/8", "4/4")
#: Of the first, the last and the context-attention layers, except where they are the question.
PRECISE = 8
PRECISE_TRIED = (FLOAT_BITS, 16, 8, 4, 2)
#: Of arXiv 2408.16495, at 2 bits with those layers in float32.
PUBLISHED_COMPRESSION, PUBLISHED_INCREASE = 7.46545, 0.10
UNKNOWN = "not measured"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A place in the tables: a model and how it is rounded. ``bits`` as ``"4/8"`` or ``"4p/8"``."""

    task: str
    bits: str
    method: str = "qat"
    ranges: str = "learned"
    asymmetric: bool = False
    precise: int = PRECISE

    @property
    def weights(self) -> Width:
        """Bits of weights, with their scheme."""
        return Precision.parse(self.bits).width

    @property
    def activations(self) -> int:
        """Bits of activations."""
        return Precision.parse(self.bits).activations


def _cells(tasks: Sequence[str], widths: Sequence[str], **changes: Sequence[Any]) -> list[Cell]:
    """A cell for every combination."""
    names = list(changes)
    return [
        Cell(task=task, bits=bits, method=method, **dict(zip(names, values, strict=True)))
        for task in tasks
        for method in METHODS
        for values in itertools.product(*changes.values())
        for bits in widths
    ]


_ENCODERS = ("etth1", "ozone")
QUESTIONS: dict[str, list[Cell]] = {
    "methods": _cells(_ENCODERS, WIDTHS) + _cells(("decoder",), ("8/8", "4/8", "2/8", "1/8")),
    "ranges": _cells(_ENCODERS, FEW_WIDTHS, ranges=tuple(RANGES)),
    "zeros": _cells(_ENCODERS, FEW_WIDTHS, asymmetric=(False, True)),
    "layers": [Cell(task="decoder", bits="2/8", precise=bits) for bits in PRECISE_TRIED],
    "powers": _cells(_ENCODERS, ("4/8", "4p/8")),
}

Outcomes = Mapping[Cell, Sequence[Outcome]]


def spread(values: Sequence[float]) -> str:
    """Mean and sample deviation, and how few seeds."""
    if not values:
        return UNKNOWN
    said = f"{statistics.mean(values):.4f}"
    if len(values) == 1:
        return f"{said} (1 seed)"
    few = "" if len(values) > 2 else f" ({len(values)} seeds)"
    return f"{said} ± {statistics.stdev(values):.4f}{few}"


def _tests(outcomes: Sequence[Outcome], *, floats: bool = False) -> list[float]:
    return [one.float_test if floats else one.test for one in outcomes]


def _increase(outcomes: Sequence[Outcome]) -> str:
    """How much larger errors are than those of the float models."""
    return f"{statistics.mean(one.test / one.float_test - 1 for one in outcomes):+.1%}"


def versus(mine: Sequence[float], other: Sequence[float]) -> str | None:
    """``"tie"`` where means are no farther apart than both deviations, ``"worse"``, ``"better"``.

    None where a deviation is not known.
    """
    if min(len(mine), len(other)) < 2:
        return None
    apart = statistics.mean(mine) - statistics.mean(other)
    if abs(apart) <= statistics.stdev(mine) + statistics.stdev(other):
        return "tie"
    return "worse" if apart > 0 else "better"


def tally(pairs: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> str:
    """Say how often the first of each pair ties with the second, is worse, is better, and where."""
    found: dict[str, list[tuple[float, str]]] = {"tie": [], "worse": [], "better": []}
    for name, mine, other in pairs:
        kind = versus(mine, other)
        if kind is not None:
            found[kind].append((statistics.mean(mine) / statistics.mean(other) - 1, name))
    count = sum(map(len, found.values()))
    if not count:
        return UNKNOWN
    said = [f"a tie in {len(found['tie'])} of {count}"]
    for kind, most in (("worse", max), ("better", min)):
        if found[kind]:
            change, name = most(found[kind])
            most_of = "" if len(found[kind]) == 1 else "at most "
            said.append(f"{kind} in {len(found[kind])} ({most_of}{change:+.1%}: {name})")
    return ", ".join(said)


def _rows(
    outcomes: Outcomes, cells: Sequence[Cell], widths: Sequence[str], names: Mapping[Any, str], by
) -> Iterator[list[str]]:
    """A line for each task, method and value of the field ``by``; a column for each width."""
    for cell in cells:
        if cell.bits != widths[0]:
            continue
        line = [replace(cell, bits=bits) for bits in widths]
        label = [TASKS[cell.task], METHODS[cell.method]]
        label += [names[getattr(cell, by)]] if by else []
        if any(outcomes.get(one) for one in line):
            yield [*label, *(spread(_tests(outcomes.get(one, ()))) for one in line)]


def _against(
    outcomes: Outcomes, cells: Sequence[Cell], chosen: str, **base: Any
) -> list[tuple[str, list[float], list[float]]]:
    """Cells of a method beside those with the fields ``base``."""
    return [
        (
            f"{TASKS[cell.task]}, {cell.bits}",
            _tests(outcomes.get(cell, ())),
            _tests(outcomes.get(replace(cell, **base), ())),
        )
        for cell in cells
        if cell.method == chosen
    ]


def _ranges(outcomes: Outcomes) -> Iterator[str]:
    cells = QUESTIONS["ranges"]
    yield from ("## Ranges: learned, min-max or moving average", "")
    for method, said in (("qat", "Trained with rounding"), ("ptq", "Calibrated only")):
        parts = [
            f"{name} against learned is {tally(_against(outcomes, own, method, ranges='learned'))}"
            for ranges, name in RANGES.items()
            if ranges != "learned" and (own := [one for one in cells if one.ranges == ranges])
        ]
        yield f"{said}, {'; '.join(parts)}."
    yield ""
    columns = ("model", "method", "ranges", *FEW_WIDTHS)
    yield from markdown_table(columns, [*_rows(outcomes, cells, FEW_WIDTHS, RANGES, "ranges")])


def _zeros(outcomes: Outcomes) -> Iterator[str]:
    cells = QUESTIONS["zeros"]
    own = [cell for cell in cells if cell.asymmetric]
    yield from ("## Symmetric or asymmetric inputs of linear layers", "")
    qat, ptq = (tally(_against(outcomes, own, one, asymmetric=False)) for one in METHODS)
    yield f"Asymmetric against symmetric is, trained, {qat}; calibrated only, {ptq}."
    yield ""
    rows = _rows(outcomes, cells, FEW_WIDTHS, ZEROS, "asymmetric")
    yield from markdown_table(("model", "method", "inputs", *FEW_WIDTHS), [*rows])


def _methods(outcomes: Outcomes) -> Iterator[str]:
    cells = QUESTIONS["methods"]
    yield from ("## Trained with rounding (QAT) or calibrated only (PTQ)", "")
    calibrated = tally(_against(outcomes, cells, "ptq", method="qat"))
    pairs = {
        method: [
            (f"{TASKS[one.task]}, {one.bits}", _tests(found), _tests(found, floats=True))
            for one in cells
            if one.method == method and (found := outcomes.get(one, ()))
        ]
        for method in METHODS
    }
    yield (
        f"PTQ against QAT is {calibrated}. Against float32, QAT is {tally(pairs['qat'])};"
        f" PTQ is {tally(pairs['ptq'])}."
    )
    yield ""
    rows = []
    for task, method in itertools.product(TASKS, METHODS):
        own = [Cell(task=task, bits=bits, method=method) for bits in WIDTHS]
        found = [outcomes.get(cell, ()) for cell in own]
        most = max(found, key=len)
        if not most:
            continue
        pairs_of = zip(own, found, strict=True)
        texts = [spread(_tests(one)) if cell in cells else "–" for cell, one in pairs_of]
        rows.append([TASKS[task], METHODS[method], spread(_tests(most, floats=True)), *texts])
    yield from markdown_table(("model", "method", "float32", *WIDTHS), rows)


_COSTS = (("latency", "", "cycles"), ("luts", "", "LUTs"), ("energy_uj", ".1f", "µJ"))
_PRECISE_COLUMNS = (
    *("precise layers", "test MSE", "against float32", "as published", "every bit"),
    *("cycles", "LUT", "as memory", "FF", "DSP", "RAMB18", "µJ", "fits"),
)


def _layers(outcomes: Outcomes, parts: Mapping[Cell, Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## The precise layers of the 2-bit encoder–decoder", "")
    cells = {cell.precise: cell for cell in QUESTIONS["layers"]}
    wide, narrow = cells[16], cells[2]
    if wide in parts and narrow in parts:
        said = [
            f"{parts[wide][name]:{form}} to {parts[narrow][name]:{form}} {unit}"
            for name, form, unit in _COSTS
        ]
        yield f"From 16 bits to 2, {', '.join(said)}."
    increases = [
        f"{bits} bits {_increase(found)}{' (1 seed)' * (len(found) == 1)}"
        for bits, cell in cells.items()
        if bits != FLOAT_BITS and (found := outcomes.get(cell, ()))
    ]
    if increases:
        yield f"Test MSE against the float32 model: {', '.join(increases)}."
    yield (
        "*As published* counts linear layers at nominal widths (published, with float32:"
        f" {PUBLISHED_COMPRESSION} times smaller at less than {PUBLISHED_INCREASE:.0%} more error),"
        f" *every bit* all that is stored. Counts are Yosys' of the {PART.upper()}, without a"
        " board's shell, of untrained models: trained ones may take more LUTs. Energy is"
        " the model of `bitformer estimate` at 100 MHz."
    )
    yield ""
    rows = []
    for bits, cell in cells.items():
        found, part = outcomes.get(cell, ()), parts.get(cell)
        line = [f"{bits} bits", spread(_tests(found)), UNKNOWN, UNKNOWN]
        if found:
            line[2:] = [_increase(found), f"{published_ratio(found[0].trial.config):.2f} ×"]
        if bits == FLOAT_BITS:
            line = ["float32", *line[1:], *["–"] * 9]
        elif part is None:
            line += [UNKNOWN] * 9
        else:
            names = ("latency", "luts", "luts_as_memory", "ffs", "dsps", "ramb18")
            line += [f"{part['smaller']:.2f} ×", *(str(part[name]) for name in names)]
            line += [f"{part['energy_uj']:.1f}", "yes" if part["fits"] else "**no**"]
        rows.append(line)
    yield from markdown_table(_PRECISE_COLUMNS, rows)


def _powers(outcomes: Outcomes) -> Iterator[str]:
    own = [cell for cell in QUESTIONS["powers"] if cell.bits == "4p/8"]
    yield from ("## Powers of two (`4p`) or uniform weights of 4 bits", "")
    qat, ptq = (tally(_against(outcomes, own, method, bits="4/8")) for method in METHODS)
    yield f"Powers of two against uniform weights are, trained, {qat}; calibrated only, {ptq}."
    yield ""
    rows = [*_rows(outcomes, QUESTIONS["powers"], ("4/8", "4p/8"), {}, None)]
    yield from markdown_table(("model", "method", "4/8", "4p/8"), rows)


def markdown(outcomes: Outcomes, parts: Mapping[Cell, Mapping[str, Any]]) -> str:
    """The whole page."""
    lines = [
        "# What rounding costs",
        "",
        "Written by `python benchmarks/study.py --write`, which goes on where it was. Test MSE of"
        " standardised forecasts, mean ± deviation of three seeds unless a cell says otherwise;"
        " trained with the defaults of `bitformer train`. Columns are bits of weights/activations;"
        f" first, last and context-attention layers keep {PRECISE}/{PRECISE}, the linear path"
        " 8/16. QAT trains with rounding, PTQ rounds the same float model. A *tie*: means are no"
        " farther apart than both deviations together. Lines of which nothing is measured are left"
        " out.",
        "",
        "*ETTh1* is `etth1-96-24`, *ozone* Beijing's an hour ahead from 24 hours of seven other"
        " quantities, the *encoder–decoder* `etth1-48-24-ed` on ETTh1, without a linear path. On"
        " ETTh1 a line ties with the network ([accuracy](accuracy.md)): there, the rounding of all"
        " but the linear path shows little.",
        "",
        *_methods(outcomes),
        *_ranges(outcomes),
        *_zeros(outcomes),
        *_layers(outcomes, parts),
        *_powers(outcomes),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"
