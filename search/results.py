"""What trained candidates came to, held against the limits and against uniform bits."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bitformer.estimate.clock import MEASURED, Reached
from bitformer.model.config import TransformerConfig
from bitformer.search.engine import Engine
from bitformer.search.limits import RESOURCES, Limits, energy_of, excesses
from bitformer.search.selection import COSTS
from bitformer.study.trials import Outcome

__all__ = ["SearchResult", "conclusion"]


@dataclass(kw_only=True)
class SearchResult:
    """A configuration that was trained.

    ``why`` it was, ``baseline`` if it has the same bits everywhere. ``within`` : predicted to keep
    the limits. ``loss`` : predicted added validation error. ``predicted`` : resources, cycles and
    joules; None without a design. ``proof`` : what the trained model came to as hardware
    (:func:`bitformer.search.verification.verify`), None where it was not tried; ``counts`` its LUTs
    and flip-flops as predicted, since its own widths differ a little from those of an untrained
    one. ``clock`` : what it reaches, as far as that is known.
    """

    config: TransformerConfig
    engine: Engine
    outcome: Outcome
    why: str
    baseline: bool
    within: bool
    loss: float
    total_bits: float
    predicted: dict[str, Any] | None
    proof: dict[str, Any] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    clock: Reached | None = None

    @property
    def title(self) -> str:
        """The configuration's name, and the engine's."""
        return "-".join(filter(None, (self.config.name, str(self.engine))))

    def order(self) -> tuple:
        """Return a key to sort by: the best validation error first, then the faster."""
        return self.outcome.val, (self.predicted or {}).get("latency", math.inf), self.title

    @property
    def synthesized(self) -> bool:
        """Whether its resources were measured."""
        return bool(self.proof and self.proof.get("synthesis"))

    def taken(self, limits: Limits, *, measured: bool = True) -> dict[str, Any] | None:
        """Return resources, cycles and joules: the trained design's if there is one, or predicted.

        LUTs and flip-flops are ``measured`` ones where there are.
        """
        if self.predicted is None:
            return None
        found = dict(self.predicted)
        if self.proof is not None and self.proof["error"] is None:
            found |= {n: self.proof[n] for n in ("latency", "interval", "ramb18", "dsps")}
            found |= self.counts
            if measured and self.synthesized:
                found |= {name: self.proof["synthesis"][name] for name in RESOURCES}
            found["energy_j"] = float(energy_of(found, limits))
        return found

    def fits(self, limits: Limits) -> bool:
        """Return whether the design keeps the limits, as far as it is known.

        Where it was measured to reach less than the clock asked for, they are kept at what it
        reaches.
        """
        found = self.taken(limits)
        if found is None or (self.proof is not None and self.proof["error"] is not None):
            return False
        if self.clock is not None and self.clock.by == MEASURED:
            reached_hz = min(limits.clock_hz, self.clock.mhz * 1e6)
            limits = dataclasses.replace(limits, clock_hz=reached_hz)
        return all(over <= 0 for over in excesses(found, limits).values())

    @property
    def exact(self) -> bool:
        """Whether it was simulated, every element equal, in the cycles that were promised."""
        proof = self.proof
        return bool(proof and not proof["error"] and proof["bit_exact"])

    def sound(self, limits: Limits) -> bool:
        """Return whether it can be built: trained, bit exact in its cycles, within the limits."""
        trained = math.isfinite(self.outcome.val)
        kept = bool(self.proof and self.proof.get("cycles_as_predicted"))
        return trained and self.exact and kept and self.fits(limits)

    def beats(self, other: "SearchResult", limits: Limits, names: Sequence[str]) -> bool:
        """Return whether its validation error is smaller and no figure of ``names`` larger.

        Their LUTs are both measured, or both predicted.
        """
        measured = self.synthesized and other.synthesized
        mine, others = (one.taken(limits, measured=measured) for one in (self, other))
        if mine is None or others is None:
            return False
        cheaper = all(mine[name] <= others[name] for name in names)
        return self.outcome.val < other.outcome.val and cheaper

    def _clock(self, limits: Limits) -> dict[str, Any] | None:
        """Return the clock as plain data, with the microseconds that follow."""
        found = self.taken(limits)
        if found is None or self.clock is None:
            return None
        return {**self.clock.to_dict(), "latency_us": self.clock.microseconds(found["latency"])}

    def to_dict(self, limits: Limits) -> dict[str, Any]:
        """Return the result as plain data, without its test error."""
        proof = {n: v for n, v in (self.proof or {}).items() if n not in ("entries", "quantities")}
        return {
            "name": self.config.name,
            "engine": self.engine.options,
            "trial": self.outcome.trial.key,
            "why": self.why,
            "widths": {name: str(self.config.bits(name)) for name in self.config.components},
            "tensors": dict(self.config.tensors),
            "loss": self.loss,
            "total_bits": self.total_bits,
            "predicted": self.predicted,
            "came_out": self.taken(limits),
            "clock": self._clock(limits),
            "synthesized": self.synthesized,
            "val": self.outcome.val if math.isfinite(self.outcome.val) else None,
            "fits": self.fits(limits),
            "proof": proof or None,
            "warnings": list(self.outcome.warnings),
        }


def conclusion(results: Sequence[SearchResult], limits: Limits) -> dict[str, Any]:
    """Rank candidates by validation error, and name the one to take, if any is sound.

    The test error is the chosen one's alone: it is looked at when the choice is made.
    """
    ranked = sorted((one for one in results if not one.baseline), key=SearchResult.order)
    uniform = [one for one in results if one.baseline]
    candidates = []
    for rank, one in enumerate(ranked, start=1):
        made = one.outcome.model is not None
        beaten = {
            "beats": [u.why for u in uniform if one.beats(u, limits, COSTS)],
            "beats_in_time_and_energy": [
                u.why for u in uniform if one.beats(u, limits, ("latency", "energy_j"))
            ],
        }
        model = f"{rank}-{one.title}.safetensors" if made else None
        candidates.append(
            {"rank": rank, "model": model, **one.to_dict(limits), "sound": one.sound(limits)}
            | beaten
        )
    sound = [one for one in ranked if one.sound(limits)]
    chosen = None
    if sound:
        best = sound[0]
        better = [u.why for u in uniform if u.fits(limits) and u.outcome.val <= best.outcome.val]
        chosen = {
            "rank": ranked.index(best) + 1,
            "name": best.config.name,
            "val": best.outcome.val,
            "test": best.outcome.test,
            "float_val": best.outcome.float_val,
            "float_test": best.outcome.float_test,
            "no_better_than": better,
        }
    return {
        "float_val": min(one.outcome.float_val for one in results),
        "candidates": candidates,
        "baselines": [one.to_dict(limits) for one in uniform],
        "chosen": chosen,
    }
