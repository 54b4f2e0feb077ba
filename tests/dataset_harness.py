"""A data set of given values, by the hour."""

import numpy as np

from bitformer.model.data.csv_source import Series
from bitformer.model.data.reading import Reading
from bitformer.model.data.splits import by_fractions
from bitformer.model.data.windows import Dataset, make_dataset


def dataset(
    values: np.ndarray, *, inputs=("v",), window=30, horizon=26, dated=True, calendar=()
) -> Dataset:
    series = Series(
        columns=("v", "w")[: values.shape[1]],
        values=values,
        lines=np.arange(len(values)) + 2,
        times=3600.0 * np.arange(len(values)),
        dated=dated,
    )
    return make_dataset(
        series,
        name="made",
        inputs=inputs,
        target="v",
        split=by_fractions,
        window=window,
        horizon=horizon,
        reading=Reading(max_fill=0),
        calendar=calendar,
    )
