"""Whether a model beats the best baseline, and how sure that is.

Squared errors of the same windows are compared in pairs, by the interval of their ratio that
:mod:`bitformer.model.block_bootstrap` finds. Where it holds 1, that is a tie, and so is a
difference below half a percent, whatever the interval, and one of two errors that are both below a
thousandth of the target's deviation; but a model that is worse by over a tenth loses, be it certain
or not.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitformer.model.block_bootstrap import ratio_interval
from bitformer.model.data.windows import Windows
from bitformer.model.fidelity import NEGLIGIBLE

__all__ = [
    "ERROR_RATE",
    "LOSES",
    "TIES",
    "WINS",
    "Compared",
    "Verdict",
    "compare",
    "compare_errors",
    "mse_in_words",
]

#: What errors are called, by what they are.
MSE, ERROR_RATE = "MSE", "error rate"
WINS, TIES, LOSES = "wins", "ties", "loses"
#: A relative difference that is a tie whatever the interval: it would be printed as 0 %.
NOTHING = 0.005
#: A relative difference that is none; where no interval is known, on either side.
MUCH = 0.1


def mse_in_words(error: float) -> str:
    """Return an MSE with four decimals; one below a thousandth with three digits that count."""
    return f"{error:.4f}" if error >= 1e-3 or not error else f"{error:.3g}"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A model's error beside another forecast's, on the same windows.

    Parameters
    ----------
    relative : the model's MSE above the other's, as a part of the other's; None above 0.
    interval : of 95 %, of ``relative``; None where too few windows tell, or ``relative`` is None.
    outcome : ``"wins"``, ``"ties"`` or ``"loses"``.
    """

    relative: float | None
    interval: tuple[float, float] | None
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a model compares with the best baseline, by the MSE of standardised forecasts.

    A classifier is compared by its error rate, the share of wrong answers.

    Parameters
    ----------
    model, baseline : their names; the baseline is the one of smallest error.
    error, baseline_error : MSE over the test windows, or the rate of errors.
    windows : test windows compared.
    against : by baseline, how the model compares with it.
    remedies : of a model that loses, what to try, the most promising first.
    measure : what the errors are called.
    """

    model: str
    baseline: str
    error: float
    baseline_error: float
    windows: int
    against: Mapping[str, Compared]
    remedies: tuple[str, ...] = ()
    measure: str = MSE

    @property
    def outcome(self) -> str:
        """What comes of it with the best baseline: ``"wins"``, ``"ties"`` or ``"loses"``."""
        return self.against[self.baseline].outcome

    @property
    def relative(self) -> float | None:
        """The model's error above the baseline's, as a part of the baseline's; None above 0."""
        return self.against[self.baseline].relative

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of :attr:`relative`; None where too few windows tell."""
        return self.against[self.baseline].interval

    def __str__(self) -> str:
        """Say it in a sentence, with what to try."""
        who = "The integer model" if self.model == "integer" else self.model
        name = f"the best baseline ({self.baseline})"
        if self.outcome == TIES:
            return f"{who} ties with {name}: {self._errors()}, {self._why_tie()}"
        verb = "beats" if self.outcome == WINS else "loses to"
        said = f"{who} {verb} {name}{self._by()}: {self._errors()}"
        if not self.remedies:
            return said
        return f"{said}. Try training with {'; or with '.join(self.remedies)}"

    def _errors(self) -> str:
        ours, theirs = mse_in_words(self.error), mse_in_words(self.baseline_error)
        return f"test {self.measure} {ours} against {theirs}"

    def _why_tie(self) -> str:
        if max(self.error, self.baseline_error) <= NEGLIGIBLE:
            if self.measure != MSE:
                return "both without an error"
            return "both off by less than a thousandth of a standard deviation"
        if self.interval is None:
            return f"{self.windows} test window(s) are too few to tell them apart"
        low, high = self.interval
        if not low <= 0 <= high:
            return "less than half a percent apart"
        return f"within the noise: {_signed(low)} to {_signed(high)} % with 95 % certainty"

    def _by(self) -> str:
        """Say by how much it wins or loses, and between which limits."""
        if self.relative is None:
            return ""
        limits = self.interval
        by = f" by {_percent(self.relative)}"
        if limits is None:
            return by
        low, high = sorted(-one for one in limits) if self.relative < 0 else limits
        if self.relative >= 1:
            between = f"{1 + low:.3g} to {1 + high:.3g}"
        else:
            between = f"{_hundredths(low)} to {_hundredths(high)} %"
        return f"{by} ({between} with 95 % certainty)"

    def to_dict(self) -> dict[str, Any]:
        """Return what was found as plain data."""
        key = "mse" if self.measure == MSE else "error"
        return {
            "outcome": self.outcome,
            "model": self.model,
            "baseline": self.baseline,
            key: self.error,
            f"baseline_{key}": self.baseline_error,
            "relative": self.relative,
            "interval": None if self.interval is None else list(self.interval),
            "windows": self.windows,
            "against": {name: dataclasses.asdict(one) for name, one in self.against.items()},
            "remedies": list(self.remedies),
            "sentence": str(self),
        }


def compare(
    *,
    model: str,
    forecast: np.ndarray,
    baselines: Mapping[str, np.ndarray | None],
    windows: Windows,
    advice: Callable[[float], Sequence[str]] | None = None,
) -> Verdict | None:
    """Compare a model with the best baseline; None where there is none, or an error is no number.

    Parameters
    ----------
    model
        What the model is called.
    forecast
        Its standardised forecasts [N, horizon].
    baselines
        Forecasts by name; None stands for one that does not exist.
    windows
        The N windows.
    advice
        Called with the baseline's error if the model loses; returns what to try.
    """
    y = windows.y
    return compare_errors(
        model=model,
        ours=np.square(forecast - y),
        theirs={n: np.square(one - y) for n, one in baselines.items() if one is not None},
        windows=windows,
        advice=advice,
    )


def compare_errors(
    *,
    model: str,
    ours: np.ndarray,
    theirs: Mapping[str, np.ndarray],
    windows: Windows,
    advice: Callable[[float], Sequence[str]] | None = None,
    measure: str = MSE,
) -> Verdict | None:
    """Compare a model's errors [N, outputs] with those of baselines, as :func:`compare` does.

    Parameters
    ----------
    model, windows, advice
        As of :func:`compare`.
    ours, theirs
        Errors of the N windows, the baselines' by name.
    measure
        What their mean is called.
    """
    errors = {name: float(one.mean()) for name, one in theirs.items()}
    if not errors:
        return None
    best = min(errors, key=errors.__getitem__)
    error = float(ours.mean())
    if not math.isfinite(error - errors[best]):
        return None
    against = {
        name: _compared(ours.mean(axis=1), one.mean(axis=1), windows)
        for name, one in theirs.items()
        if math.isfinite(errors[name])
    }
    loses = against[best].outcome == LOSES
    return Verdict(
        model=model,
        baseline=best,
        error=error,
        baseline_error=errors[best],
        windows=len(windows),
        against=against,
        remedies=tuple(advice(errors[best])) if advice and loses else (),
        measure=measure,
    )


def _compared(ours: np.ndarray, theirs: np.ndarray, windows: Windows) -> Compared:
    """Compare errors [N] of the same windows."""
    error, other = float(ours.mean()), float(theirs.mean())
    relative = error / other - 1 if other > 0 else None
    found = ratio_interval(ours, theirs, windows)
    interval = None if found is None else (found[0] - 1, found[1] - 1)
    return Compared(relative=relative, interval=interval, outcome=_outcome(error, other, interval))


def _outcome(error: float, other: float, interval: tuple[float, float] | None) -> str:
    difference = error - other
    if abs(difference) <= NOTHING * other or max(error, other) <= NEGLIGIBLE:
        return TIES
    if difference > MUCH * other:
        return LOSES
    if interval is None:
        return WINS if difference < -MUCH * other else TIES
    low, high = interval
    if high < 0:
        return WINS
    return LOSES if low > 0 else TIES


def _hundredths(part: float) -> str:
    """Return a part in percent, with a decimal below ten."""
    return f"{100 * part:.0f}" if abs(part) >= 0.0995 else f"{100 * part:.1f}"


def _signed(part: float) -> str:
    return f"{'-' if part < 0 else '+'}{_hundredths(abs(part))}"


def _percent(part: float) -> str:
    """Return a part as a percentage; of more than twice as much a factor, which reads better."""
    return f"{_hundredths(abs(part))} %" if part < 1 else f"a factor of {1 + part:.3g}"
