"""Data scaled so that the integers of a model are the words of an ADC.

A model stores ``q`` for ``(value - mean) / std / 2**exponent``. If ``std`` is a power of two of the
ADC's steps, ``mean`` the value at the middle word ``2**(bits - 1)`` and ``2**exponent`` one step,
then ``q`` is the word less ``2**(bits - 1)``: the word with its highest bit inverted. Nothing is
computed; the first layer's bias takes the offset in, or the subtraction of the last value drops it.

All inputs share one exponent, so each has the same number of steps in its ``std``: the power of two
nearest to the deviation of the target if it is an input, else of the input that varies most.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.numerics import standardised

__all__ = ["in_adc_words", "rescaled"]

#: Bits of an ADC.
_LEAST_BITS, _MOST_BITS = 8, 16
#: A column whose deviation is this many times another's, or a part of it, is worth a sentence.
_UNLIKE = 8
#: Deviations of fewer words are, too.
_FEW = 8
#: What floats make of an integer is this close to it.
_CLOSE = 1e-6


def in_adc_words(
    config: TransformerConfig,
    dataset: Dataset,
    bits: int,
    *,
    like: Mapping[str, Any] | None = None,
) -> tuple[TransformerConfig, Dataset, list[str]]:
    """Return a configuration of an ADC's words, its data, and sentences for people.

    Parameters
    ----------
    config, dataset
        Of any words; a column with a range has the ADC's words 0 and ``2**bits - 1`` at its ends,
        one without holds words.
    bits
        Of the ADC, 8 to 16.
    like
        The scales of a model whose words these must be, as
        :func:`bitformer.model.training_run.describe` writes them; None chooses them by the training
        rows.

    Raises
    ------
    UserError
        If there is no such ADC, or a column without a range holds anything but its words.
    """
    if not _LEAST_BITS <= bits <= _MOST_BITS:
        raise UserError(f"--raw must be {_LEAST_BITS} to {_MOST_BITS} bits, not {bits}")
    most = (1 << bits) - 1
    columns = [_Converter.of(dataset, name, most) for name in dataset.inputs]
    target = _Converter.of(dataset, dataset.target, most)
    lead = max(columns, key=lambda column: column.words)
    if dataset.target_channel is not None:
        lead = target
    notes = _notes(columns, target, lead, bits)
    shift, own = lead.shift(bits), target.shift(bits)
    if dataset.target_channel is not None:
        own = shift
    scales: Mapping[str, Any] = like or {
        "mean": [column.middle(bits) for column in columns],
        "std": [column.step * 2.0**shift for column in columns],
        "target_mean": target.middle(bits),
        "target_std": target.step * 2.0**own,
    }
    ranges = {column.name: (column.low, column.high) for column in (*columns, target)}
    _check_kept(ranges, like)
    dataset = dataclasses.replace(rescaled(dataset, scales), range=ranges)
    config = config.replace(input_bits=bits, output_bits=bits, adc_words=True)
    return config, dataset, notes


def _check_kept(ranges: Mapping[str, tuple[float, float]], like: Mapping[str, Any] | None) -> None:
    """Refuse other values at the ends of the words than those of a model that is kept."""
    kept = {} if like is None else like.get("range", {})
    for name, ends in kept.items():
        if name in ranges and tuple(ends) != ranges[name]:
            low, high = ends
            raise UserError(
                f"range of {name} must be {low:g},{high:g} as in the run whose scales are kept, not"
                f" {ranges[name][0]:g},{ranges[name][1]:g}: use --range {low!r},{high!r}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Converter:
    """A column's ADC: its values at the lowest and the highest word, and its deviation in words."""

    name: str
    low: float
    high: float
    step: float
    words: float

    @classmethod
    def of(cls, dataset: Dataset, name: str, most: int) -> "_Converter":
        if name == dataset.target:
            scaled, mean, std = dataset.train.target, dataset.target_mean, dataset.target_std
        else:
            place = dataset.inputs.index(name)
            scaled = dataset.train.inputs[:, place]
            mean, std = float(dataset.mean[place]), float(dataset.std[place])
        scaled = scaled[np.isfinite(scaled)]
        if name in dataset.range:
            low, high = dataset.range[name]
        else:
            with np.errstate(over="ignore"):
                _check_words(scaled * std + mean, name, dataset.target, most)
            low, high = 0.0, float(most)
        step = (high - low) / most
        constant = not len(scaled) or scaled.min() == scaled.max()
        return cls(name=name, low=low, high=high, step=step, words=0 if constant else std / step)

    def middle(self, bits: int) -> float:
        """Return the value at the middle word."""
        return self.low + self.step * 2.0 ** (bits - 1)

    def shift(self, bits: int) -> int:
        """Return log2 of the words in a deviation, rounded."""
        return min(max(round(math.log2(self.words)) if self.words else 0, 0), bits - 1)


def _check_words(values: np.ndarray, name: str, target: str, most: int) -> None:
    """Refuse what are no words of an ADC."""
    wrong = ~(
        (np.abs(values - np.rint(values)) <= _CLOSE) & (values > -_CLOSE) & (values < most + _CLOSE)
    )
    if wrong.any():
        value = f"{values[wrong][0]:g}"
        option = "LOW,HIGH" if name == target else f"'{name}=LOW,HIGH'"
        raise UserError(
            f"Column {name!r} must hold an ADC's words, integers from 0 to {most}, for --raw"
            f" {most.bit_length()}, not {value}: name its values at word 0 and at word"
            f" {most} with --range {option}, or say with --missing {value} that this is no reading"
        )


def _notes(columns: list[_Converter], target: _Converter, lead: _Converter, bits: int) -> list[str]:
    notes = []
    for column in dict.fromkeys((*columns, target)):
        if 0 < column.words < _FEW:
            notes.append(
                f"{column.name} varies by {column.words:.2g} words of {bits} bits (its standard"
                " deviation): an amplifier, or a narrower range of the ADC, would leave more of it"
            )
    for column in columns:
        unlike = column.words and not 1 / _UNLIKE < column.words / lead.words < _UNLIKE
        if unlike and column.name != lead.name:
            notes.append(
                f"{column.name} varies by {column.words:.3g} words and {lead.name} by"
                f" {lead.words:.3g}: all inputs share one scale, so the first layer's weights"
                " are coarse for the smaller of them; like amplitudes at the ADC avoid that"
            )
    return notes


def rescaled(dataset: Dataset, scales: Mapping[str, Any]) -> Dataset:
    """Return ``dataset`` with other scales: ``mean`` and ``std``, ``target_mean``, ``target_std``.

    Values that were integers in the file's units are these integers again before they are scaled.
    """
    mean, std = (np.asarray(scales[name], dtype=np.float64) for name in ("mean", "std"))
    center, spread = float(scales["target_mean"]), float(scales["target_std"])
    inputs = standardised(_values(dataset.train.inputs, dataset.mean, dataset.std), mean, std)
    before = dataset.target_mean, dataset.target_std
    target = standardised(_values(dataset.train.target, *before), center, spread)
    parts = {
        part: dataclasses.replace(getattr(dataset, part), inputs=inputs, target=target)
        for part in ("train", "val", "test")
    }
    return dataclasses.replace(
        dataset, mean=mean, std=std, target_mean=center, target_std=spread, **parts
    )


def _values(scaled: np.ndarray, mean, std) -> np.ndarray:
    """Return values in the file's units."""
    with np.errstate(over="ignore"):
        values = scaled * std + mean
    whole = np.rint(values)
    rounding = 2.0**-48 * (np.abs(values) + np.abs(mean) + std)
    return np.where(np.abs(values - whole) <= rounding, whole, values)
