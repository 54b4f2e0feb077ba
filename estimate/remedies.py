"""What is over on a part, by how much, and the cheapest changes that would make it fit."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bitformer.estimate.predictor import Predictor
from bitformer.hw.design import Design
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS, Use
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.ir import IntegerModel
from bitformer.model.precision import Precision
from bitformer.model.progress import Progress, silent

__all__ = ["Diagnosis", "Outlook", "diagnose", "everywhere"]

#: Narrower weights and activations to try, widest first.
_NARROWER = (8, 6, 4)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A design as it would be.

    ``change`` : what was changed, empty for none. ``uses`` : predicted, with LUTs and flip-flops of
    the whole design if there was a predictor, else those of the stores alone. ``latency`` in
    cycles. ``error`` : added validation error, None where it is not known; 0 where no number of the
    model changes. ``retrain`` : the model has to be trained again. ``larger`` : on another part.
    """

    change: str
    part: str
    uses: tuple[Use, ...]
    latency: int
    error: float | None = 0.0
    retrain: bool = False
    larger: bool = False

    @property
    def over(self) -> tuple[Use, ...]:
        """What the part has too little of."""
        return tuple(use for use in self.uses if use.over)

    @property
    def shortage(self) -> float:
        """How far it is over, in shares of the part's budget, summed."""
        return sum(use.over / use.available for use in self.uses)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The design as it is, the same in other placements, and changes with which it fits."""

    now: Outlook
    placements: tuple[Outlook, ...]
    fixes: tuple[Outlook, ...]


def _outlook(change: str, design: Design, predictor: Predictor | None, **more) -> Outlook:
    uses = estimate(design).uses if predictor is None else predictor.predict(design).uses
    return Outlook(change=change, part=design.part, uses=uses, latency=design.latency, **more)


def everywhere(design: Design, placement: str) -> dict[str, str]:
    """All stores in one placement, as far as they can be."""
    return {
        name: "distributed" if spec.asynchronous else placement
        for name, spec in design.stores.items()
    }


def _added(
    sensitivity: Mapping[str, Mapping[int, float]] | None, component: str, was: int, bits: int
) -> float | None:
    own = (sensitivity or {}).get(component, {})
    return own[bits] - own[was] if bits in own and was in own else None


def _narrower(model: IntegerModel) -> Iterator[tuple[str, str, int, IntegerModel]]:
    """(change, component, bits, untrained model) with one component's bits reduced."""
    config = model.config
    for component in config.components:
        now = config.bits(component)
        for bits in _NARROWER:
            if bits >= max(now.weights, now.activations):
                continue
            less = Precision(weights=min(bits, now.weights), activations=min(bits, now.activations))
            changed = config.replace(precision={**config.precision, component: less})
            try:
                untrained = initialize(changed)
            except UserError:
                continue
            change = f"{component} in {less.weights}/{less.activations} bits"
            yield change, component, bits, untrained


def diagnose(
    model: IntegerModel,
    *,
    part: str,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    predictor: Predictor | None = None,
    sensitivity: Mapping[str, Mapping[int, float]] | None = None,
    most: int = 8,
    progress: Progress = silent,
) -> Diagnosis:
    """Predict ``model`` on ``part`` and try changes, one at a time, if it does not fit.

    Tried: another placement of each store, all of them left to the solver, no packing, fewer lanes,
    narrower components (as untrained models of the same shape), larger parts. Rows that never live
    together share memory already. ``sensitivity`` gives the validation error that a component's
    bits add. ``progress`` is told how many were tried, and what is tried next.

    Fixes come in this order: those that change no number, the fastest first; those that have to be
    trained again, by added error where it is known; another part.
    """
    placement = dict(placement or {})
    design = lower(model, part=part, lanes=lanes, pack=pack, placement=placement)
    now = _outlook("", design, predictor)
    table = [
        _outlook(
            name,
            lower(model, part=part, lanes=lanes, pack=pack, placement=places),
            predictor,
        )
        for name, places in (
            ("all block", everywhere(design, "block")),
            ("all distributed", everywhere(design, "distributed")),
            ("auto", {}),
        )
    ]
    tried: list[Outlook] = []
    if now.over:
        asked = {"lanes": lanes, "pack": pack, "placement": placement}
        tried = [
            found
            for found in _trials(model, design, asked, predictor, sensitivity, progress)
            if not found.over
        ]
        tried.sort(key=_rank)
    return Diagnosis(now=now, placements=tuple(table), fixes=tuple(tried[:most]))


def _rank(found: Outlook) -> tuple:
    error = float("inf") if found.error is None else found.error
    return found.larger, found.retrain, error, found.latency, found.change


def _trials(
    model: IntegerModel,
    design: Design,
    asked: Mapping[str, Any],
    predictor: Predictor | None,
    sensitivity: Mapping[str, Mapping[int, float]] | None,
    progress: Progress,
) -> Iterator[Outlook]:
    part, tried = design.part, itertools.count()

    def attempt(change: str, of: IntegerModel = model, **changed) -> Iterator[Outlook]:
        extra = {n: changed.pop(n) for n in ("error", "retrain", "larger") if n in changed}
        wanted = {"part": part, **asked, **changed}
        progress(next(tried), None, f"trying {change}")
        try:
            yield _outlook(change, lower(of, **wanted), predictor, **extra)
        except UserError:
            return

    placement = asked["placement"]
    if placement:
        yield from attempt("all placements left to the solver", placement={})
    for name, spec in design.stores.items():
        for place in ("distributed", "block"):
            if place != spec.placement and not (spec.asynchronous and place == "block"):
                changed = {**placement, name: place}
                yield from attempt(f"{name} in {place}", placement=changed)
    if design.geometry.ways > 1:
        yield from attempt("no packing", pack=False)
    fewer = (asked["lanes"] or design.geometry.columns * design.geometry.ways) // 2
    while fewer:
        yield from attempt(f"{fewer} lanes", lanes=fewer)
        fewer //= 2
    for change, component, bits, untrained in _narrower(model):
        was = model.config.bits(component)
        added = _added(sensitivity, component, max(was.weights, was.activations), bits)
        yield from attempt(change, untrained, error=added, retrain=True)
    for name, other in PARTS.items():
        if other.luts > PARTS[part].luts:
            yield from attempt(f"part {name}", part=name, larger=True)
            return
