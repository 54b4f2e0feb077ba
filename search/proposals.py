"""Shapes that suit data: windows of whole cycles, patches that align with them, and variants."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.precision import TOKEN_COMPONENTS
from bitformer.search.kinds import of_block

__all__ = [
    "MOST",
    "Cycle",
    "Proposal",
    "cycle_of",
    "default_horizon",
    "shapes",
    "thinned",
    "variants",
]

_DAY, _WEEK = 86400.0, 7 * 86400.0
#: Windows, in cycles, by the cycle: those of which measured series gained.
_CYCLES = {"day": (1, 2, 7), "week": (1, 2, 4), "year": (1, 2, 3)}
#: Windows where no cycle is known, or it is too long; those to tell classes by.
_PLAIN, _PLAIN_OF_CLASSES = (32, 64, 128), (16, 32, 64)
#: Rows of the longest window, and numbers of one.
_LONGEST, _NUMBERS = 1024, 8192
#: Tokens of a window that patches are chosen for; of a long one, a cycle and half of one a token.
_TOKENS = 12
#: The most that are tried, and the widest model.
MOST, _WIDEST = 8, 64
#: Steps of the longest forecast by default.
_HORIZON, _PLAIN_HORIZON = 48, 8
#: The fewest rows of a cycle.
_FEWEST = 4
#: Rows of a cycle of which a few go into a window that small parts hold: half hours of a day.
_SHORT = 48


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """What repeats in rows: ``name`` is a day, a week or a year."""

    rows: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A configuration to be tried, and what is new in it."""

    config: TransformerConfig
    what: str


def cycle_of(dataset: Dataset) -> Cycle | None:
    """Return the shortest cycle of four rows or more; None where rows have no dates, or none."""
    step, day = dataset.step, dataset.period
    if day is not None and day >= _FEWEST:
        return Cycle(rows=day, name="day")
    if step is None or not step.dated:
        return None
    if step.unit == "business" and day == 1:
        return Cycle(rows=5, name="week")
    if step.unit == "month" and 12 % step.months == 0 and step.months <= 3:
        return Cycle(rows=12 // step.months, name="year")
    if step.unit != "even":
        return None
    if day is not None:
        return Cycle(rows=7 * day, name="week")
    if math.isclose(step.length, _WEEK, rel_tol=1e-3):
        return Cycle(rows=52, name="year")
    return None


def default_horizon(cycle: Cycle | None) -> int:
    """Return how many steps are forecast where nobody says: a cycle, or a part of a long one."""
    if cycle is None:
        return _PLAIN_HORIZON
    return max(n for n in range(1, _HORIZON + 1) if cycle.rows % n == 0)


def thinned(cycle: Cycle | None) -> int | None:
    """Return of how many rows one would leave a cycle short enough; None where it is so, or none.

    It is the least that leaves a whole number of rows, and enough of them for a cycle.
    """
    if cycle is None or cycle.rows <= _SHORT:
        return None
    rows = (n for n in range(_SHORT, _FEWEST - 1, -1) if cycle.rows % n == 0)
    return next((cycle.rows // n for n in rows), None)


def shapes(
    base: TransformerConfig,
    cycle: Cycle | None,
    *,
    window: int | None = None,
    patch: int | None = None,
) -> list[Proposal]:
    """Return ``base`` with windows and patches that suit a cycle, the shortest window first.

    ``window`` and ``patch`` are given ones, which all of them have then.

    Raises
    ------
    UserError
        If nothing has the given sizes.
    """
    windows = [window] if window else list(_windows(base, cycle, patch))
    found: dict[tuple[int, int], str] = {}
    for rows in windows:
        for own in [patch] if patch else _patches(rows, cycle):
            found.setdefault((rows, own), _named(rows, cycle))
    if not found:
        raise UserError(
            f"--config auto finds no window of whole patches of {patch} rows: leave --patch out, or"
            " name --window, too"
        )
    return [
        Proposal(config=base.replace(window=rows, patch=own), what=what)
        for (rows, own), what in found.items()
    ]


def variants(
    best: TransformerConfig,
    *,
    patch: int | None = None,
    block: str | None = None,
    subtracts: bool = False,
) -> list[Proposal]:
    """Return what else is tried of the best shape, one change each, the most promising first.

    ``patch`` and ``block`` are given ones, which all of them have then. With ``subtracts``, all
    subtract the last value if the best does.
    """
    found, delta = [], {n: bits for n, bits in best.tensors.items() if n == "delta"}
    if best.subtract_last and not subtracts:
        other = best.replace(subtract_last=False, tensors={})
        found.append(Proposal(config=other, what="last value not subtracted"))
    found += _widths(best, "twice as wide", best.d_model * 2)
    if best.block == "attention" and block is None:
        own = {n: bits for n, bits in best.precision.items() if n not in TOKEN_COMPONENTS}
        mlp = best.replace(patch=patch or best.window, block="mlp", precision=own, tensors=delta)
        found += _widths(mlp, "an MLP", min(best.d_model * 4, _WIDEST))
        found.append(Proposal(config=best.replace(block="mixer"), what="a mixer"))
    if best.block == "mixer" and block is None:  # that of classes
        if patch in (None, best.window):
            found.append(Proposal(config=_of_block(best, "mlp"), what="an MLP"))
        found.append(Proposal(config=_of_block(best, "attention"), what="attention"))
    found += _widths(best, "half as wide", best.d_model // 2)
    return found


def _widths(config: TransformerConfig, what: str, width: int) -> list[Proposal]:
    """Return a configuration of another width, whose FFN is twice as wide; none if it cannot be."""
    if width % config.heads or not 2 * config.heads <= width <= _WIDEST:
        return []
    return [Proposal(config=config.replace(d_model=width, ffn=2 * width), what=what)]


def _of_block(config: TransformerConfig, block: str) -> TransformerConfig:
    """Return a configuration with another kind of layers, under the same name."""
    return of_block(config, block).replace(name=config.name)


def _windows(base: TransformerConfig, cycle: Cycle | None, patch: int | None) -> Iterator[int]:
    """Yield windows of whole cycles, and plain ones where fewer than two of these will do."""
    cycles = [] if cycle is None else [cycle.rows * n for n in _CYCLES[cycle.name]]
    some = [rows for rows in cycles if _may_be(rows, base, patch)]
    yield from some
    if len(some) < 2:
        most = max(some, default=_LONGEST)
        plain = _PLAIN_OF_CLASSES if base.task == "classify" else _PLAIN
        yield from (rows for rows in plain if rows < most and _may_be(rows, base, patch))


def _may_be(rows: int, base: TransformerConfig, patch: int | None) -> bool:
    whole = patch is None or (rows % patch == 0 and rows // patch <= 256)
    return whole and rows <= _LONGEST and rows * base.inputs <= _NUMBERS


def _patches(window: int, cycle: Cycle | None) -> list[int]:
    """Return patches of a window: about a dozen tokens; of many cycles, a cycle or half of one."""
    if cycle is not None and window % cycle.rows == 0 and window >= 4 * cycle.rows:
        half = [cycle.rows // 2] if cycle.rows % 2 == 0 else []
        long = [own for own in (cycle.rows, *half) if window // own <= 64]
        if long:
            return long
    own = math.gcd(window, cycle.rows) if cycle is not None and window >= cycle.rows else window
    divisors = [n for n in range(1, own + 1) if own % n == 0 and window // n <= 64]
    divisors = divisors or [n for n in range(1, window + 1) if window % n == 0 and window // n < 65]
    return [min(divisors, key=lambda n: abs(math.log(window / n / _TOKENS)))]


def _named(rows: int, cycle: Cycle | None) -> str:
    if cycle is None or rows % cycle.rows:
        return f"{rows} rows"
    count = rows // cycle.rows
    return f"{count} {cycle.name}{'' if count == 1 else 's'}"
