"""The windows on which a model that is finished is scored, by its own scales.

Of the data that it was trained on these are the test windows; of any other file, all windows but
those of rows that the model has seen.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitformer.model.adc_words import rescaled
from bitformer.model.data.anomaly_marks import marked
from bitformer.model.data.named_data import NAMES, split_of
from bitformer.model.data.parts import first_targets
from bitformer.model.data.seen_rows import end_of_seen
from bitformer.model.data.steps import rows_of_day
from bitformer.model.data.targets import SeriesScale, scaled_targets
from bitformer.model.data.windows import Dataset, Windows, make_dataset
from bitformer.model.errors import UserError
from bitformer.model.forecasts.new_rows import NewRows, model_source, read_new_rows
from bitformer.model.ir import IntegerModel
from bitformer.model.own_data import dataset_of, own_name, rows_ahead, trained_on
from bitformer.model.same_data import is_own
from bitformer.model.scored_classes import scored_classes

__all__ = ["is_own", "scored_data"]


def scored_data(
    model: IntegerModel,
    *,
    data: str | None,
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    **reading: Any,
) -> Dataset:
    """Return data on which a model is to be scored: their ``test`` windows are meant.

    ``train`` and ``val`` are those of the model's own data, on which baselines are fitted; they are
    empty where these are not here.

    Parameters
    ----------
    model
        An untrained one has no scales: it is scored on the test part, by the data's own.
    data
        A data set's name or a CSV file; by default the model's own.
    target, inputs
        Columns that stand for the model's own, if they have other names.
    **reading
        Fields of :class:`bitformer.model.data.reading.Reading`; by default as in training.

    Raises
    ------
    UserError
        If the data are not here or cannot be read, lack a column, have another step, or no window.
    """
    if "mean" not in trained_on(model):
        return dataset_of(model, data=data, target=target, inputs=inputs, **reading)
    if model.config.task == "classify":
        return scored_classes(model, data=data, inputs=inputs, reading=reading)
    name = own_name(model) if data is None else data
    rows = read_new_rows(
        model, name, target=target, inputs=inputs, reading=reading, with_target=True
    )
    rows.times(model.config.calendar)  # refuses rows without them
    own = _as_in_training(model, rows)
    if own is not None and is_own(model, own):
        return own
    return _all_windows(model, rows)


def _as_in_training(model: IntegerModel, rows: NewRows) -> Dataset | None:
    """Return rows split and scaled as the model's own data were; None if they cannot be."""
    source = model_source(model)[0]
    try:
        found = make_dataset(
            rows.series,
            name=Path(rows.name).name if rows.name not in NAMES else rows.name,
            inputs=rows.inputs,
            target=_found(rows),
            split=split_of(source, model.config.task),
            window=model.config.rows_seen,
            horizon=model.config.horizon,
            ahead=rows_ahead(model),
            reconstructs=model.config.task == "detect",
            reading=rows.reading,
            calendar=model.config.calendar,
        )
    except UserError:
        return None
    # words are what they are, whatever the rows
    return rescaled(found, trained_on(model)) if model.config.adc_words else found


def _found(rows: NewRows) -> tuple[str, ...]:
    """Return the columns of the targets, all of which are there."""
    return tuple(name for name in rows.targets if name is not None)


def _scales(rows: NewRows) -> list[SeriesScale]:
    """Return the model's scales of the targets, by the file's own names."""
    return [
        replace(one, channel=rows.inputs.index(one.name) if one.name in rows.inputs else None)
        for one in rows.scales.target_scales
    ]


def _all_windows(model: IntegerModel, rows: NewRows) -> Dataset:
    """Return all windows of a file, by the model's scales."""
    scaling, config, ahead = rows.scaling, model.config, rows_ahead(model)
    # of the first target, a model knows its last rows
    column = rows.series.columns.index(_found(rows)[0])
    values, meta = rows.cleaned.values[:, column], trained_on(model)
    blocks = rows.cleaned.blocks
    seen = end_of_seen(values, meta.get("last_seen", ())) if len(blocks) == 1 else None
    parts = [(block.start if seen is None else seen, block.stop) for block in blocks]
    test = Windows(
        inputs=rows.values,
        target=rows.scaled_targets,
        first=first_targets(rows.cleaned, parts, config.rows_seen, config.horizon, ahead),
        window=config.rows_seen,
        horizon=config.horizon,
        ahead=ahead,
        calendar=config.calendar,
        times=rows.times(config.calendar),
        anomaly=marked(rows.cleaned.rows, rows.reading.anomaly, rows.name),
    )
    if not len(test) and seen is not None:
        raise UserError(
            f"{rows.name} must have {config.horizon} rows or more after line"
            f" {rows.cleaned.rows.lines[seen - 1]}, up to which the model has seen its rows in"
            f" training: give it later rows, and has {len(values) - seen}"
        )
    if not len(test):
        longest = max((stop - start for start, stop in rows.cleaned.segments), default=0)
        raise UserError(
            f"{rows.name} must have {config.rows_seen + ahead - 1 + config.horizon} rows without a"
            " gap for a"
            " window of this model and what it forecasts, and its longest stretch of"
            f" {len(rows.cleaned.values)} rows is {longest}: give it more rows, or fill longer"
            " gaps with --max-fill"
        )
    scales = f"by the scales of the data that the model was trained on ({meta.get('name')})"
    if seen is None:
        notes = [f"All {len(test)} windows of {rows.name} are scored, {scales}"]
    else:
        notes = [
            f"The {len(test)} windows of {rows.name} that forecast what comes after line"
            f" {rows.cleaned.rows.lines[seen - 1]} are scored, {scales}: up to there, the model has"
            " seen its rows in training"
        ]
    if len(blocks) > 1 and any(
        end_of_seen(values[block.start : block.stop], meta.get("last_seen", ())) for block in blocks
    ):
        notes.append(
            f"{rows.name} holds rows that the model was trained on, and they are among those that"
            " are scored: give later rows alone"
        )
    elif seen is None and Path(rows.name).name == Path(str(meta.get("name"))).name:
        notes.append(
            f"{rows.name} has changed since the training: rows that the model was trained on may"
            " be among those that are scored"
        )
    try:
        own = dataset_of(model, data=None)
    except UserError:
        own = None
        notes.append("Linear baselines are not scored, as their training rows are not here")
    if own is not None and not is_own(model, own):
        own = None
        notes.append(
            "Linear baselines are not scored, as they are fitted to training rows, and those of"
            f" {meta.get('name')} have changed"
        )
    none = test.take(slice(0, 0))
    return Dataset(
        name=rows.name if rows.name in NAMES else Path(rows.name).name,
        inputs=rows.inputs,
        mean=scaling.mean,
        std=scaling.std,
        **scaled_targets(_scales(rows)),
        train=none if own is None else own.train,
        val=none if own is None else own.val,
        test=test,
        notes=(*rows.notes, *notes),
        period=rows_of_day(rows.cleaned.step, rows.series.dated),
        step=rows.cleaned.step,
    )
