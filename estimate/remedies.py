"""Changes with which a design fits a part that it does not fit, tried one by one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bitformer.estimate.predictor import Prediction, Predictor
from bitformer.hw.design import Design
from bitformer.hw.lowering.asked_places import RESULTS, results_of
from bitformer.hw.lowering.encode import store_of
from bitformer.hw.lowering.exact import Estimate, estimate
from bitformer.hw.lowering.graph import destinations
from bitformer.hw.lowering.lower import lower
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import PARTS
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.ir import IntegerModel
from bitformer.model.precision import PATH_COMPONENTS, POWER_OF_TWO, AddedErrors
from bitformer.model.progress import Progress, silent

__all__ = ["Diagnosis", "Outlook", "diagnose", "everywhere", "remedies"]

#: Narrower weights and activations to try, widest first.
_NARROWER = (8, 6, 4)


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A design as it would be after a change.

    Parameters
    ----------
    change : what was changed; empty for nothing.
    figures : cycles and resources: predicted, with LUTs and flip-flops of the whole design, or
        exact, with those of the stores alone.
    error : validation error that the change adds: 0 where no number of the model changes, None
        where it is unknown.
    retrain : whether the model has to be trained again.
    larger : whether it is for a larger part.
    """

    change: str
    figures: Estimate | Prediction
    error: float | None = 0.0
    retrain: bool = False
    larger: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the outlook as plain data."""
        return {
            "change": self.change,
            "part": self.figures.part,
            "uses": [{**asdict(use), "over": use.over} for use in self.figures.uses],
            "latency": self.figures.latency,
            "error": self.error,
            "retrain": self.retrain,
            "larger": self.larger,
            "fits": not self.figures.over,
        }

    def __str__(self) -> str:
        used = ", ".join(f"{use.used} {use.resource}" for use in self.figures.uses)
        return f"{self.change}: {self.figures.latency} cycles, {used}"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The design as it is, the same in other placements, and changes with which it fits."""

    now: Outlook
    placements: tuple[Outlook, ...]
    fixes: tuple[Outlook, ...]


@dataclass(frozen=True, kw_only=True)
class _Change:
    """Arguments of ``lower`` that differ from those asked for, or another model.

    ``split`` : results may lie apart; it is no change where none do, and else says which.
    """

    name: str
    arguments: Mapping[str, Any]
    model: IntegerModel | None = None
    error: float | None = 0.0
    split: bool = False


def everywhere(design: Design, placement: str) -> dict[str, str]:
    """Return a placement of all stores, the same as far as they can be in it."""
    return {
        name: "distributed" if spec.asynchronous else placement
        for name, spec in design.stores.items()
    }


def _places_of_results(design: Design) -> dict[str, str]:
    """Return where each intermediate result lies."""
    found: dict[str, str] = {}
    kept = destinations(design.model)
    for name in results_of(design.model):
        spec = design.stores[store_of(kept[name])]
        own = [part.spec.placement for part in spec.parts if name in part.tensors]
        found[name] = own[0] if own else spec.placement
    return found


def _apart(design: Design) -> str:
    """Return which results lie in which memories, of those that a store is split into."""
    texts = []
    for spec in design.stores.values():
        for part in spec.parts:
            texts.append(f"{', '.join(part.tensors)} in {part.spec.placement}")
    return "; ".join(texts)


def _placements(design: Design, asked: Mapping[str, str], *, thorough: bool) -> Iterator[_Change]:
    for store, place in asked.items():
        if place != "auto" and not thorough:
            freed = {name: other for name, other in asked.items() if name != store}
            yield _Change(
                name=f"the placement of {store} left to the solver", arguments={"placement": freed}
            )
    if asked:
        yield _Change(name="all placements left to the solver", arguments={"placement": {}})
    for store, spec in design.stores.items() if thorough else ():
        for place in ("distributed", "block"):
            if place != spec.placement and not (spec.asynchronous and place == "block"):
                changed = {**asked, store: place}
                yield _Change(name=f"{store} in {place}", arguments={"placement": changed})
    for tensor, now in _places_of_results(design).items() if thorough else ():
        for place in ("distributed", "block"):
            if place != now:
                changed = {**asked, tensor: place}
                yield _Change(name=f"{tensor} in {place}", arguments={"placement": changed})
    arguments = {"placement": {**asked, RESULTS: "auto"}}
    if asked.get(RESULTS) != "auto":
        yield _Change(name="results one by one", arguments=arguments, split=True)


def _narrower(model: IntegerModel, sensitivity: AddedErrors) -> Iterator[_Change]:
    """Yield untrained models with the bits of one component reduced."""
    config = model.config
    for component in config.components:
        now = config.bits(component)
        most = max(now.weights, now.activations)
        for bits in _NARROWER:
            if bits >= most:
                continue
            less = replace(
                now, weights=min(bits, now.weights), activations=min(bits, now.activations)
            )
            try:
                untrained = initialize(
                    config.replace(precision={**config.precision, component: less})
                )
            except UserError:
                continue
            own = {one.both: error for one, error in sensitivity.get(component, {}).items()}
            mark = "p" if now.scheme == POWER_OF_TWO else ""
            before, after = (own.get(f"{width}{mark}/{width}") for width in (most, bits))
            yield _Change(
                name=f"{component} in {less.both} bits",
                arguments={},
                model=untrained,
                error=None if before is None or after is None else after - before,
            )


def _without_path(model: IntegerModel) -> Iterator[_Change]:
    """Yield the untrained model without its linear path, if it has one."""
    config = model.config
    if config.linear_path:
        own = {name: bits for name, bits in config.precision.items() if name not in PATH_COMPONENTS}
        tensors = {
            name: bits
            for name, bits in config.tensors.items()
            if name not in ("path", "path.weight")
        }
        plain = config.replace(linear_path=False, precision=own, tensors=tensors)
        name = "no linear path"
        yield _Change(name=name, arguments={}, model=initialize(plain), error=None)


def _changes(
    model: IntegerModel,
    design: Design,
    asked: Mapping[str, Any],
    *,
    sensitivity: AddedErrors,
    thorough: bool,
) -> Iterator[_Change]:
    """Yield what is worth a try, larger parts last."""
    yield from _placements(design, asked["placement"], thorough=thorough)
    if design.geometry.ways > 1:
        yield _Change(name="no packing", arguments={"pack": False})
    geometry = design.geometry
    if geometry.rows > 1:
        yield _Change(name="one row of tokens", arguments={"rows": 1, "posts": 1})
    for bits in reversed(range((design.phases - 1).bit_length())):
        yield _Change(name=f"{1 << bits} phase(s)", arguments={"phases": 1 << bits})
    fewer = (asked["lanes"] or geometry.rows * geometry.columns * geometry.ways) // 2
    while fewer:
        yield _Change(name=f"{fewer} lanes", arguments={"lanes": fewer})
        fewer //= 2
    if thorough:
        yield from _narrower(model, sensitivity)
        yield from _without_path(model)
    own = PARTS[design.part]
    for name, other in PARTS.items():
        if other.family is own.family and other.luts > own.luts:
            yield _Change(name=f"part {name}", arguments={"part": name})
            if asked["placement"]:
                arguments = {"part": name, "placement": {}}
                yield _Change(
                    name=f"part {name}, placements left to the solver", arguments=arguments
                )


def _fitting(
    model: IntegerModel,
    design: Design,
    asked: Mapping[str, Any],
    judge: Callable[[Design], Estimate | Prediction],
    progress: Progress,
    *,
    sensitivity: AddedErrors | None = None,
    thorough: bool = False,
) -> list[Outlook]:
    """Lower the design with each change; keep those that fit, and of larger parts the first."""
    found: list[Outlook] = []
    changes = _changes(model, design, asked, sensitivity=sensitivity or {}, thorough=thorough)
    for number, change in enumerate(changes):
        progress(number, None, f"trying {change.name}")
        try:
            changed = lower(change.model or model, **{**asked, **change.arguments})
        except UserError:
            continue
        apart = _apart(changed)
        if change.split and not apart:
            continue
        figures = judge(changed)
        if figures.over:
            continue
        outlook = Outlook(
            change=f"{change.name}: {apart}" if change.split else change.name,
            figures=figures,
            error=change.error,
            retrain=change.model is not None,
            larger=changed.part != design.part,
        )
        found.append(outlook)
        if outlook.larger:
            break
    return found


def _asked(
    part: str,
    lanes: int | None,
    pack: bool,
    placement: Mapping[str, str] | None,
    rows: int | str,
    posts: int,
    phases: int,
) -> dict[str, Any]:
    """Return the options of :func:`bitformer.hw.lowering.lower.lower` that changes start from."""
    engine = {"lanes": lanes, "rows": rows, "posts": posts, "pack": pack, "phases": phases}
    return {"part": part, **engine, "placement": dict(placement or {})}


def remedies(
    model: IntegerModel,
    *,
    part: str,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    rows: int | str = 1,
    posts: int = 1,
    phases: int = 1,
    clock_hz: float = 100e6,
    most: int = 3,
    beside: Sequence[StoreSpec] = (),
    progress: Progress = silent,
) -> list[Outlook]:
    """Find changes with which ``model`` fits by exact figures, the fastest first.

    Tried: placements given to the solver, store by store or result by result, no packing, fewer
    lanes, larger parts.

    Parameters
    ----------
    model, part, lanes, pack, placement, rows, posts, phases
        As of :func:`bitformer.hw.lowering.lower.lower`.
    clock_hz
        The clock.
    most
        How many are returned; none if the design fits as it is.
    beside
        Memories that share the part.
    progress
        Called with how many were tried, and what is tried next.
    """
    asked = _asked(part, lanes, pack, placement, rows, posts, phases)

    def judge(design: Design) -> Estimate:
        return estimate(design, clock_hz=clock_hz, beside=beside)

    design = lower(model, **asked)
    if not judge(design).over:
        return []
    found = _fitting(model, design, asked, judge, progress)
    return sorted(found, key=lambda one: (one.larger, one.figures.latency))[:most]


def diagnose(
    model: IntegerModel,
    *,
    part: str,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    rows: int | str = 1,
    posts: int = 1,
    phases: int = 1,
    predictor: Predictor | None = None,
    sensitivity: AddedErrors | None = None,
    most: int = 8,
    progress: Progress = silent,
) -> Diagnosis:
    """Predict ``model`` on ``part``, and try changes, one at a time, if it does not fit.

    Tried: what :func:`remedies` tries, another placement of each store and of each result, and
    narrower components (as untrained models of the same shape). Rows that never live together share
    memory already.

    Fixes come in this order: those that change no number, the fastest first; those that have to be
    trained again, by added error where it is known; another part.

    Parameters
    ----------
    model, part, lanes, pack, placement, rows, posts, phases
        As of :func:`bitformer.hw.lowering.lower.lower`.
    predictor
        Of LUTs and flip-flops; without one, those of the stores alone count.
    sensitivity
        Validation error that a component's bits add.
    most
        How many fixes are returned.
    progress
        Called with how many were tried, and what is tried next.
    """
    asked = _asked(part, lanes, pack, placement, rows, posts, phases)
    judge: Callable[[Design], Estimate | Prediction]
    judge = estimate if predictor is None else predictor.predict
    design = lower(model, **asked)
    now = Outlook(change="", figures=judge(design))
    others = {
        "all block": everywhere(design, "block"),
        "all distributed": everywhere(design, "distributed"),
        "auto": {},
        "auto, results one by one": {RESULTS: "auto"},
    }
    placements = tuple(
        Outlook(change=name, figures=judge(lower(model, **{**asked, "placement": places})))
        for name, places in others.items()
    )
    fixes: list[Outlook] = []
    if now.figures.over:
        fixes = _fitting(
            model, design, asked, judge, progress, sensitivity=sensitivity, thorough=True
        )
    return Diagnosis(now=now, placements=placements, fixes=tuple(sorted(fixes, key=_rank)[:most]))


def _rank(found: Outlook) -> tuple:
    error = float("inf") if found.error is None else found.error
    return found.larger, found.retrain, error, found.figures.latency, found.change
