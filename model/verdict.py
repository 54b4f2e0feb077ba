"""Whether a model beats the best forecast that needs no network, and how sure that is.

Squared errors of the same windows are compared in pairs. As windows overlap and neighbours are
alike, the test windows are cut into four to ten blocks in a row, of a horizon or more if they
suffice; the blocks' mean differences count as independent (batch means). A mean difference within
the 95 % interval of Student's t about 0 is a tie, and so is one below half a percent, whatever the
interval, and one of two errors that are both below a thousandth of the target's deviation; but a
model that is worse by over a tenth loses, be it certain or not.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bitformer.model.data.windows import Windows
from bitformer.model.fidelity import NEGLIGIBLE

__all__ = ["LOSES", "TIES", "WINS", "Verdict", "compare", "half_width", "mse_in_words"]

WINS, TIES, LOSES = "wins", "ties", "loses"
#: Blocks, and Student's t at 97.5 % for one fewer degrees of freedom.
_STUDENT = {4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
#: A relative difference that is a tie whatever the interval: it would be printed as 0 %.
NOTHING = 0.005
#: A relative difference that is none; where no interval is known, on either side.
MUCH = 0.1


def mse_in_words(error: float) -> str:
    """Return an MSE with four decimals; one below a thousandth with three digits that count."""
    return f"{error:.4f}" if error >= 1e-3 or not error else f"{error:.3g}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a model compares with the best baseline, by the MSE of standardised forecasts.

    Parameters
    ----------
    model, baseline : their names; the baseline is the one of smallest error.
    error, baseline_error : MSE over the test windows.
    margin : half the 95 % interval of their difference; None where too few windows tell.
    windows : test windows compared.
    outcome : ``"wins"``, ``"ties"`` or ``"loses"``.
    remedies : of a model that loses, what to try, the most promising first.
    """

    model: str
    baseline: str
    error: float
    baseline_error: float
    margin: float | None
    windows: int
    outcome: str
    remedies: tuple[str, ...] = ()

    @property
    def relative(self) -> float | None:
        """The model's error above the baseline's, as a part of the baseline's; None above 0."""
        if not self.baseline_error > 0:
            return None
        return self.error / self.baseline_error - 1

    def __str__(self) -> str:
        """Say it in a sentence, with what to try."""
        ours, theirs = mse_in_words(self.error), mse_in_words(self.baseline_error)
        who = "The integer model" if self.model == "integer" else self.model
        name = f"the best baseline ({self.baseline})"
        if self.outcome == TIES:
            if self.margin is None:
                why = f"{self.windows} test window(s) are too few to tell them apart"
            elif max(self.error, self.baseline_error) <= NEGLIGIBLE:
                why = "both off by less than a thousandth of a standard deviation"
            elif abs(self.error - self.baseline_error) > self.margin:
                why = "less than half a percent apart"
            else:
                noise = mse_in_words(self.margin)
                why = f"within the noise of {self.windows} test windows (±{noise})"
            return f"{who} ties with {name}: test MSE {ours} against {theirs}, {why}"
        part = self.relative
        by = "" if part is None else f" by {_percent(abs(part))}"
        verb = "beats" if self.outcome == WINS else "loses to"
        said = f"{who} {verb} {name}{by}: test MSE {ours} against {theirs}"
        if not self.remedies:
            return said
        return f"{said}. Try training with {'; or with '.join(self.remedies)}"

    def to_dict(self) -> dict[str, object]:
        """Return what was found as plain data."""
        return {
            "outcome": self.outcome,
            "model": self.model,
            "baseline": self.baseline,
            "mse": self.error,
            "baseline_mse": self.baseline_error,
            "relative": self.relative,
            "margin": self.margin,
            "remedies": list(self.remedies),
            "sentence": str(self),
        }


def half_width(difference: np.ndarray, windows: Windows) -> float | None:
    """Return half the 95 % interval of the mean of ``difference`` [N], one number for each window.

    None for fewer windows than blocks.
    """
    count, horizon = len(difference), windows.horizon
    if count < min(_STUDENT):
        return None
    # what all windows' targets cover, in rows: few windows may lie far apart
    steps = np.abs(np.diff(windows.first))
    rows = horizon + int(np.minimum(steps, horizon).sum())
    blocks = min(max(_STUDENT), count, max(min(_STUDENT), rows // horizon))
    means = np.array([block.mean() for block in np.array_split(difference, blocks)])
    return _STUDENT[blocks] * float(means.std(ddof=1)) / math.sqrt(blocks)


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
    squares = {name: np.square(one - y) for name, one in baselines.items() if one is not None}
    errors = {name: float(square.mean()) for name, square in squares.items()}
    if not errors:
        return None
    best = min(errors, key=errors.__getitem__)
    ours = np.square(forecast - y).mean(axis=1)
    error = float(np.square(forecast - y).mean())
    if not math.isfinite(error - errors[best]):
        return None
    margin = half_width(ours - squares[best].mean(axis=1), windows)
    outcome = _outcome(error, errors[best], margin)
    return Verdict(
        model=model,
        baseline=best,
        error=error,
        baseline_error=errors[best],
        margin=margin,
        windows=len(windows),
        outcome=outcome,
        remedies=tuple(advice(errors[best])) if advice and outcome == LOSES else (),
    )


def _outcome(error: float, baseline: float, margin: float | None) -> str:
    difference = error - baseline
    if abs(difference) <= NOTHING * baseline or max(error, baseline) <= NEGLIGIBLE:
        return TIES
    if margin is None:
        margin = MUCH * baseline
    if difference < 0:
        return WINS if -difference > margin else TIES
    return LOSES if difference > min(margin, MUCH * baseline) else TIES


def _percent(part: float) -> str:
    """Return a part as a percentage; from twice on as a factor, which reads better."""
    return f"{100 * part:.0f} %" if part < 1 else f"a factor of {1 + part:.3g}"
