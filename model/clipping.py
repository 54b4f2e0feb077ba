"""How many numbers lie beyond what the words of a model hold, and what to do about it.

A number beyond the range of its word becomes the nearest end: a forecast from such a window may be
worthless, and nothing in the hardware stops. So they are counted.
"""

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitformer.model.coverage import ColumnScales, Coverage, input_coverage, output_coverage
from bitformer.model.data.targets import in_parts
from bitformer.model.ir import IntegerModel
from bitformer.model.numerics import round_half_up, round_shift

__all__ = ["Clipped", "clipped", "clipped_sentences", "wider_options"]

#: Windows that are looked at together.
_BATCH = 4096
#: Bits of the widest words.
_MOST_BITS = 16
#: Part of the numbers that narrow words, which are fitted, may clip at little cost.
_FEW = 0.01


@dataclass(frozen=True, kw_only=True)
class Clipped:
    """Numbers of a column that are beyond the range of their words.

    Parameters
    ----------
    part : the windows they were counted in, such as ``"test"``.
    tensor : ``"input"``; ``"delta"`` for its difference to the window's last step; ``"output"``
        for forecasts that reach an end of their range.
    column : its name.
    bits : of a word.
    values, of : how many, of how many; a row counts in each window that it is in.
    windows, of_windows : how many windows have any, of how many.
    low, high : the range that the words cover, in the column's units.
    least, most : lowest and highest value in these windows, in the column's units.
    adc_words : whether the words are an ADC's, whose range is no choice of the training.
    """

    part: str
    tensor: str
    column: str
    bits: int
    values: int
    of: int
    windows: int
    of_windows: int
    low: float
    high: float
    least: float
    most: float
    adc_words: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain data."""
        return dict(vars(self))

    @property
    def remarkable(self) -> bool:
        """Whether a sentence is due: few differences are clipped by words that are fitted."""
        return self.tensor != "delta" or self.many

    @property
    def many(self) -> bool:
        """Whether they may be what an error comes from."""
        return self.values > _FEW * self.of

    @property
    def _beyond(self) -> float:
        """How far the farthest value is beyond the range."""
        return max(self.low - self.least, self.most - self.high, 0.0)

    def __str__(self) -> str:
        many = f"{self.values} of {self.of}"
        where = f"(in {self.windows} of {self.of_windows} windows)"
        covered = f"{self.low:.4g} to {self.high:.4g}"
        if self.tensor == "output":
            return f"{many} forecasts of {self.column} {where} reach an end of {covered}"
        name, words = self.column, "the input's words cover"
        if self.tensor == "delta":
            name, words = f"{self.column} less its last one", "the words of that difference cover"
        return (
            f"{many} values of {name} {where} are up to {self._beyond:.3g} beyond the {covered}"
            f" that {words}"
        )


def _batches(x: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(x), _BATCH):
        yield x[start : start + _BATCH]


class _Count:
    """Counts of the columns of a tensor, over batches [windows, rows, columns]."""

    def __init__(self, columns: int):
        self.values = np.zeros(columns, np.int64)
        self.windows = np.zeros(columns, np.int64)
        self.least, self.most = np.full(columns, np.inf), np.full(columns, -np.inf)
        self.of, self.of_windows = 0, 0

    def add(self, outside: np.ndarray, numbers: np.ndarray) -> None:
        """Count ``outside``, and note the extremes of ``numbers``, of the same shape."""
        self.values += outside.sum(axis=(0, 1))
        self.windows += outside.any(axis=1).sum(axis=0)
        self.of += outside.shape[0] * outside.shape[1]
        self.of_windows += len(outside)
        self.least = np.minimum(self.least, numbers.min(axis=(0, 1)))
        self.most = np.maximum(self.most, numbers.max(axis=(0, 1)))

    def found(
        self,
        part: str,
        tensor: str,
        covered: Sequence[Coverage],
        scales: Sequence[tuple[float, float]],
    ) -> Iterator[Clipped]:
        """Yield what was found of each column that has any; ``scales`` : mean and deviation."""
        for n, (column, (mean, std)) in enumerate(zip(covered, scales, strict=True)):
            if self.values[n]:
                yield Clipped(
                    part=part,
                    tensor=tensor,
                    column=column.column,
                    bits=column.bits,
                    values=int(self.values[n]),
                    of=self.of,
                    windows=int(self.windows[n]),
                    of_windows=self.of_windows,
                    low=column.low,
                    high=column.high,
                    least=float(mean + std * self.least[n]),
                    most=float(mean + std * self.most[n]),
                )


def clipped(
    model: IntegerModel,
    x: np.ndarray,
    units: ColumnScales,
    *,
    forecast: np.ndarray | None = None,
    part: str = "",
) -> tuple[Clipped, ...]:
    """Count the numbers of windows, and of their forecasts, that words do not hold.

    Parameters
    ----------
    model
        Whose words they are.
    x
        Windows, standardised floats [N, window, inputs].
    units
        Names and scales of the columns.
    forecast
        The model's own forecasts of these windows, standardised [N, outputs].
    part
        What the windows are called.

    Returns
    -------
    What was found of each column and tensor, where there is any
    """
    if not len(x) or model.config.window_scaling:  # what is scaled fits, whatever its units
        return ()
    covered = input_coverage(model, units)
    scales = list(zip(units.mean, units.std, strict=True))
    spec, inputs, deltas = model.input, _Count(len(covered)), _Count(len(covered))
    subtraction = model.subtraction
    for batch in _batches(x):
        steps = round_half_up(batch, spec.exponent)
        inputs.add((steps < spec.low) | (steps > spec.high), batch)
        if subtraction is not None:
            held = np.clip(steps, spec.low, spec.high)
            u = subtraction.difference(held)
            narrowed = round_shift(u, subtraction.shift) + model.steps.zero
            outside = (narrowed < model.steps.low) | (narrowed > model.steps.high)
            deltas.add(outside, u * 2.0**spec.exponent)
    found = [*inputs.found(part, "input", covered, scales)]
    if subtraction is not None:
        found += _of_deltas(model, deltas, part, units)
    if forecast is not None and model.results is model.output:  # an answer is no value
        found += _of_outputs(model, forecast, units, part)
    if model.config.adc_words:
        found = [replace(one, adc_words=one.tensor != "delta") for one in found]
    return tuple(found)


def _of_deltas(
    model: IntegerModel, deltas: _Count, part: str, units: ColumnScales
) -> Iterator[Clipped]:
    spec = model.steps
    covered = [
        Coverage(
            tensor="delta",
            column=column,
            bits=spec.bits,
            low=float(std * 2.0**spec.exponent * (spec.low - spec.zero)),
            high=float(std * 2.0**spec.exponent * (spec.high - spec.zero)),
            step=float(std * 2.0**spec.exponent),
        )
        for column, std in zip(units.inputs, units.std, strict=True)
    ]
    yield from deltas.found(part, "delta", covered, [(0.0, float(std)) for std in units.std])


def _of_outputs(
    model: IntegerModel, forecast: np.ndarray, units: ColumnScales, part: str
) -> Iterator[Clipped]:
    targets = units.target_scales
    spec, count = model.output, _Count(len(targets))
    for batch in _batches(np.stack(in_parts(forecast, len(targets)), axis=-1)):
        q = round_half_up(batch, spec.exponent) + spec.zero
        count.add((q <= spec.low) | (q >= spec.high), batch)
    scales = [(one.mean, one.std) for one in targets]
    yield from count.found(part, "output", output_coverage(model, units), scales)


def wider_options(found: Sequence[Clipped], units: ColumnScales) -> list[str]:
    """Return options of ``train`` with which none of the inputs and outputs would be clipped."""
    wider = _wider(found)
    return [_option(column, *limits, target=units.target) for column, limits in wider.items()]


def clipped_sentences(found: Sequence[Clipped], units: ColumnScales) -> list[str]:
    """Return a sentence for each part's windows with numbers that words do not hold.

    It says how many, of which column, how far beyond, and what to do. Differences that narrow words
    clip, as they are fitted to do, are left out where they are few.
    """
    sentences = []
    for part in dict.fromkeys(one.part for one in found):
        told = [one for one in found if one.part == part and one.remarkable]
        if not told:
            continue
        options = wider_options(told, units)
        if any(one.tensor == "delta" and one.bits < _MOST_BITS for one in told):
            options.append(f"--delta {_MOST_BITS}")
        remedy = f": train with {' '.join(options)}" if options else ""
        if options == [f"--delta {_MOST_BITS}"]:
            remedy = f": if changes grow, train with {options[0]}; if the sensor jumped, leave it"
        if any(one.adc_words for one in told):
            remedy += f"{' and' if options else ':'} let the ADC cover what its sensor gives"
        start = f"{part.capitalize()} windows: " if part else ""
        sentences.append(f"{start}{'; '.join(map(str, told))}; they are clipped{remedy}")
    return sentences


def _wider(told: Sequence[Clipped]) -> dict[str, tuple[float, float]]:
    """Return ranges by column that would hold what was seen."""
    found: dict[str, tuple[float, float]] = {}
    for one in told:
        if one.tensor == "delta" or one.adc_words:
            continue
        low, high = min(one.low, one.least), max(one.high, one.most)
        if one.tensor == "output":
            # what it would have been is not known: at that end, half as much again
            more, near = (one.high - one.low) / 2, 1e-6 * (one.high - one.low)
            low -= more if one.least < one.low + near else 0
            high += more if one.most > one.high - near else 0
        before = found.get(one.column, (low, high))
        found[one.column] = min(low, before[0]), max(high, before[1])
    return found


def _option(column: str, low: float, high: float, *, target: str) -> str:
    """Return the option that asks for a range of at least ``low`` to ``high``, rounded outward."""
    unit = 10.0 ** (math.floor(math.log10(high - low)) - 1)
    limits = f"{math.floor(low / unit) * unit:.6g},{math.ceil(high / unit) * unit:.6g}"
    if column == target:
        return f"--range {limits}"
    return f"--range {shlex.quote(f'{column}={limits}')}"
