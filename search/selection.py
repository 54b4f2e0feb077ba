"""Which combinations of a space are worth a training."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from bitformer.search.limits import Limits, energy_of, excesses, within
from bitformer.search.pareto import pareto
from bitformer.search.space.outcomes import Outcomes

__all__ = ["COSTS", "SCORES", "Selected", "choose", "nearest_miss", "no_dearer"]

#: What a combination may be ranked by: predicted loss, or the published sum of bits.
SCORES = ("loss", "bits")
#: What a design costs, beside its flip-flops, of which parts have plenty.
COSTS = ("luts", "lutram", "ramb18", "dsps", "latency")
#: A space's figures that are its designs' own; what the others may be off, relatively.
_EXACT = ("dsps", "latency")
SLACK, ENERGY_SLACK = 0.02, 0.004
_UNITS = {"latency": "cycles", "energy": "J"}


@dataclass(frozen=True, kw_only=True)
class Selected:
    """A combination by its number, and why it was chosen."""

    number: int
    why: str


def no_dearer(outcomes: Outcomes, number: int, own: np.ndarray | None = None) -> np.ndarray:
    """Return which combinations cost no more than ``number``, of each of :data:`COSTS`.

    Those that are not of ``own``, predicted as a space predicts them, may be over by what that may
    be off.
    """
    slack = np.zeros(len(outcomes.luts)) if own is None else np.where(own, 0.0, SLACK)
    kept = np.ones(len(outcomes.luts), dtype=bool)
    for name in COSTS:
        column = getattr(outcomes, name)
        kept &= column <= column[number] * (1 + slack * (name not in _EXACT))
    return kept


def choose(
    outcomes: Outcomes,
    limits: Limits,
    score: np.ndarray,
    top: int,
    *,
    by: str = "loss",
    uniform: Mapping[str, int] | None = None,
    out: Collection[int] = (),
    same: np.ndarray | None = None,
    own: np.ndarray | None = None,
) -> list[Selected]:
    """Choose at most ``top`` combinations within the limits, none of them ``uniform`` or ``out``.

    ``score`` : a number for each combination, the smaller the better; ``uniform`` : combinations
    with the same bits everywhere by name, which are trained anyway, for comparison. ``same`` : a
    number that the same designs have in common, of which one is taken. ``own`` : those whose
    outcomes are their own designs', if not all are.

    By ``bits`` it is the best scores, as published: ties go to the faster, then to the one that
    takes less energy. By ``loss``, the first place is the best score's. Each of ``uniform`` has the
    next ones, a fifth of all but at least one, for the best scores that cost no more of anything;
    and another, unless one that is chosen has a better score than it in no more time and energy,
    for the best that takes no more of those. The rest are of the Pareto set of score, latency and
    energy, best scores first: a later one is worse in score, but faster or more sparing. When there
    are no more, it is the best scores that are left.
    """
    uniform = dict(uniform or {})
    kept = within(outcomes, limits)
    there = np.flatnonzero(kept)
    energy = energy_of(vars(outcomes), limits)
    score = np.round(score, 12)  # sums of the same terms in another order tie
    order = there[np.lexsort((energy[there], outcomes.latency[there], score[there]))]
    chosen: dict[int, str] = {}
    same = np.arange(len(score)) if same is None else same
    left_out = {int(same[number]) for number in (*out, *uniform.values())}

    def take(numbers, why: str, most: int) -> None:
        for number in numbers:
            if most <= 0 or len(chosen) >= top:
                return
            if same[number] not in left_out:
                left_out.add(int(same[number]))
                chosen[int(number)] = why
                most -= 1

    take(order, "best score", 1 if by == "loss" else top)
    if by == "loss":
        for name, number in uniform.items():
            cheap = no_dearer(outcomes, number, own)
            take(order[cheap[order]], f"best at no more than {name}", max(1, top // 5))
        for name, number in uniform.items():
            spare = 0.0 if own is None else np.where(own, 0.0, ENERGY_SLACK)
            better = (score < score[number]) & (energy <= energy[number] * (1 + spare))
            better &= outcomes.latency <= outcomes.latency[number]
            if not better[list(chosen)].any():
                take(order[better[order]], f"best in the time and energy of {name}", 1)
        points = np.column_stack([score, outcomes.latency, energy])[there]
        take(there[pareto(points)], "Pareto set", top)
        take(order, "next score", top)
    return [Selected(number=number, why=why) for number, why in chosen.items()]


def nearest_miss(outcomes: Outcomes, limits: Limits) -> tuple[int, str]:
    """Return the combination that is least over the limits, and a sentence that says by what.

    Only asked when nothing is within. The tightest limit is the one it is most over.
    """
    over = excesses(vars(outcomes), limits)
    worst = np.max(list(over.values()), axis=0)
    summed = np.sum(np.maximum(0.0, list(over.values())), axis=0)
    number = int(np.lexsort((summed, worst, ~outcomes.possible))[0])
    name = max(over, key=lambda one: over[one][number])
    if name == "energy":
        need, bound = f"{energy_of(vars(outcomes), limits)[number]:.3g}", f"{limits.energy_j:.3g}"
    elif name == "latency":
        need, bound = str(outcomes.latency[number]), f"{limits.cycles:.0f}"
    else:
        need, bound = str(getattr(outcomes, name)[number]), str(limits.of(name))
    unit = _UNITS.get(name, name)
    return number, f"{name} is the tightest limit: the nearest needs {need} {unit}, not {bound}"
