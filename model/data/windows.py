"""Windows over a split and scaled series, on which models are trained, selected and tested.

A window is ``window`` rows of the inputs; its targets are ``horizon`` rows of the target: those
right after it, or from ``ahead`` rows after its last row on; 0 is that row itself. A window belongs
to the part that all its targets lie in. The inputs of validation and test windows may reach back
into the part before, so no target of those parts is left out. Inputs and targets are z-scores by
the mean and the standard deviation over the training rows.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bitformer.model.data.anomaly_marks import marked, marks_said
from bitformer.model.data.clock import clock_of, lost, numbers_known
from bitformer.model.data.csv_source import Series
from bitformer.model.data.extremes import require_scale, warnings
from bitformer.model.data.gaps import Clean, clean
from bitformer.model.data.parts import first_targets, no_windows, part_ranges, splits_of
from bitformer.model.data.reading import Reading
from bitformer.model.data.scale import require_finite, scale, training_rows, unchanging
from bitformer.model.data.sensing import check_ahead, not_an_input
from bitformer.model.data.splits import Splitter
from bitformer.model.data.steps import Step, rows_of_day
from bitformer.model.data.stretches import WindowStarts
from bitformer.model.data.targets import SeriesScale, scaled_targets, target_names
from bitformer.model.errors import UserError
from bitformer.model.numerics import standardised


@dataclasses.dataclass(frozen=True, kw_only=True)
class Windows:
    """N windows of one part, cut from the series when they are asked for.

    Parameters
    ----------
    inputs : float64 [rows, m]; z-scores of the whole series, shared by all parts.
    target : float64 [rows], z-scores of the target, or [rows, targets] of several.
    first : int64 [N]; each window's first target row.
    window : rows of input.
    horizon : rows of target.
    ahead : rows from a window's last to its first target.
    calendar : names of the numbers of the calendar that windows have.
    times : int64 [rows, numbers]; these numbers at each row; None for none.
    labels : int64 [rows]; the number of each row's class, -1 without one; None where rows have no
        classes.
    group : int64 [rows]; the number of each row's group; None where rows have none.
    anomaly : bool [rows]; whether a row is marked as an anomaly; None where none can be.
    """

    inputs: np.ndarray
    target: np.ndarray
    first: np.ndarray
    window: int
    horizon: int
    ahead: int = 1
    calendar: tuple[str, ...] = ()
    times: np.ndarray | None = None
    labels: np.ndarray | None = None
    group: np.ndarray | None = None
    anomaly: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.first)

    @property
    def begin(self) -> np.ndarray:
        """Each window's first row, int64 [N]."""
        return self.last - self.window + 1

    @property
    def last(self) -> np.ndarray:
        """Each window's last row, int64 [N]."""
        return self.first - self.ahead

    @property
    def x(self) -> np.ndarray:
        """Inputs, float64 [N, window, m]; a read-only view where they follow without a gap."""
        views = sliding_window_view(self.inputs, self.window, axis=0).transpose(0, 2, 1)
        return self._pick(views, self.begin)

    @property
    def y(self) -> np.ndarray:
        """Targets, float64 [N, horizon]; of several targets, [N, targets * horizon], one by one."""
        views = sliding_window_view(self.target, self.horizon, axis=0)
        found = self._pick(views, self.first)
        return found if self.target.ndim == 1 else found.reshape(len(found), -1)

    @property
    def outputs(self) -> int:
        """Numbers of ``y`` for a window."""
        return self.horizon * (1 if self.target.ndim == 1 else self.target.shape[1])

    @property
    def past(self) -> np.ndarray:
        """The target over the window's own rows, float64 [N, window], be it an input or not."""
        views = sliding_window_view(self.target, self.window)
        return self._pick(views, self.begin)

    @property
    def clock(self) -> np.ndarray:
        """The time of each window: the calendar's numbers of its last row, int64 [N, numbers]."""
        if self.times is None:
            return np.zeros((len(self), 0), np.int64)
        return self.times[self.last]

    @property
    def label(self) -> np.ndarray:
        """The number of each window's class, int64 [N]."""
        if self.labels is None:
            raise ValueError("Windows must have classes, which those of a series do not")
        return self.labels[self.last]

    @property
    def group_of(self) -> np.ndarray:
        """The number of each window's group, int64 [N]; 0 where there are none."""
        if self.group is None:
            return np.zeros(len(self), np.int64)
        return self.group[self.last]

    def without_clock(self) -> "Windows":
        """Return the windows without their time."""
        return dataclasses.replace(self, calendar=(), times=None)

    def of_target(self, number: int) -> "Windows":
        """Return the windows with one of several targets."""
        return dataclasses.replace(self, target=self.target[:, number])

    def take(self, index: np.ndarray | slice) -> "Windows":
        """Return the windows of ``index``: a batch, or the first few."""
        return dataclasses.replace(self, first=self.first[index])

    def _pick(self, views: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
            return views[rows[0] : rows[0] + len(rows)]
        return views[rows]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dataset:
    """A series ready for training.

    Parameters
    ----------
    name : what reports call it.
    inputs : names of the m input columns.
    target : name of the target column; of several, their names, one after the other.
    mean, std : float64 [m]; of the inputs over the training rows, in the file's units.
    target_mean, target_std : the same of the target; of several, 0 and 1, as what is said of all of
        them is in deviations.
    target_channel : index of the target among the inputs; None if it is not one of them, or there
        are several.
    train, val, test : the windows of each part.
    notes : sentences for people: the split, what was filled, what was left out.
    period : rows of one day; None where the rows have no dates or a day is no whole number of rows.
    range : lowest and highest value that the sensor of a column may give, by the column's name, in
        the file's units; for columns of which that was asked: :mod:`bitformer.model.sensor_range`.
    step : distance of two rows; None where they have no times.
    task : what a model is to do: ``"forecast"``, ``"classify"`` or ``"detect"``.
    classes : names of the classes, in the order of their numbers. ``target`` is then what they are
        called, with mean 0 and deviation 1.
    groups : names of the groups, in the order of their numbers.
    stretches : where training windows may begin instead, of data with classes; None of others.
    targets : of several targets, each with its scale, in the order of their numbers in a forecast;
        else empty.
    """

    name: str
    inputs: tuple[str, ...]
    target: str
    mean: np.ndarray
    std: np.ndarray
    target_mean: float
    target_std: float
    target_channel: int | None
    train: Windows
    val: Windows
    test: Windows
    notes: tuple[str, ...]
    period: int | None
    range: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    step: Step | None = None
    task: str = "forecast"
    classes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    stretches: WindowStarts | None = None
    targets: tuple[SeriesScale, ...] = ()

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of all targets."""
        return tuple(one.name for one in self.targets) or (self.target,)

    @property
    def target_scales(self) -> tuple[SeriesScale, ...]:
        """All targets, each with its scale."""
        return self.targets or (
            SeriesScale(
                name=self.target,
                mean=self.target_mean,
                std=self.target_std,
                channel=self.target_channel,
            ),
        )

    @property
    def by_target(self) -> tuple["Dataset", ...]:
        """The data of each target by itself, in its own units: of one target, these."""
        if not self.targets:
            return (self,)
        return tuple(self._with_target(*one) for one in enumerate(self.targets))

    def _with_target(self, number: int, one: SeriesScale) -> "Dataset":
        parts = {name: getattr(self, name).of_target(number) for name in ("train", "val", "test")}
        return dataclasses.replace(self, **scaled_targets([one]), **parts)

    @property
    def calendar(self) -> tuple[str, ...]:
        """The numbers of the calendar that windows have, of those that were asked for."""
        return self.test.calendar

    def without_clock(self) -> "Dataset":
        """Return the data without the time of their windows."""
        parts = {name: getattr(self, name).without_clock() for name in ("train", "val", "test")}
        return dataclasses.replace(self, **parts)


def make_dataset(
    series: Series,
    *,
    name: str,
    inputs: Sequence[str],
    target: str | Sequence[str],
    split: Splitter,
    window: int,
    horizon: int,
    ahead: int = 1,
    reading: Reading,
    calendar: Sequence[str] = (),
    reconstructs: bool = False,
) -> Dataset:
    """Clean, split and scale ``series``.

    Parameters
    ----------
    series
        The columns ``inputs`` and those of ``target``, in any order.
    name
        The data's name in reports.
    inputs, target
        Names of columns; of one target, its name will do.
    split
        Where the parts end.
    window, horizon
        Rows of input and of target.
    ahead
        Rows from a window's last to its first target: 1 for the next, 0 for that row itself, of a
        target that is no input, unless it is reconstructed.
    reading
        What is to be done with missing cells.
    calendar
        Numbers of the calendar that windows are to have. Those that the rows do not have are left
        out, with a note.
    reconstructs
        Whether a target may be a row that a window has, as a detector's may.

    Raises
    ------
    UserError
        If the series is out of order, a part has no window, a target never changes, or ``ahead``
        is 0 and a target among the inputs.
    """
    for what, value in (("Window", window), ("Horizon", horizon)):
        if value < 1:
            raise UserError(f"{what} must be a positive number of rows, not {value}")
    targets = target_names(target)
    for one in targets:
        check_ahead(ahead, horizon, one, inputs, reconstructs=reconstructs)
    cleaned = clean(series, reading=reading)
    columns = [series.columns.index(column) for column in (*inputs, *targets)]
    values = cleaned.values[:, columns]
    splits = splits_of(cleaned, split)
    notes = [f"Split: {splits[0].rule}{_of_each(cleaned)}", *cleaned.notes]
    without = lost(cleaned.rows, cleaned.step, calendar)
    notes += [] if without is None else [without]
    notes += [not_an_input(one, ahead) for one in targets if one not in inputs]
    ranges = part_ranges(cleaned, splits)
    firsts = [first_targets(cleaned, part, window, horizon, ahead) for part in ranges]
    if not all(map(len, firsts)):
        raise no_windows(
            name,
            cleaned,
            series,
            split=split,
            window=window,
            horizon=horizon,
            ahead=ahead,
            reading=reading,
        )
    notes.append(
        f"{len(firsts[0])} training, {len(firsts[1])} validation and {len(firsts[2])} test windows"
        f" of {window} + {horizon} rows"
    )
    used = training_rows(cleaned, ranges[0])
    for i, column in enumerate((*inputs, *targets)):
        if i < len(inputs) or column not in inputs:
            require_scale(name, column, values[used, i], cleaned.rows.lines[used])
    notes += warnings(series.columns, series.values, series.lines)
    mean, std = scale(values[used])
    require_finite(name, (*inputs, *targets), mean, std)
    count = len(inputs)
    for one, middle, spread in zip(targets, mean[count:], std[count:], strict=True):
        if spread == 0:
            raise UserError(
                f"Target {one!r} of {name} must change within the training rows, but is always"
                f" {middle:g}: name another column with --target, or give rows in which it changes"
            )
    notes += unchanging(inputs, std[:count])
    std[std == 0] = 1.0
    scaled = standardised(values, mean, std)
    known = numbers_known(cleaned.rows, cleaned.step)
    calendar = tuple(one for one in calendar if one in known)
    times = clock_of(cleaned.rows, cleaned.step, calendar) if calendar else None
    marks = marked(cleaned.rows, reading.anomaly, name)
    if marks is not None:
        notes.append(marks_said(marks, {"training": ranges[0], "validation": ranges[1]}))
    train, val, test = (
        Windows(
            inputs=scaled[:, :count],
            target=scaled[:, count:] if len(targets) > 1 else scaled[:, -1],
            first=first,
            window=window,
            horizon=horizon,
            ahead=ahead,
            calendar=calendar,
            times=times,
            anomaly=marks,
        )
        for first in firsts
    )
    scales = [
        SeriesScale(
            name=one,
            mean=float(mean[count + n]),
            std=float(std[count + n]),
            channel=tuple(inputs).index(one) if one in inputs else None,
        )
        for n, one in enumerate(targets)
    ]
    return Dataset(
        name=name,
        inputs=tuple(inputs),
        mean=mean[:count],
        std=std[:count],
        **scaled_targets(scales),
        train=train,
        val=val,
        test=test,
        notes=tuple(notes),
        period=rows_of_day(cleaned.step, series.dated),
        step=cleaned.step,
    )


def _of_each(cleaned: Clean) -> str:
    count = len(cleaned.blocks)
    if count == 1:
        return ""
    return (
        f" of each of {count} series; scaled by the training rows of all of them, no window across"
        " two"
    )
