"""How a detector is set: weights and a threshold from what clean rows leave of a forecast."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bitformer.model import reference
from bitformer.model.data.windows import Windows
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.judge import (
    JUDGED,
    LARGEST_LEVEL,
    LARGEST_WEIGHT,
    MOST_HELD,
    SMOOTHINGS,
    DetectorState,
    Judge,
    smoothed,
)

__all__ = [
    "Rule",
    "judge_facts",
    "learn",
    "learned_facts",
    "residuals_of",
    "with_facts",
    "with_judge",
]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a detector judges, but for what clean rows give.

    Parameters
    ----------
    smoothing : a level goes 2**-smoothing of the way to each residual.
    factor : of the largest score of clean rows, which is the threshold.
    quantile : of the scores of clean rows that counts as their largest; below 1 where some of them
        may be none.
    hold : windows that a flag stays up after the last score above the threshold.
    absolute : whether magnitudes of residuals are smoothed, not residuals.
    """

    smoothing: int = 4
    factor: float = 1.5
    quantile: float = 1.0
    hold: int = 0
    absolute: bool = False

    def __post_init__(self):
        for name, most in (("smoothing", SMOOTHINGS[-1]), ("hold", MOST_HELD)):
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= most:
                raise UserError(f"{name} must be a whole number from 0 to {most}, not {given!r}")
        if not 0 < self.factor < math.inf:
            raise UserError(f"factor must be a positive number, not {self.factor}")
        if not 0 < self.quantile <= 1:
            raise UserError(f"quantile must be above 0 and at most 1, not {self.quantile}")

    def fitted(self, windows: int) -> "Rule":
        """Return the rule with a smoothing that settles within a quarter of so many windows."""
        most = max(0, (windows // 16).bit_length() - 1)
        return replace(self, smoothing=min(self.smoothing, most))

    def threshold(self, scores: np.ndarray) -> float:
        """Return the threshold by scores [N] of clean rows."""
        return self.factor * float(np.quantile(scores, self.quantile, method="higher"))

    @property
    def settled(self) -> int:
        """Windows after a reset whose scores set no threshold, as levels come from 0."""
        return 4 << self.smoothing


def residuals_of(model: IntegerModel, windows: Windows) -> np.ndarray:
    """Return a detector's residuals, int64 [N, numbers], of windows."""
    q = model.quantize_input(windows.x, windows.clock, windows.y)
    detector = model.detector
    assert detector is not None
    found = []
    for start in range(0, len(q), 512):
        part = q[start : start + 512]
        values = {detector.x: reference.run(model, part)[detector.x]}
        values[JUDGED] = reference.judged_of(model, part)
        found.append(detector.residuals(values, model.tensors))
    return np.concatenate([np.empty((0, model.config.outputs), np.int64), *found])


def learn(model: IntegerModel, clean: Sequence[np.ndarray], rule: Rule) -> Judge:
    """Return the detector of ``model`` as clean rows set it.

    A channel weighs the less, the further its level is from 0 on clean rows: weights are as
    1 / rms, the largest 255. The threshold is ``factor`` times the quantile of their scores.

    Parameters
    ----------
    model
        A detector, set or not.
    clean
        Residuals of clean rows, int64 [N, numbers], each after a reset.
    rule
        How it judges.

    Raises
    ------
    UserError
        If there are too few clean rows, or ``rule`` is none.
    """
    judge = model.detector
    assert judge is not None
    levels = [
        smoothed(one, rule.smoothing, DetectorState(), absolute=rule.absolute)[rule.settled :]
        for one in clean
    ]
    settled = np.concatenate([np.empty((0, len(judge.weight)), np.int64), *levels])
    if not len(settled):
        raise UserError(
            f"Clean rows must give more than {rule.settled} windows in a row to set a detector of"
            f" smoothing {rule.smoothing}, not {max((len(one) for one in clean), default=0)}: give"
            " more rows, or a smaller smoothing"
        )
    rms = np.sqrt(np.square(settled.astype(np.float64)).mean(axis=0))
    share = 1 / np.maximum(rms, 1.0)
    weight = np.maximum(1, np.floor(share / share.max() * LARGEST_WEIGHT + 0.5)).astype(np.int64)
    found = replace(
        judge,
        smoothing=rule.smoothing,
        hold=rule.hold,
        absolute=rule.absolute,
        weight=weight,
        threshold=0,
    )
    most = found.score_bound(model.tensors)
    return replace(found, threshold=min(most, int(rule.threshold(settled @ weight))))


def judge_facts(judge: Judge) -> dict[str, Any]:
    """Return how a detector judges as plain data: what :func:`with_facts` takes."""
    return {
        "smoothing": judge.smoothing,
        "threshold": judge.threshold,
        "hold": judge.hold,
        "absolute": judge.absolute,
        "weight": judge.weight.tolist(),
    }


def learned_facts(model: IntegerModel, left: np.ndarray) -> dict[str, Any]:
    """Return what clean residuals [N, numbers] of a reset on set, for :func:`with_facts`.

    They are :func:`judge_facts` of :class:`Rule`'s own smoothing, or of less where rows are few;
    with the ``largest`` score of clean rows, and ``smoothings``, a list of weights and largest
    scores by every smoothing that the rows suffice for, from 0 on.
    """
    rule, judge = Rule().fitted(len(left)), model.detector
    assert judge is not None
    level, found = judge.residual_bound(model.tensors), []
    for smoothing in SMOOTHINGS:
        one = replace(rule, smoothing=smoothing, factor=1.0)
        if len(left) <= one.settled or level << smoothing > LARGEST_LEVEL:
            break
        clean = learn(model, [left], one)
        found.append({"weight": clean.weight.tolist(), "largest": clean.threshold})
    own = judge_facts(learn(model, [left], rule))
    return own | {"largest": found[rule.smoothing]["largest"], "smoothings": found}


def with_facts(
    model: IntegerModel,
    facts: Mapping[str, Any],
    *,
    smoothing: int | None = None,
    factor: float | None = None,
    hold: int | None = None,
) -> IntegerModel:
    """Return a detector that judges as :func:`judge_facts` or :func:`learned_facts` have noted.

    ``smoothing``, ``factor``, ``hold`` : as of :class:`Rule`; None for what was noted. With another
    smoothing, the factor is that of :class:`Rule` unless it is given.

    Raises
    ------
    UserError
        If the clean rows that were noted do not suffice for the smoothing.
    """
    judge = model.detector
    assert judge is not None
    own = dict(facts)
    largest, every = own.pop("largest", None), own.pop("smoothings", ())
    if smoothing not in (None, own["smoothing"]):
        if not smoothing < len(every):
            raise UserError(_no_smoothing(smoothing, every))
        own |= {"smoothing": smoothing, "weight": every[smoothing]["weight"]}
        largest = every[smoothing]["largest"]
        factor = Rule().factor if factor is None else factor
    own["weight"] = np.array(own["weight"], dtype=np.int64)
    found = replace(judge, **own)
    if factor is not None:
        most = found.score_bound(model.tensors)
        threshold = Rule(factor=factor).threshold(np.array([largest]))
        found = replace(found, threshold=int(min(most, threshold)))
    return with_judge(model, found if hold is None else replace(found, hold=hold))


def _no_smoothing(smoothing: int, every: Sequence[Mapping[str, Any]]) -> str:
    """Say why a detector cannot have a smoothing, of those that were noted."""
    if not every:
        return (
            f"smoothing must be left out for a run that has noted one alone, not be {smoothing}:"
            " train it again with --restart"
        )
    return (
        f"smoothing must be 0 to {len(every) - 1} with this run's clean rows and scales, not"
        f" {smoothing}: a level settles within 4 · 2^smoothing windows, and has 24 bits; say less,"
        " or train on more rows"
    )


def with_judge(model: IntegerModel, judge: Judge) -> IntegerModel:
    """Return a detector with another last operation."""
    return replace(model, operations=(*model.operations[:-1], judge))
