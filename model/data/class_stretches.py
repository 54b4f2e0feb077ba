"""The stretches that a classifier's training windows lie in, with the rows that were left out."""

import dataclasses

import numpy as np

from bitformer.model.data.class_names import CLASS, named_rows, numbered
from bitformer.model.data.class_parts import class_stretches
from bitformer.model.data.csv_source import Series
from bitformer.model.data.gaps import Clean, clean
from bitformer.model.data.parts import Ranges
from bitformer.model.data.reading import Reading
from bitformer.model.data.stretches import WindowStarts, stretches_of
from bitformer.model.data.windows import Dataset
from bitformer.model.numerics import standardised

__all__ = ["training_stretches"]


def training_stretches(
    series: Series, cleaned: Clean, training: Ranges, dataset: Dataset, reading: Reading
) -> WindowStarts:
    """Return where the training windows of a classifier may begin instead.

    Parameters
    ----------
    series
        The rows as they were read.
    cleaned
        The same, cleaned and thinned.
    training
        The row ranges of the training part among them, one in each block.
    dataset
        What was made of them.
    reading
        How rows became windows.
    """
    train = dataset.train
    if reading.every == 1:
        assert train.labels is not None
        ranges = class_stretches(cleaned, training, train.labels)
        return stretches_of(train.inputs, np.arange(len(train.inputs)), ranges, every=1)
    every, finer = reading.every, clean(series, reading=dataclasses.replace(reading, every=1))
    named = named_rows(
        finer.rows.texts[CLASS],
        finer.rows.where,
        column=dataset.target,
        name=dataset.name,
        reading=reading,
    )
    pairs = list(zip(cleaned.blocks, finer.blocks, strict=True))
    place = [own.start + every * np.arange(one.stop - one.start) for one, own in pairs]
    moved = [
        tuple(min(own.stop, own.start + every * (row - one.start)) for row in limits)
        for (one, own), limits in zip(pairs, training, strict=True)
    ]
    ranges = class_stretches(finer, [(a, b) for a, b in moved], numbered(named, dataset.classes))
    values = standardised(finer.values, dataset.mean, dataset.std)
    return stretches_of(values, np.concatenate(place), ranges, every=every)
