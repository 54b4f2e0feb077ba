"""Estimates of a design before synthesis: cycles, resources and energy."""

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Note
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.estimate.clock import Reached
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
    clock : the clock that it reaches: measured, where this very design was placed and routed or
        Vivado reported a build of it; else predicted from other routed designs of the part, or
        calibrated; None where nothing is known of the part.
    refill : steps of a stream that fill empty rings before one that forecasts; 0 of other models.
    """

    exact: "Estimate"
    prediction: "Prediction | None"
    energy: dict[str, Any] | None
    entries: "tuple[Entry, ...]"
    clock: "Reached | None" = None
    refill: int = 0

    @property
    def latency_us(self) -> float:
        """Microseconds from the first number in to the last result out, at the clock asked for."""
        return self.exact.latency_us

    @property
    def measured_mhz(self) -> float | None:
        """Megahertz that were measured; None where they are predicted, calibrated or not known."""
        from bitformer.estimate.clock import MEASURED

        return self.clock.mhz if self.clock is not None and self.clock.by == MEASURED else None

    @property
    def measured_us(self) -> float | None:
        """Microseconds at the clock that was measured; None where there is none."""
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
        clock_hz = self.exact.clock_hz
        return days_of(self.exact.part, taken, clock_hz=clock_hz, refill=self.refill)

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
        data["clock"] = None
        if self.clock is not None:
            us = self.clock.microseconds(self.exact.latency)
            data["clock"] = {**self.clock.to_dict(), "latency_us": us}
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


def _predicted(
    predictor: "Predictor | None", design: "Design", entries: "tuple[Entry, ...]"
) -> "Prediction | None":
    """Return the prediction, or the measurement that the base has of this very design."""
    from bitformer.estimate.predictor import measured_prediction
    from bitformer.synth.synthesize import digest

    if predictor is None:
        own = {one.key: one for one in entries if (one.kind, one.part) == ("design", design.part)}
        with suppress(UserError):  # no Yosys, whose release is in the digest
            entry = own.get(digest(design)) if own else None
            return None if entry is None else measured_prediction(design, entry)
        return None
    try:
        return predictor.predict(design, digest=digest)
    except UserError:  # no Yosys
        return predictor.predict(design)


def _clock(entries: "tuple[Entry, ...]", design: "Design") -> "Reached | None":
    """Return the clock that the base knows, or predicts, of a design."""
    from bitformer.estimate.clock import reached
    from bitformer.model.identity import model_hash
    from bitformer.synth.synthesize import digest

    key = loads = None
    if any(
        entry.part == design.part and (entry.kind == "routed" or "loads" in entry.features)
        for entry in entries
    ):
        with suppress(UserError):  # no Yosys, whose release is in the digest
            key = digest(design)
    if key is not None:
        own = (entry.features for entry in entries if entry.key == key)
        loads = next((int(features["loads"]) for features in own if "loads" in features), None)
    model = int.from_bytes(model_hash(design.model), "big")
    return reached(entries, design.part, digest=key, model=model, loads=loads)


def estimated(
    design: "Design", kb: str | Path | None, *, clock_hz: float, note: Note
) -> DesignEstimate:
    """Estimate a lowered design; see :meth:`bitformer.AcceleratorDesign.estimate`."""
    from bitformer.estimate.days import refill_of
    from bitformer.estimate.knowledge import known_entries
    from bitformer.estimate.power import energy_of_inference
    from bitformer.hw.lowering.exact import estimate

    entries = tuple(known_entries(None if kb is None else Path(kb)))
    told: list[str] = []
    predictor = predictor_of(entries, design.part, told.append)
    prediction = _predicted(predictor, design, entries)
    for sentence in told if prediction is None else ():
        note(sentence)
    if prediction is not None and prediction.outside:
        note(
            "LUTs and flip-flops may be further off than their intervals: no measured design has"
            f" {', '.join(prediction.outside)}"
        )
    energy = None
    if prediction is not None:
        energy = energy_of_inference(design, prediction, entries, clock_hz=clock_hz)
    exact = estimate(design, clock_hz=clock_hz)
    return DesignEstimate(
        exact=exact,
        prediction=prediction,
        energy=energy,
        entries=entries,
        clock=_clock(entries, design),
        refill=refill_of(design.model.config, design.phases),
    )
