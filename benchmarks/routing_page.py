"""The pages of what was routed: docs/routing.md, and the question of bits in docs/search.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from tables import markdown_table

from bitformer.synth.router import target_of

__all__ = [
    "BITS",
    "BITS_TITLE",
    "COLUMNS",
    "PATHS",
    "bits_cells",
    "bits_section",
    "cells",
    "kept_section",
    "page",
    "path_cells",
    "with_section",
]

Record = Mapping[str, Any]
_APART = "no seed of one within the other's"

COLUMNS = (
    "design",
    "part",
    "products a cycle",
    "cycles",
    "best",
    "median MHz",
    "worst",
    "µs",
    "LUT",
    "FF",
    "block RAM",
    "multiplier",
    "s a seed",
)
PATHS = ("design", "from", "to", "ns", "logic", "routing", "levels")
BITS = ("shape", "bits", "cycles", "best", "median MHz", "worst", "µs", "LUT", "FF", "worst path")
#: The heading in docs/search.md.
BITS_TITLE = "## Do components of 8 bits limit the clock?"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _used(record: Record, *names: str) -> list[str]:
    used = {use["resource"]: use["used"] for use in record["routing"]["resources"]}
    # a logic cell is a LUT and a flip-flop
    used.setdefault("LUT", used.get("logic cell"))
    counts = [used.get(name) for name in names]
    return ["" if count is None else _count(count) for count in counts]


def _clocks(record: Record) -> list[str]:
    """Best, median and worst seed, and the microseconds by the median."""
    routing = record["routing"]
    found = [f"{routing[f'{which}_mhz']:.1f}" for which in ("best", "median", "worst")]
    return [*found, f"{record['cycles'] / routing['median_mhz']:.1f}"]


def _best_path(record: Record) -> dict[str, Any]:
    routing = record["routing"]
    best = next(seed for seed in routing["seeds"] if seed["seed"] == routing["best_seed"])
    return best["path"]


def cells(record: Record) -> tuple[str, ...]:
    """A record as a row of the table."""
    seeds = record["routing"]["seeds"]
    return (
        record["design"],
        record["part"],
        str(record["products"]),
        _count(record["cycles"]),
        *_clocks(record),
        *_used(record, "LUT", "FF", "block RAM", "multiplier"),
        f"{sum(seed['seconds'] for seed in seeds) / len(seeds):.0f}",
    )


def path_cells(record: Record) -> tuple[str, ...]:
    """The worst path of a record's best seed as a row of the other table."""
    path = _best_path(record)
    return (
        f"{record['design']} on {record['part']}",
        f"`{path['start']}`",
        f"`{path['end']}`",
        f"{path['delay_ns']:.2f}",
        f"{path['logic_ns']:.2f}",
        f"{path['routing_ns']:.2f}",
        str(path["levels"]),
    )


def bits_cells(shape: str, bits: str, record: Record) -> tuple[str, ...]:
    """A record as a row of the table of bits."""
    path = _best_path(record)
    return (
        shape,
        bits,
        _count(record["cycles"]),
        *_clocks(record),
        *_used(record, "LUT", "FF"),
        f"`{path['start']}` to `{path['end']}`",
    )


def condition(record: Record) -> str:
    """What a part was routed by and asked for."""
    routing = record["routing"]
    speed = f", the slowest speed grade ({routing['speed']})" if routing["speed"] else ""
    kept = target_of(routing["part"]).router.ports
    ports = f"no ports but {' and '.join(kept)}" if kept else "ports anywhere"
    then = f", hardware as of commit {record['commit']}" if "commit" in record else ""
    return f"{routing['tool']}, {routing['asked_hz'] / 1e6:g} MHz asked{speed}, {ports}{then}"


def page(
    records: Sequence[Record],
    lacking: Sequence[str],
    missing: Sequence[str],
    synthesis: str,
) -> str:
    """The text of docs/routing.md.

    ``lacking`` is what rows do not reach, ``missing`` are rows that are not measured, ``synthesis``
    is the tool before place and route. A record's ``commit`` is that of other hardware than
    today's.
    """
    seeds = len(records[0]["routing"]["seeds"])
    conditions: dict[str, dict[str, None]] = {}
    for record in records:
        conditions.setdefault(condition(record), {})[record["part"]] = None
    lines = [
        "# The clock after place and route",
        "",
        f"Written by `python benchmarks/routing.py`: accelerators of untrained models"
        f", without a board's shell, synthesized by {synthesis}. {seeds}"
        " seeds each. µs are cycles"
        " by the median clock. Seconds are of one seed, on a machine that was busy with other work."
        " Nothing here ran on a board.",
        "",
        *(f"* {', '.join(parts)}: {said}." for said, parts in conditions.items()),
        "",
        "A logic cell of the ice40up5k, a LUT and a flip-flop, counts as a LUT here.",
        "",
        *markdown_table(COLUMNS, [cells(record) for record in records]),
        "The worst path of the best seed, in nanoseconds:",
        "",
        *markdown_table(PATHS, [path_cells(record) for record in records]),
    ]
    if lacking:
        lines += ["Not reached of what was set as the least:", ""]
        lines += [*(f"* {one}" for one in lacking), ""]
    if missing:
        lines += [f"Not measured yet, of this hardware: {', '.join(missing)}.", ""]
    lines += [
        "[search.md](search.md) has the clock of uniform 4, 6 and 8 bits, and of 4 and 6 mixed."
        " `bitformer synthesize M --part lfe5u-25f --route` measures your own model so;"
        " `bitformer build M --board ulx3s-25f` routes it with its board's shell and pins.",
        "",
    ]
    return "\n".join(lines)


def _against(shape: str, found: Mapping[str, Record], uniform: str) -> list[str]:
    """What 8 bits reach against others of the same shape, as sentences."""
    eight = found[uniform]["routing"]
    said = []
    for bits, record in found.items():
        if bits != uniform:
            other = record["routing"]
            change = eight["median_mhz"] / other["median_mhz"] - 1
            apart = eight["best_mhz"] < other["worst_mhz"] or other["best_mhz"] < eight["worst_mhz"]
            reach = _APART if apart else "their seeds overlap"
            said.append(f"{change:+.1%} against {bits} bits ({reach})")
    return [f"- {shape}: uniform 8 bits reach {', '.join(said)}."] if said else []


def bits_section(
    measured: Mapping[tuple[str, str], Record],
    missing: Sequence[str],
    synthesis: str,
) -> list[str]:
    """The lines of the section in docs/search.md.

    ``measured`` are records by shape and bits. Without one of uniform 8 bits, nothing is said of
    its shape but the row.
    """
    if not measured:
        return [BITS_TITLE, "", f"Not measured yet, of this hardware: {', '.join(missing)}.", ""]
    first = next(iter(measured.values()))
    lines = [
        BITS_TITLE,
        "",
        f"Written by `python benchmarks/routing.py --write`: accelerators of untrained models"
        f" with the same engine, {first['products']} products a cycle and"
        f" none packed, on the {first['part']}, synthesized by {synthesis};"
        f" {condition(first)}; {len(first['routing']['seeds'])} seeds each. «4, 6» has"
        " them in turn from component to"
        " component; one number is weights and activations."
        " Medians of three seeds differ by some percent where nothing is changed.",
        "",
        *markdown_table(BITS, [bits_cells(*key, record) for key, record in measured.items()]),
    ]
    shapes = dict.fromkeys(shape for shape, _ in measured)
    said = []
    for shape in shapes:
        own = {bits: record for (name, bits), record in measured.items() if name == shape}
        if "8" in own:
            said += _against(shape, own, "8")
    if said and not missing and not any(_APART in one for one in said):
        lines.append(
            "They do not, in these designs: uniform 8 bits lie among the seeds of all others."
        )
        lines.append("")
    lines += said
    lines += [""] * (lines[-1] != "")
    if missing:
        lines += [f"Not measured yet, of this hardware: {', '.join(missing)}.", ""]
    return lines


def kept_section(page: str) -> list[str]:
    """The lines of the section of bits in a text of docs/search.md; nothing if it has none."""
    _, title, rest = page.partition(f"{BITS_TITLE}\n")
    own = rest.split("\n## ", 1)[0].rstrip()
    return [BITS_TITLE, *own.split("\n"), ""] if title else []


def with_section(page: str, section: Sequence[str]) -> str:
    """A page with this section, of a title of two #, in place of its own, or behind all else."""
    before, _, rest = page.partition(f"{section[0]}\n")
    _, found, after = rest.partition("\n## ")
    parts = [before.rstrip(), "\n".join(section).strip()]
    return "\n\n".join([*parts, *([f"## {after}".rstrip()] if found else [])]) + "\n"
