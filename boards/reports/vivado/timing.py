"""The timing summary of Vivado."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bitformer.boards.build.manifest import Manifest
from bitformer.boards.reports.kind import ReportKind, TableRow
from bitformer.boards.reports.vivado.text import (
    VivadoReport,
    count,
    header_of,
    number,
    origin_of,
)
from bitformer.model.errors import UserError

__all__ = ["TIMING", "Timing", "read_timing"]

#: Columns of the design's summary: worst slack, sum, failing and all endpoints, of each kind.
_KINDS = {"setup": "WNS", "hold": "WHS", "pulse width": "WPWS"}
#: Checks of ``check_timing`` whose count has to be zero. Ports have a check of their own.
_MUST_BE_ZERO = (
    "no_clock",
    "unconstrained_internal_endpoints",
    "generated_clocks",
    "loops",
    "latch_loops",
)


@dataclass(frozen=True, kw_only=True)
class Timing(VivadoReport):
    """A timing summary.

    Parameters
    ----------
    slack_ns : mapping
        The worst slack of ``setup``, ``hold`` and ``pulse width``; None where nothing of the kind
        is constrained.
    failing : mapping
        How many endpoints fail, likewise.
    clocks : mapping
        The period of each clock in nanoseconds.
    checks : mapping
        What ``check_timing`` counted.
    bare_ports : int
        Ports with neither a delay nor an exception.
    met : bool or None
        What Vivado concluded; None where it does not say.
    """

    slack_ns: Mapping[str, float | None]
    failing: Mapping[str, int | None]
    clocks: Mapping[str, float]
    checks: Mapping[str, int]
    bare_ports: int
    met: bool | None

    @property
    def problems(self) -> tuple[str, ...]:
        """The reasons why timing is not met, or not known to be; empty if it is met."""
        found = []
        for kind in _KINDS:
            slack, failing = self.slack_ns[kind], self.failing[kind]
            if slack is None or failing is None:
                found.append(f"{kind} is not constrained (NA in the timing report)")
            elif slack < 0 or failing:
                found.append(f"{kind} fails by {-slack:.3f} ns at {failing} endpoint(s)")
        if not self.clocks:
            found.append("no clock is constrained")
        if not self.checks:
            found.append("the timing report has no check_timing section")
        found += [
            f"check_timing: {name} is {self.checks[name]}"
            for name in _MUST_BE_ZERO
            if self.checks.get(name)
        ]
        if self.bare_ports:
            found.append(f"{self.bare_ports} port(s) have neither a delay nor an exception")
        if self.not_routed:
            found.append(f"the timing report is of a {self.not_routed} design, not a routed one")
        if not found and self.met is not True:
            found.append("Vivado does not say that the timing constraints are met")
        return tuple(found)

    def fmax_mhz(self, clock_hz: int | None = None) -> float | None:
        """Return the fastest clock at which setup is just met; None where that is not known.

        It is 1000 / (period − worst slack), with the period of ``clock_hz`` or of the only clock.
        """
        slack = self.slack_ns["setup"]
        period = next(iter(self.clocks.values()), None) if len(self.clocks) == 1 else None
        if clock_hz is not None:
            period = 1e9 / clock_hz
        return None if slack is None or period is None else 1000 / (period - slack)


def read_timing(text: str) -> Timing:
    """Read ``report_timing_summary``, of any release since 2018.2.

    Raises
    ------
    UserError
        If there is no summary in it.
    """
    summary = _summary(text)
    slack, failing = {}, {}
    for kind, name in _KINDS.items():
        at = 4 * list(_KINDS).index(kind)
        if not summary or name not in summary[0][at]:
            raise UserError(f"Timing report has no column {name}(ns) in its design summary")
        endpoints = number(summary[1][at + 2])
        slack[kind] = number(summary[1][at])
        failing[kind] = None if endpoints is None else round(endpoints)
    met = None
    if "All user specified timing constraints are met" in text:
        met = True
    if re.search(r"Timing constraints are not met|no user specified timing constraints", text):
        met = False
    return Timing(
        **origin_of(header_of(text)),
        slack_ns=slack,
        failing=failing,
        clocks=_clocks(text),
        checks=_checks(text),
        bare_ports=sum(
            count(ports)
            for ports in re.findall(
                r"There (?:is|are) (\d+) (?:input )?ports? with no (?:in|out)put delay specified",
                text,
            )
        ),
        met=met,
    )


def _summary(text: str) -> tuple[list[str], list[str]] | None:
    """Return names and values of the design's summary: below its title, dashes in between."""
    _, _, rest = text.partition("| Design Timing Summary")
    lines = [line for line in rest.splitlines() if line.strip()]
    for names, dashes, values in zip(lines, lines[1:], lines[2:], strict=False):
        if set(dashes.strip()) == {"-", " "} and "WNS(ns)" in names:
            heads, cells = re.split(r"\s{2,}", names.strip()), re.split(r"\s{2,}", values.strip())
            return (heads, cells) if len(heads) == len(cells) == 12 else None
    return None


def _clocks(text: str) -> dict[str, float]:
    """Return the periods in the clock summary; a generated clock is indented."""
    found = re.findall(r"^\s*(\S+)\s+\{[\d. ]+\}\s+([\d.]+)\s+[\d.]+\s*$", text, re.M)
    return {name: number(period) or 0.0 for name, period in found}


def _checks(text: str) -> dict[str, int]:
    """Return the counts of ``check_timing``: beside a title, or below it in older releases."""
    found = {}
    for name, beside, below in re.findall(
        r"^\s*\d+\. checking (\w+)(?: \((\d+)\))?\s*\n-+\n\s*There (?:is|are) (\d+)", text, re.M
    ):
        found[name] = count(beside or below)
    return found


def _problems(timing: Timing, build: Manifest | None) -> Iterator[str]:
    yield from timing.problems
    if build is not None and timing.clocks:
        period = 1e9 / build.clock_hz
        if not any(abs(found - period) < 1e-3 * period for found in timing.clocks.values()):
            yield f"no clock in the timing report has the design's period of {period:.3f} ns"


def _rows(timing: Timing, build: Manifest | None) -> Iterator[TableRow]:
    for kind, slack in timing.slack_ns.items():
        yield f"{kind} slack", "NA" if slack is None else f"{slack:.3f}", "ns"
    fmax = timing.fmax_mhz(None if build is None else build.clock_hz)
    yield "fastest clock", "NA" if fmax is None else f"{fmax:.1f}", "MHz"


TIMING = ReportKind(
    name="timing",
    subject="timing",
    files={"*.rpt": r"\| Design Timing Summary"},
    read=read_timing,
    problems=_problems,
    rows=_rows,
)
