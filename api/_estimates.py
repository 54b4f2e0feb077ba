"""Estimates of a design before synthesis: cycles, resources and energy."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Note
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.estimate.days import PartDays
    from bitformer.estimate.knowledge import Entry
    from bitformer.estimate.predictor import Prediction, Predictor
    from bitformer.hw.design import Design
    from bitformer.hw.lowering.exact import Estimate
    from bitformer.hw.parts import Use

__all__ = ["DesignEstimate", "estimated", "predictor_of"]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class DesignEstimate:
    """What a design is estimated to take of its part.

    Parameters
    ----------
    exact : cycles, and memory by the store.
    prediction : resources of the whole design, LUTs and flip-flops with the interval they lie in
        for 95 of 100; None without enough measured designs to predict by.
    energy : of an inference, ``inference_j``, with what it ``is``: a model's, or a report's of a
        build of this very model; None without a prediction.
    entries : the measured designs that it follows from.
    measured_mhz : megahertz that place and route reached of this very design, in the median of its
        seeds (``synthesize --route``); None where that was not measured.
    """

    exact: "Estimate"
    prediction: "Prediction | None"
    energy: dict[str, Any] | None
    entries: "tuple[Entry, ...]"
    measured_mhz: float | None = None

    @property
    def latency_us(self) -> float:
        """Microseconds from the first number in to the last result out, at the clock asked for."""
        return self.exact.latency_us

    @property
    def measured_us(self) -> float | None:
        """The same at the clock that place and route reached; None where it is not known."""
        return None if self.measured_mhz is None else self.exact.latency / self.measured_mhz

    @property
    def energy_j(self) -> float | None:
        """Joules of an inference."""
        return None if self.energy is None else self.energy["inference_j"]

    @property
    def days(self) -> "PartDays | None":
        """A day at an inference a second, a minute and ten minutes, by the model of power.

        None without a prediction of what the design takes.
        """
        from bitformer.estimate.days import days_of

        if self.prediction is None:
            return None
        taken = self.prediction.counts
        return days_of(self.exact.part, taken, clock_hz=self.exact.clock_hz)

    @property
    def uses(self) -> "tuple[Use, ...]":
        """The part's budget beside what is taken of it."""
        return (self.prediction or self.exact).uses

    @property
    def over(self) -> "tuple[Use, ...]":
        """The resources of which the part has too few."""
        return (self.prediction or self.exact).over

    @property
    def fits(self) -> bool:
        """Whether the part has enough of everything."""
        return not self.over

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        data = self.exact.to_dict()
        if self.prediction is not None:
            data |= {"prediction": self.prediction.to_dict(), "within_budget": self.fits}
            data["energy"] = self.energy
        data |= {"measured_mhz": self.measured_mhz, "measured_us": self.measured_us}
        return data

    def __repr__(self) -> str:
        taken = ", ".join(f"{use.used} of {use.available} {use.resource}" for use in self.uses)
        fits = "fits" if self.fits else "does not fit"
        energy = "" if self.energy_j is None else f", {self.energy_j * 1e6:.2f} uJ"
        time = f"{self.latency_us:.1f} us"
        return f"<DesignEstimate: {fits} {self.exact.part} ({taken}); {time}{energy}>"


def predictor_of(
    entries: "tuple[Entry, ...] | list[Entry]", part: str, note: Note
) -> "Predictor | None":
    """Return a fit on measured designs of a part's family; None, and tell why, if too few."""
    from bitformer.estimate.predictor import Predictor
    from bitformer.hw.parts import PARTS

    try:
        return Predictor(entries, family=PARTS[part].family)
    except UserError as error:
        note(f"LUTs and flip-flops are those of the stores alone. {error}")
        return None


def _predicted(predictor: "Predictor", design: "Design") -> "Prediction":
    """Return the prediction, or the measurement that the base has of this very design."""
    from bitformer.synth.synthesize import digest

    try:
        return predictor.predict(design, digest=digest)
    except UserError:  # no Yosys, whose release is in the digest
        return predictor.predict(design)


def _measured(entries: "tuple[Entry, ...]", design: "Design") -> float | None:
    """Return the megahertz that the base has of this very design, if any."""
    from bitformer.estimate.measure import measured_mhz
    from bitformer.synth.synthesize import digest

    if not any(entry.kind == "routed" and entry.part == design.part for entry in entries):
        return None
    try:
        return measured_mhz(entries, digest(design))
    except UserError:  # no Yosys, whose release is in the digest
        return None


def estimated(
    design: "Design", kb: str | Path | None, *, clock_hz: float, note: Note
) -> DesignEstimate:
    """Estimate a lowered design; see :meth:`bitformer.AcceleratorDesign.estimate`."""
    from bitformer.estimate.knowledge import known_entries
    from bitformer.estimate.power import energy_of_inference
    from bitformer.hw.lowering.exact import estimate

    entries = tuple(known_entries(None if kb is None else Path(kb)))
    predictor = predictor_of(entries, design.part, note)
    prediction = None if predictor is None else _predicted(predictor, design)
    energy = None
    if prediction is not None:
        energy = energy_of_inference(design, prediction, entries, clock_hz=clock_hz)
    exact = estimate(design, clock_hz=clock_hz)
    return DesignEstimate(
        exact=exact,
        prediction=prediction,
        energy=energy,
        entries=entries,
        measured_mhz=_measured(entries, design),
    )
