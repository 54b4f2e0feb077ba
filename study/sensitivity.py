"""How much each component hurts: quantized alone at each width, and spared alone.

Errors are on validation windows, so that a search may be guided by them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, TypedDict

from bitformer.model.config import TransformerConfig
from bitformer.model.data.reading import DataSource
from bitformer.model.errors import UserError
from bitformer.model.plain import checked, partly
from bitformer.model.precision import (
    FLOAT_BITS,
    WEIGHT_BITS,
    AddedErrors,
    Precision,
    Width,
    read_weights,
)
from bitformer.model.strict_json import read_json
from bitformer.study.trials import Outcome, Trial

__all__ = [
    "Sensitivity",
    "alone_trials",
    "existing",
    "read_added",
    "sensitivity_trials",
    "tabulate",
]

#: Errors are squares of standardised values: more than any model's.
_MOST = 1e9
_FLOAT = Precision(weights=FLOAT_BITS, activations=FLOAT_BITS)


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Validation errors (mean squared, standardised, mean over seeds) by component.

    ``base`` : with nothing rounded. ``alone[component][bits]`` : this component rounded at
    ``bits``, all others in float32; powers of two of 4 bits are ``"4p"``. ``low`` : everything
    rounded at ``low_bits``. ``spared[component]`` : everything but this component rounded at
    ``low_bits``.
    """

    base: float
    alone: Mapping[str, Mapping[Width, float]]
    low_bits: Width
    low: float
    spared: Mapping[str, float]

    @property
    def added(self) -> dict[str, dict[Width, float]]:
        """Error that rounding each component alone adds."""
        return {
            name: {bits: error - self.base for bits, error in errors.items()}
            for name, errors in self.alone.items()
        }


def precision_at(width: Width) -> Precision:
    """Return the precision of a component at a width; its activations have at least 2 bits."""
    bits, scheme = read_weights(width)
    return Precision(weights=bits, activations=max(bits, 2), scheme=scheme)


def existing(config: TransformerConfig) -> tuple[str, ...]:
    """Return the components that ``config`` has: pooling is one only where there is a mean."""
    return tuple(name for name in config.components if name != "GAP" or config.pooling == "mean")


def _configs(
    config: TransformerConfig, widths: Sequence[Width]
) -> dict[tuple[str, str, Width], TransformerConfig]:
    """Return the configurations of a study by (what is done, component, bits)."""
    low, floats = min(widths, key=read_weights), config.at(_FLOAT)
    rounded = config.at(precision_at(low))
    configs: dict[tuple[str, str, Width], TransformerConfig] = {
        ("low", "", low): rounded.replace(name=f"all-{low}")
    }
    for name in existing(config):
        for bits in widths:
            configs["alone", name, bits] = floats.replace(
                name=f"{name}-{bits}", precision={**floats.precision, name: precision_at(bits)}
            )
        configs["spared", name, low] = rounded.replace(
            name=f"all-{low}-but-{name}", precision={**rounded.precision, name: _FLOAT}
        )
    return configs


def alone_trials(
    config: TransformerConfig,
    source: DataSource,
    bits: Iterable[Precision],
    *,
    seed: int = 0,
    method: str = "ptq",
    settings: Mapping[str, Any] | None = None,
) -> dict[tuple[str, Precision], Trial]:
    """Return trials by (component, its bits), all else in float32."""
    floats = config.at(_FLOAT)
    own = {**(settings or {}), "seed": seed, "method": method}
    return {
        (name, one): Trial(
            config=floats.replace(
                name=f"{name}-{one.slug}", precision={**floats.precision, name: one}
            ),
            source=source,
            settings=own,
        )
        for name in existing(config)
        for one in bits
    }


def read_added(path: Path) -> AddedErrors:
    """Read validation errors that bits add, by component, from a file.

    A JSON object such as ``{"MHA": {"4": 0.01, "2/8": 0}}``, or what ``sensitivity --json`` prints.
    """
    data, base = read_json(path, "Sensitivity file"), 0.0
    where = f"Sensitivity file {path}"
    if isinstance(data, dict) and "alone" in data:
        base = partly(_Printed, data, where)["float_val"]
        data = data["alone"]
    try:
        table = checked(dict[str, dict[str, float]], data, where)
    except UserError as error:
        raise UserError(f'{error}: such as {{"MHA": {{"4": 0.01, "8": 0}}}}') from None
    found: dict[str, dict[Precision, float]] = {name: {} for name in table}
    for name, own in table.items():
        for bits, value in own.items():
            if not -_MOST <= value <= _MOST:
                raise UserError(f"{where}: {name}: {bits} must be an error, not {value}")
            try:
                found[name][Precision.parse(bits)] = value - base
            except UserError as error:
                raise UserError(f"{where}: {name}: {error}") from None
    return found


class _Printed(TypedDict):
    """What ``sensitivity --json`` prints, of which this much is read."""

    float_val: float
    alone: dict[str, dict[str, float]]


def sensitivity_trials(
    config: TransformerConfig,
    source: DataSource,
    *,
    widths: Sequence[Width] = (8, 6, 4, 3, 2),
    method: str = "ptq",
    seeds: Sequence[int] = (0,),
    settings: Mapping[str, Any] | None = None,
) -> dict[tuple[str, str, Width, int], Trial]:
    """Return trials by (what is done, component, bits, seed)."""
    for bits in widths:
        number, _ = read_weights(bits)
        if number not in WEIGHT_BITS or number == FLOAT_BITS:
            known = [width for width in WEIGHT_BITS if width != FLOAT_BITS]
            raise UserError(f"widths must be of {known}, not {bits}")
    return {
        (*key, seed): Trial(
            config=changed,
            source=source,
            settings={**(settings or {}), "seed": seed, "method": method},
        )
        for key, changed in _configs(config, widths).items()
        for seed in seeds
    }


def tabulate(outcomes: Mapping[tuple[str, str, Width, int], Outcome]) -> Sensitivity:
    """Average the outcomes of :func:`sensitivity_trials`, which have the same keys."""
    errors: dict[tuple[str, str, Width], list[float]] = {}
    floats: dict[int, float] = {}
    for (what, name, bits, seed), outcome in outcomes.items():
        errors.setdefault((what, name, bits), []).append(outcome.val)
        floats[seed] = outcome.float_val
    alone: dict[str, dict[Width, float]] = {}
    spared: dict[str, float] = {}
    for (what, name, bits), values in errors.items():
        if what == "alone":
            alone.setdefault(name, {})[bits] = mean(values)
        elif what == "spared":
            spared[name] = mean(values)
        else:
            low_bits, low = bits, mean(values)
    return Sensitivity(
        base=mean(floats.values()), alone=alone, low_bits=low_bits, low=low, spared=spared
    )
