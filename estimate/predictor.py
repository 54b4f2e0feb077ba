"""Predicts what a design takes of a part: exact where it can be, fitted on measurements elsewhere.

Cycles, DSP blocks and block RAMs follow from the design. LUTs and flip-flops are fitted: the units'
logic on physical features (:mod:`.features`) of all designs in the knowledge base. A design that
was measured itself is taken as it was.

How far an estimate may be off is told by designs that the fit has not seen, nor any of their family
of shapes: each family is left out in turn, and 95 of 100 of these errors are smaller than a margin
(cross-conformal prediction: Vovk, 2015, with families as folds). Designs of several token rows are
further off than others, so errors of both are held in units of their own (normalized conformal
prediction: Papadopoulos, Vovk and Gammerman, 2011).
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitformer.estimate.features import FEATURES, VERSION, physical, quantities
from bitformer.estimate.knowledge import Entry
from bitformer.estimate.logic_cells import CELLS
from bitformer.estimate.measured_range import measured_range, outside
from bitformer.estimate.regression import PENALTY, Fit, fit
from bitformer.hw.design import Design
from bitformer.hw.families.family import Family, Luts
from bitformer.hw.parts import DEFAULT_PART, PARTS, Use, known_uses
from bitformer.model.errors import UserError
from bitformer.model.numerics import round_half_up
from bitformer.model.plain import shown

__all__ = [
    "SHARE",
    "Interval",
    "Prediction",
    "Predictor",
    "luts_of",
    "measured_prediction",
]

#: More than any design has of anything.
_MOST = 10**9
#: Fewer measured designs than this fit nothing.
LEAST = 12
#: The share of designs that an interval holds.
SHARE = 0.95
#: How errors grow: with what is predicted, or with the root of it where most is counted.
_GROWTH = {"luts": 1.0, "lutram": 0.5, "ffs": 1.0}
#: Designs of a kind that have to be there for an error of its own.
_OF_A_KIND = 6
#: How much the fits of units hold to what was read in netlists.
_PENALTY = 0.05


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number, and between what it lies for 95 of 100 designs; one point if it is exact."""

    value: int
    low: int
    high: int

    @classmethod
    def exact(cls, value: int) -> "Interval":
        """Return the interval of a number that is known."""
        return cls(value=value, low=value, high=value)

    def __str__(self) -> str:
        return (
            str(self.value) if self.low == self.high else f"{self.value} ({self.low}–{self.high})"
        )


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A design's resources and cycles.

    ``measured`` : they are a synthesis' own. ``lutram``, LUTs as memory, are among ``luts``.
    ``outside`` : of what it has more than all measured designs, or other kinds, in words.
    """

    part: str
    luts: Interval
    lutram: Interval
    ffs: Interval
    ramb18: int
    dsps: int
    latency: int
    interval: int
    measured: bool = False
    outside: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Resources and cycles as plain numbers."""
        return {
            **{name: getattr(self, name).value for name in ("luts", "lutram", "ffs")},
            **{name: getattr(self, name) for name in ("ramb18", "dsps", "latency", "interval")},
        }

    @property
    def uses(self) -> tuple[Use, ...]:
        """The part's budget beside what is predicted."""
        part = PARTS[self.part]
        return known_uses(
            Use(resource="LUT", used=self.luts.value, available=part.luts),
            Use(resource="LUT as memory", used=self.lutram.value, available=part.lutram_luts),
            Use(resource="FF", used=self.ffs.value, available=part.ffs),
            Use(resource=part.family.block_ram.name, used=self.ramb18, available=part.ramb18),
            Use(resource="DSP", used=self.dsps, available=part.dsps),
        )

    @property
    def over(self) -> tuple[Use, ...]:
        """The resources of which the part has too few."""
        return tuple(use for use in self.uses if use.over)

    def to_dict(self) -> dict[str, object]:
        """Return the prediction as plain data."""
        return {
            **dataclasses.asdict(self),
            "fits": not self.over,
            "over": {use.resource: use.over for use in self.over},
        }


def measured_prediction(design: Design, entry: Entry) -> Prediction:
    """Return what a design takes that was synthesized itself, by its ``entry``."""
    return Prediction(
        part=design.part,
        luts=Interval.exact(luts_of(entry)),
        lutram=Interval.exact(entry.lutram),
        ffs=Interval.exact(entry.ffs),
        ramb18=entry.ramb18,
        dsps=entry.dsps,
        latency=design.latency,
        interval=design.interval,
        measured=True,
    )


class Predictor:
    """Predicts from measured designs of one family, by default the default part's.

    Where a LUT and a flip-flop share a logic cell, the LUTs that are predicted are logic cells.

    Raises :class:`UserError` if there are fewer than ``LEAST`` that can be used.
    """

    def __init__(self, entries: Iterable[Entry], *, family: Family = PARTS[DEFAULT_PART].family):
        self.family = family
        self._shared = family.luts.holds_register
        usable = [
            entry
            for entry in entries
            if entry.kind == "design"
            and entry.srls is not None
            and (not self._shared or CELLS in entry.features)
            and (entry.part not in PARTS or PARTS[entry.part].family is family)
            and entry.features.get("version") == VERSION
        ]
        unique = {entry.key: entry for entry in usable}
        self.entries = [unique[key] for key in sorted(unique)]
        if len(self.entries) < LEAST:
            raise UserError(
                f"Knowledge base must hold at least {LEAST} measured designs of the {family.name},"
                f" not {len(self.entries)}: 'bitformer profile --parts PART' measures some"
            )
        self._rows = [_row(entry, family.luts) for entry in self.entries]
        taken = np.array([(luts_of(one), one.lutram, one.ffs) for one in self.entries])
        counted = np.array([self._counted(entry.features) for entry in self.entries])
        self.logic, self.memory, self.ffs = self._fits(self._rows, taken - counted)
        errors = self._errors(taken, counted)
        #: Standard deviations of errors, of LUTs those of the sum of two fits.
        self.spread = {name: _spread(own) for name, own in errors.items()}
        several = np.array([entry.features["rows"] > 1 for entry in self.entries])
        #: How many times as far off designs of several token rows are.
        self.wider = {name: _wider(own, several) for name, own in errors.items()}
        #: Margins of designs of one token row.
        self.margins = {
            name: _margin(own / np.where(several, self.wider[name], 1.0))
            for name, own in errors.items()
        }
        self._range = measured_range([entry.features for entry in self.entries])

    def _fits(self, rows: Sequence[Mapping[str, Any]], taken: np.ndarray) -> tuple[Fit, Fit, Fit]:
        """Return the fits of LUTs as logic and as memory, and of flip-flops.

        ``taken`` : what is to be fitted, [designs, 3]: LUTs, those as memory, flip-flops.
        """
        names = ("cells", "cell_memory", "cell_ffs") if self._shared else ("logic", "memory", "ffs")
        penalty = PENALTY if self._shared else _PENALTY
        luts, memory, ffs = taken.T
        logic, kept, registers = (
            fit(rows, y, FEATURES[name], penalty)
            for name, y in zip(names, (luts - memory, memory, ffs), strict=True)
        )
        return logic, kept, registers

    def _errors(self, taken: np.ndarray, counted: np.ndarray) -> dict[str, np.ndarray]:
        """Return the errors of each design, by fits without any design of its family.

        They are shares of what such a fit says, to the power of their ``_GROWTH``. ``counted`` :
        what is not fitted, [designs, 3].
        """
        groups = np.array([entry.details.get("family") or entry.key for entry in self.entries])
        said = counted.astype(np.float64)
        for group in np.unique(groups):
            inside, others = np.flatnonzero(groups == group), int((groups != group).sum())
            # where too few are of other families, one design at a time is left out
            parts = [inside] if others >= LEAST else inside[:, None]
            for part in parts:
                known = np.setdiff1d(np.arange(len(groups)), part)
                fits = self._fits([self._rows[n] for n in known], (taken - counted)[known])
                for n in part:
                    logic, memory, ffs = (float(one.predict(self._rows[n])) for one in fits)
                    said[n] += logic + memory, memory, ffs
        errors = (taken - said) / np.maximum(1, said) ** np.array([*_GROWTH.values()])
        return dict(zip(_GROWTH, errors.T, strict=True))

    def _counted(self, q: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """Return LUTs, those as memory, and flip-flops of units that are not fitted."""
        units = ("gelu", "decision", "soft") if self._shared else ("gelu", "decision")
        luts, ffs = (sum(q.get(f"{unit}_{n}", 0) for unit in units) for n in ("luts", "ffs"))
        return luts, 0, ffs

    def counts(self, q: Mapping[str, Any]) -> dict[str, Any]:
        """Predict LUTs, LUTs as memory and flip-flops from quantities: numbers or arrays."""
        features = physical(q, self.family.luts)
        # a fit makes no 0 of zeros
        memory = self.memory.predict(features) * bool(self.family.luts.rams)
        luts, _, ffs = self._counted(q)
        return {
            "luts": round_half_up(self.logic.predict(features) + memory) + luts,
            "lutram": round_half_up(memory),
            "ffs": round_half_up(self.ffs.predict(features)) + ffs,
        }

    def predict(
        self, design: Design, *, digest: Callable[[Design], str] | None = None
    ) -> Prediction:
        """Predict the resources of a lowered design.

        With ``digest`` (:func:`bitformer.synth.synthesize.digest`), a design that was measured is
        taken from the base; it is asked only when one with the same quantities is there.
        """
        # by name: a worker process has a family of its own
        if design.family.name != self.family.name:
            raise UserError(
                f"Knowledge base must hold measured designs of the {design.family.name}, and those"
                f" taken are of the {self.family.name}"
            )
        q = {name: int(value) for name, value in quantities(design).items()}
        measured = None
        if digest is not None:
            same = {e.key: e for e in self.entries if {**e.features, **q} == e.features}
            measured = same.get(digest(design)) if same else None
        if measured is not None:
            return measured_prediction(design, measured)
        rows = design.geometry.rows
        counts = {n: self.interval(n, int(v), rows=rows) for n, v in self.counts(q).items()}
        return Prediction(
            part=design.part,
            **counts,
            ramb18=q["ramb18"],
            dsps=design.geometry.dsps,
            latency=design.latency,
            interval=design.interval,
            measured=False,
            outside=outside(q, self._range),
        )

    def interval(self, name: str, value: int, *, rows: int = 1) -> Interval:
        """Return ``value`` with the margin of ``luts``, ``lutram`` or ``ffs`` of so many rows."""
        share = self.margins[name] * (self.wider[name] if rows > 1 else 1.0)
        margin = int(np.ceil(share * max(0, value) ** _GROWTH[name]))
        return Interval(value=value, low=max(0, value - margin), high=value + margin)


def _spread(errors: np.ndarray) -> float:
    """Return the standard deviation of errors, which are around 0."""
    return float(np.sqrt(np.mean(np.square(errors))))


def _wider(errors: np.ndarray, several: np.ndarray) -> float:
    """Return the spread of errors of designs of several rows, in that of the others; 1 of few."""
    if min(several.sum(), (~several).sum()) < _OF_A_KIND:
        return 1.0
    return max(1.0, _spread(errors[several]) / max(1e-9, _spread(errors[~several])))


def _margin(errors: np.ndarray) -> float:
    """Return what ``SHARE`` of all designs are off at most, a new one counted with those here."""
    share = min(1.0, SHARE * (len(errors) + 1) / len(errors))
    return float(np.quantile(np.abs(errors), share, method="higher"))


def luts_of(entry: Entry) -> int:
    """Return the LUTs of a measured design, the logic cells where those are counted."""
    return int(entry.features.get(CELLS, entry.luts))


def _row(entry: Entry, luts: Luts) -> dict[str, Any]:
    """Return the features of a measured design, after a check of its quantities and counts."""
    where = f"Knowledge base must hold measured designs, and entry {shown(entry.key)}"
    for name, value in (("luts", entry.luts), *entry.features.items()):
        if not (name == "luts") <= value <= _MOST:
            raise UserError(f"{where} has {shown(value)} as its {shown(name)}")
    try:
        return physical(entry.features, luts)
    except KeyError as error:
        raise UserError(f"{where} has no {error} among its features") from None
