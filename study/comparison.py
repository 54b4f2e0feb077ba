"""Training with rounding against rounding alone, over widths and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from bitformer.model.compression import published_ratio
from bitformer.model.config import TransformerConfig
from bitformer.model.data.reading import DataSource
from bitformer.model.precision import (
    PATH_COMPONENTS,
    PRECISE_COMPONENTS,
    UNIFORM,
    Precision,
    Width,
    keep_precise,
    read_weights,
)
from bitformer.study.trials import Outcome, Trial

__all__ = ["ComparisonRow", "at_width", "comparison_trials", "tabulate"]


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """Errors of one width and method over seeds.

    ``bits`` and ``scheme`` are those of weights; ``bits`` None stands for the float model. ``val``
    and ``test`` are means, the ``_spread`` their sample standard deviations (0 for one seed).
    ``increase`` is the mean, over seeds, of the test error over that of the float model it started
    from, minus 1.
    """

    bits: int | None
    method: str
    seeds: int
    val: float
    val_spread: float
    test: float
    test_spread: float
    increase: float
    compression_published: float
    warnings: int
    scheme: str = UNIFORM


def at_width(
    config: TransformerConfig, weights: Width, activations: int = 8, precise: int | None = None
) -> TransformerConfig:
    """Return ``config`` with all weights and activations at these widths.

    ``weights`` : a number, or ``"4p"`` for powers of two.
    ``precise`` : bits of weights and activations of the components that arXiv 2408.16495 keeps
    precise, of those the model has; None treats them like the others. The linear path keeps its own
    bits.
    """
    own = {name: bits for name, bits in config.precision.items() if name in PATH_COMPONENTS}
    precision: dict[str, Precision] = own
    if precise is not None:
        kept = [name for name in PRECISE_COMPONENTS if name in config.components]
        precision = keep_precise(own, precise, kept)
    bits, scheme = read_weights(weights)
    return config.replace(
        name=f"{config.name}-w{weights}",
        default=Precision(weights=bits, activations=activations, scheme=scheme),
        precision=precision,
        tensors={},
    )


def comparison_trials(
    config: TransformerConfig,
    source: DataSource,
    *,
    widths: Sequence[Width],
    methods: Sequence[str] = ("qat", "ptq"),
    seeds: Sequence[int] = (0, 1, 2),
    activations: int = 8,
    precise: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Trial]:
    """Return a trial for every width, method and seed."""
    return [
        Trial(
            config=at_width(config, bits, activations, precise),
            source=source,
            settings={**(settings or {}), "seed": seed, "method": method},
        )
        for bits in widths
        for method in methods
        for seed in seeds
    ]


def _row(
    bits: int | None, method: str, errors: list[tuple[float, float, float]], **rest
) -> ComparisonRow:
    """Average (validation, test, test of the float model) over seeds."""
    val, test, before = zip(*errors, strict=True)
    return ComparisonRow(
        bits=bits,
        method=method,
        seeds=len(errors),
        val=mean(val),
        val_spread=stdev(val) if len(val) > 1 else 0.0,
        test=mean(test),
        test_spread=stdev(test) if len(test) > 1 else 0.0,
        increase=mean(t / b - 1 for t, b in zip(test, before, strict=True)),
        **rest,
    )


def tabulate(outcomes: Sequence[Outcome]) -> list[ComparisonRow]:
    """Return a row for the float models, then one for each width and method, widest first."""
    groups: dict[tuple[Width, str], list[Outcome]] = {}
    floats: dict[int, tuple[float, float, float]] = {}
    for outcome in outcomes:
        settings = outcome.trial.settings
        key = (outcome.trial.config.default.width, settings.get("method", "qat"))
        groups.setdefault(key, []).append(outcome)
        before = (outcome.float_val, outcome.float_test, outcome.float_test)
        floats[settings.get("seed", 0)] = before
    rows = [_row(None, "float", list(floats.values()), compression_published=1.0, warnings=0)]

    def order(item: tuple[tuple[Width, str], list[Outcome]]) -> tuple[int, str, str]:
        (width, method), _ = item
        bits, scheme = read_weights(width)
        return -bits, scheme, method

    for (width, method), group in sorted(groups.items(), key=order):
        bits, scheme = read_weights(width)
        rows.append(
            _row(
                bits,
                method,
                [(one.val, one.test, one.float_test) for one in group],
                compression_published=published_ratio(group[0].trial.config),
                warnings=sum(len(one.warnings) for one in group),
                scheme=scheme,
            )
        )
    return rows
