"""The power report of Vivado."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bitformer.boards.build.manifest import Manifest
from bitformer.boards.reports.kind import ReportKind, TableRow
from bitformer.boards.reports.vivado.text import (
    VivadoReport,
    header_of,
    number,
    origin_of,
    tables,
)
from bitformer.model.errors import UserError

__all__ = ["POWER", "Power", "read_power"]

#: Dynamic and static power are rounded each for itself, to a milliwatt.
_ROUNDING_W = 0.0015
_BELIEVED = ("Medium", "High")


@dataclass(frozen=True, kw_only=True)
class Power(VivadoReport):
    """A power report, in watts.

    Parameters
    ----------
    total_w, dynamic_w, static_w : float
    parts : mapping
        What takes it: ``Clocks``, ``Signals``, ``Block RAM``, … as far as the report says.
    confidence : str or None
        ``Low``, ``Medium`` or ``High``; None where the report hides it.
    activity : str or None
        The SAIF file that the switching activity came from; None where it was guessed.
    matched : str or None
        The share of nets that the file named.
    junction_c : float or None
    too_hot : bool
        Whether the report flags the junction temperature.
    process, grade : str or None
        ``typical`` and ``commercial`` by default: figures of other settings do not compare.
    """

    total_w: float
    dynamic_w: float
    static_w: float
    parts: Mapping[str, float]
    confidence: str | None
    activity: str | None
    matched: str | None
    junction_c: float | None
    too_hot: bool
    process: str | None
    grade: str | None

    @property
    def problems(self) -> tuple[str, ...]:
        """The reasons not to believe the figure; empty if there are none."""
        found = []
        if self.confidence is None:
            found.append("the power report hides its confidence level")
        elif self.confidence not in _BELIEVED:
            source = (
                "switching activity was guessed; give the build --saif"
                if self.activity is None
                else f"in spite of {self.activity}"
            )
            found.append(f"confidence in the power report is {self.confidence} ({source})")
        if abs(self.total_w - self.dynamic_w - self.static_w) > _ROUNDING_W:
            found.append(
                f"power does not add up: {self.dynamic_w} W dynamic and {self.static_w} W static"
                f" are not {self.total_w} W"
            )
        if self.too_hot:
            found.append("the power report says that the junction gets too hot")
        if self.not_routed:
            found.append(f"the power report is of a {self.not_routed} design, not a routed one")
        return tuple(found)

    @property
    def idle_w(self) -> float | None:
        """Watts while only the clock switches: static and clocks; None where they are unknown."""
        clocks = self.parts.get("Clocks")
        return None if clocks is None else self.static_w + clocks


def read_power(text: str) -> Power:
    """Read ``report_power``, of any release since 2018.2.

    Raises
    ------
    UserError
        If a power is missing or no number.
    """
    header = header_of(text)
    pairs: dict[str, str] = {}
    parts: dict[str, float] = {}
    for table in tables(text):
        for cells in table:
            if len(cells) == 2:
                pairs.setdefault(cells[0].strip(), cells[1])
        if table[0][:2] == ["On-Chip", "Power (W)"]:
            for cells in (row for row in table[1:] if len(row) > 1):
                watts = number(cells[1])
                if watts is not None and not cells[0].startswith("  "):
                    parts[cells[0].strip()] = watts

    def watts_of(name: str) -> float:
        watts = number(pairs.get(name, ""))
        if watts is None:
            raise UserError(f"Power report has no {name}")
        return watts

    def said(name: str) -> str | None:
        return pairs[name] if pairs.get(name, "---") not in ("---", "NA", "") else None

    total = "Total On-Chip Power (W)"
    return Power(
        **origin_of(header),
        total_w=watts_of(total),
        dynamic_w=watts_of("Dynamic (W)"),
        static_w=watts_of("Device Static (W)"),
        parts=parts,
        confidence=said("Confidence Level"),
        activity=said("Simulation Activity File"),
        matched=said("Design Nets Matched"),
        junction_c=number(pairs.get("Junction Temperature (C)", "")),
        too_hot="exceeded" in pairs[total].lower(),
        process=header.get("Process"),
        grade=header.get("Grade"),
    )


def _rows(power: Power, _build: Manifest | None) -> Iterator[TableRow]:
    yield "power", f"{power.total_w:.3f}", "W"
    yield "of it static", f"{power.static_w:.3f}", "W"
    yield "confidence", power.confidence or "hidden", ""
    yield "activity", power.activity or "guessed", power.matched or ""
    yield "process, grade", f"{power.process or '?'}, {power.grade or '?'}", ""


POWER = ReportKind(
    name="power",
    subject="power",
    files={"*.rpt": r"Total On-Chip Power \(W\)"},
    read=read_power,
    problems=lambda found, _build: found.problems,
    rows=_rows,
)
