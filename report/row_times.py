"""When the rows of scored data were: for errors by the hour, and the titles of windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitformer.model.data.clock import clock_of, numbers_known
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.forecasts.new_rows import read_new_rows
from bitformer.model.forecasts.times import in_words
from bitformer.model.ir import IntegerModel
from bitformer.model.own_data import own_name

__all__ = ["RowTimes", "row_times"]


@dataclass(frozen=True, kw_only=True)
class RowTimes:
    """The times of rows.

    Parameters
    ----------
    seconds : float64 [rows]; since 1970 where ``dated``, else plain numbers.
    dated : whether they are dates.
    hours : int64 [rows]; the hour of the day, 0 to 23; None where rows have none.
    """

    seconds: np.ndarray
    dated: bool
    hours: np.ndarray | None

    def words(self, row: int) -> str:
        """Return a row's time for people."""
        return in_words(float(self.seconds[row]), dated=self.dated, zone=None, days=False)


def row_times(model: IntegerModel, dataset: Dataset, columns: Mapping[str, Any]) -> RowTimes | None:
    """Return the times of a data set's rows; None where the file has none.

    ``columns`` : the data and how they are read, as of :meth:`bitformer.Model.evaluate`.
    """
    asked = dict(columns)
    own = {name: asked.pop(name, None) for name in ("data", "target", "inputs")}
    name = own.pop("data") or own_name(model)
    if name is None or model.config.task == "classify":
        return None
    try:
        rows = read_new_rows(model, name, **own, reading=asked, with_target=True)
    except UserError:  # an untrained model, which knows no scales
        return None
    series, step = rows.cleaned.rows, rows.cleaned.step
    if series.times is None or len(series.times) != len(dataset.test.inputs):
        return None
    known = numbers_known(series, step)
    hours = clock_of(series, step, ("hour",))[:, 0] if "hour" in known else None
    return RowTimes(seconds=series.times, dated=series.dated, hours=hours)
