"""Rows of the page's tables, of the same facts as its charts: numbers as people read them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["ROWS", "number", "percent"]

Row = list[str]
#: Alarms and epochs that a table has room for.
_MOST = 40


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many digits that count, thousands apart by thin spaces."""
    if value is None or not math.isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{places}f}".replace(",", "\u202f")


def percent(part: float | None, places: int = 1) -> str:
    """Return a part in percent."""
    return "–" if part is None else f"{100 * part:.{places}f}\u202f%"


def _tabled(first: Sequence[float], *columns: Sequence[float] | None) -> Iterator[Row]:
    for place, value in enumerate(first):
        yield [number(value), *(number(c[place], 4) for c in columns if c is not None)]


def _class_rows(classes: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for one in classes:
        shares = [percent(one[name]) for name in ("recall", "precision")]
        yield [one["name"], number(one["windows"]), *shares, number(one["f1"])]


def _number_rows(found: Mapping[str, float]) -> Iterator[Row]:
    for name, value in found.items():
        yield [name, number(value)]


def _alarm_rows(alarms: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for one in alarms[:_MOST]:
        yield [number(one["from"] + 1), number(one["to"] + 1), one["time"] or "–"]


def _bit_rows(found: Mapping[str, Any]) -> Iterator[Row]:
    for row in found["rows"]:
        widths = [", ".join(map(str, row[name])) or "–" for name in ("weights", "activations")]
        bits = [number(row["bits"].get(kind, 0)) for kind in found["kinds"]]
        yield [row["name"], *widths, *bits, number(row["total"])]


def _noise_rows(tensors: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for one in tensors:
        ratios = ["exact" if one[n] is None else f"{one[n]:.1f}" for n in ("own", "total")]
        yield [
            one["name"],
            str(one["bits"]),
            *ratios,
            percent(one["clipped"], 2),
            percent(one["share"]),
        ]


def _use_rows(uses: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for use in uses:
        why = ", ".join(f"{reason} {cycles}" for reason, cycles in use["waits"].items())
        figures = (use[n] for n in ("first", "last", "rows", "engine", "post", "waited"))
        yield [use["layer"], *map(number, figures), why or "–"]


def _resource_rows(uses: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for use in uses:
        figures = (use[name] for name in ("used", "available", "low", "high"))
        yield [use["resource"], *map(number, figures)]


def _unit_rows(units: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for one in units:
        figures = (one[n] for n in ("luts", "luts_as_memory", "ffs", "ramb18", "dsps"))
        yield [one["name"], *map(number, figures)]


def _component_rows(components: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for one in components:
        yield [one["name"], number(one["luts"]), number(one["lutram"]), f"{one['ramb18']:.2f}"]


def _store_rows(stores: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for one in stores:
        names = ("depth", "width", "bits", "ramb18", "lutram", "luts")
        figures = (one[n] for n in names)
        kind = "ROM" if one["rom"] else "RAM"
        yield [one["name"], kind, one["placement"], *map(number, figures)]
        for part in one.get("parts", ()):
            figures = (part.get(n, one["width"]) for n in names)
            tensors = ", ".join(part["tensors"])
            yield [f"{one['name']}: {tensors}", kind, part["placement"], *map(number, figures)]


def _report_rows(rows: Iterable[Sequence[str] | None]) -> Iterator[Row]:
    yield from ([name, f"{value} {unit}"] for name, value, unit in filter(None, rows))


def _seed_rows(seeds: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for one in seeds:
        yield [str(one["seed"]), f"{one['mhz']:.1f}", "yes" if one["met"] else "no"]


def _history_rows(history: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for one in history:
        figures = (number(one.get(name), 4) for name in ("loss", "val"))
        yield [str(one.get("epoch", "")), str(one.get("stage", "")), *figures]


#: Functions of the templates.
ROWS = {
    "tabled": _tabled,
    "class_rows": _class_rows,
    "number_rows": _number_rows,
    "alarm_rows": _alarm_rows,
    "bit_rows": _bit_rows,
    "noise_rows": _noise_rows,
    "use_rows": _use_rows,
    "resource_rows": _resource_rows,
    "unit_rows": _unit_rows,
    "component_rows": _component_rows,
    "store_rows": _store_rows,
    "report_rows": _report_rows,
    "seed_rows": _seed_rows,
    "history_rows": _history_rows,
}
