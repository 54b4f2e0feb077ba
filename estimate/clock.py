"""The clock that a design reaches: measured, predicted from other designs, or calibrated.

A design that was placed and routed itself has the megahertz of its seeds. Another one, on a part
that can be routed here, has those that measured designs of the part reach, whose spread is its
error bar. Of a part that no tool here routes, Vivado's report of a build of the very model counts;
until there is one, paths as synthesis sees them, calibrated (:mod:`.calibrated_clock`).
"""

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bitformer.estimate.calibrated_clock import calibrated
from bitformer.estimate.features import VERSION
from bitformer.estimate.knowledge import Entry
from bitformer.estimate.measure import routed_key
from bitformer.hw.parts import PARTS

__all__ = ["CALIBRATED", "MEASURED", "PREDICTED", "Reached", "reached"]

#: What a clock ``by`` may be.
MEASURED, PREDICTED, CALIBRATED = "measured", "predicted", "calibrated"
#: Fewer routed designs than this predict nothing.
LEAST = 3
#: Standard deviations of the error bar: 95 of 100 designs, if the errors are normal.
_DEVIATIONS = 1.96


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The clock that a design reaches, in megahertz.

    Parameters
    ----------
    mhz : float
        Of a measured design the median of its seeds.
    low, high : float
        Of a measured design its worst and its best seed; else between what 95 of 100 lie.
    by : str
        ``"measured"``, ``"predicted"`` or ``"calibrated"``.
    source : str
        What it follows from, as the end of a sentence.
    """

    mhz: float
    low: float
    high: float
    by: str
    source: str

    def microseconds(self, cycles: int) -> float:
        """Return the time of so many cycles."""
        return cycles / self.mhz

    def sentence(self, cycles: int) -> str:
        """Return what is known of the time of so many cycles."""
        between = f" ({self.low:.0f} to {self.high:.0f})" if self.low < self.high else ""
        return (
            f"{self.by.capitalize()} clock: {self.mhz:.1f} MHz{between}, so"
            f" {self.microseconds(cycles):.2f} us; {self.source}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def reached(
    entries: Iterable[Entry],
    part: str,
    *,
    digest: str | None = None,
    model: int | None = None,
    loads: int | None = None,
) -> Reached | None:
    """Return the clock that a design reaches on a part; None where nothing is known of the part.

    Parameters
    ----------
    entries : iterable of Entry
        Of knowledge bases.
    part : str
        Its name.
    digest : str or None
        Of the design's synthesis, by which it is found where it was routed itself.
    model : int or None
        The hash of its model (:func:`bitformer.model.identity.model_hash`) as a number, by which
        Vivado's report of a build of it is found.
    loads : int or None
        Of its widest net but clocks and resets, where it was synthesized.
    """
    known = list(entries)
    found = None if digest is None else _measured(known, digest)
    if found is None and model is not None:
        found = _reported(known, part, model)
    if found is None:
        found = _predicted(known, part)
    elsewhere = PARTS[part].family.routed
    if found is None and elsewhere is not None:
        one = calibrated(elsewhere, loads)
        source = f"calibrated on {len(elsewhere.designs)} designs, {elsewhere.source}"
        found = Reached(**vars(one), by=CALIBRATED, source=source)
    return found


def _of_most_seeds(entries: Iterable[Entry]) -> Entry | None:
    return max(entries, key=lambda one: (one.features["seeds"], _median(one)), default=None)


def _median(entry: Entry) -> float:
    return entry.features["median_mhz"]


def _measured(entries: Iterable[Entry], digest: str) -> Reached | None:
    """Return the clock of the design that was routed itself with most seeds."""
    key = routed_key(digest)
    own = (one for one in entries if one.kind == "routed" and one.key.startswith(key))
    best = _of_most_seeds(own)
    if best is None:
        return None
    seeds = int(best.features["seeds"])
    return Reached(
        mhz=_median(best),
        low=best.features["worst_mhz"],
        high=best.features["best_mhz"],
        by=MEASURED,
        source=(
            f"{best.tool} {best.version} routed this very design"
            + (f", the median of {seeds} seeds" if seeds > 1 else " with one seed")
        ),
    )


def _reported(entries: Iterable[Entry], part: str, model: int) -> Reached | None:
    """Return the clock of a build of this very model that Vivado reported, the newest release's."""
    own = [
        one
        for one in entries
        if one.kind == "build"
        and one.part.startswith(part)
        and one.features.get("model") == model
        and "reached_mhz" in one.features
    ]
    best = max(own, key=lambda one: (one.version, one.features["reached_mhz"]), default=None)
    if best is None:
        return None
    mhz = best.features["reached_mhz"]
    return Reached(
        mhz=mhz,
        low=mhz,
        high=mhz,
        by=MEASURED,
        source=f"{best.tool} {best.version} reported a build of this model with its board's shell",
    )


def _predicted(entries: Iterable[Entry], part: str) -> Reached | None:
    """Return the median clock of the part's routed designs, of each the entry of most seeds."""
    by_design: dict[str, list[Entry]] = {}
    for one in entries:
        if one.kind == "routed" and one.part == part and one.features.get("version") == VERSION:
            by_design.setdefault(one.key.partition(".")[0], []).append(one)
    best = [found for own in by_design.values() if (found := _of_most_seeds(own)) is not None]
    if len(best) < LEAST:
        return None
    each = [_median(one) for one in best]
    middle = statistics.median(each)
    # of a new design, whose median is not among theirs
    margin = _DEVIATIONS * statistics.stdev(each) * (1 + 1 / len(each)) ** 0.5
    return Reached(
        mhz=middle,
        low=max(0.0, middle - margin),
        high=middle + margin,
        by=PREDICTED,
        source=f"{len(each)} routed designs of the {part} reach {min(each):.0f} to {max(each):.0f}",
    )
