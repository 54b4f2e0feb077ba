"""The data a model works on: what the caller names, else what the model was trained on."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.adc_words import rescaled
from bitformer.model.config import TransformerConfig, read_config
from bitformer.model.config_choice import AUTO, start_config
from bitformer.model.data.class_task import task_of
from bitformer.model.data.clock import require_calendar
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.named_data import NAMES, named_reading
from bitformer.model.data.reading import DataSource, Reading, without_reading
from bitformer.model.data.steps import require_step
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known
from bitformer.model.model_name import name_after
from bitformer.model.strict_json import read_json
from bitformer.model.task import TASKS, task_for

__all__ = [
    "RANDOM",
    "SOURCE_FILE",
    "asked_task",
    "dataset_of",
    "evenly",
    "integer_windows",
    "named_task",
    "own_name",
    "own_targets",
    "read_source",
    "resolved",
    "rows_ahead",
    "some_of",
    "suited",
    "suited_to",
    "trained_on",
    "write_source",
]

#: What ``--data`` calls random integers over a model's whole input range.
RANDOM = "random"
#: Beside a run: the data as the command line named them.
SOURCE_FILE = "source.json"


def write_source(run: Path, source: DataSource) -> None:
    """Note in ``run`` what its data were called on the command line.

    A path stays as it was typed: models are passed on, and whose disk it was is nobody's business.
    """
    write_whole(run / SOURCE_FILE, json.dumps(source.to_dict(), indent=1) + "\n")


def read_source(run: Path) -> dict | None:
    """Return what :func:`write_source` noted; None for a run without."""
    try:
        source = read_json(run / SOURCE_FILE)
    except UserError:
        return None
    return source if isinstance(source, dict) else None


def trained_on(model: IntegerModel) -> dict[str, Any]:
    """Return the data set in a model's ``meta``; empty for an untrained model."""
    return dict(known(model.meta).get("dataset", {}))


def own_targets(data: Mapping[str, Any]) -> str | tuple[str, ...] | None:
    """Return the target or the targets of a data set in a model's ``meta``; None without any."""
    several = data.get("targets")
    return tuple(one["name"] for one in several) if several else data.get("target")


def rows_ahead(model: IntegerModel) -> int:
    """Return how many rows after a window's last the first forecast is: 0 of a sensed value."""
    return trained_on(model).get("ahead", 1)


def own_name(model: IntegerModel) -> str:
    """Return what a model's own data are called, if they are here.

    Raises
    ------
    UserError
        If they are not, or the model does not name them.
    """
    source = known(model.meta).get("source")
    data = source.data if source is not None else trained_on(model).get("name")
    if not data:
        raise UserError("Data must be given with --data, as the model names none")
    if data not in NAMES and not Path(data).exists():
        raise UserError(
            f"Data must be given with --data, as {data}, which the model was trained on, is not"
            " here"
        )
    return data


def dataset_of(
    model: IntegerModel,
    *,
    data: str | None,
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    **reading: Any,
) -> Dataset:
    """Load the data set that the arguments name, or else the model's own.

    What of ``reading``, fields of :class:`bitformer.model.data.reading.Reading`, is not given is as
    in training where the data are the model's own.

    Raises
    ------
    UserError
        If there is none, or it does not suit the model.
    """
    meta = trained_on(model)
    source = known(model.meta).get("source")
    used = {} if source is None else source.to_dict()
    columns, asked = inputs, {name: one for name, one in reading.items() if one is not None}
    own = without_reading(used)[0]
    if data is None:
        data = own_name(model)
        target = target or used.get("target") or own_targets(meta)
        columns = columns or used.get("inputs") or meta.get("inputs")
        asked = own | asked
    elif data == meta.get("name") or Path(data).name == meta.get("name"):
        # the same file somewhere else: its columns are the model's
        target, columns = target or own_targets(meta), columns or meta.get("inputs")
        asked = own | asked
    config = model.config
    dataset = load_dataset(
        data,
        window=config.rows_seen,
        horizon=config.horizon,
        target=target,
        inputs=columns,
        ahead=rows_ahead(model),
        calendar=config.calendar,
        task="detect" if config.task == "detect" else None,
        **asked,
    )
    require_step(meta, dataset.step, dataset.name)
    require_calendar(config.calendar, dataset.calendar, dataset.step, dataset.name)
    if len(dataset.inputs) != config.inputs:
        raise UserError(
            f"Data must have {config.inputs} input column(s) for this model, not"
            f" {len(dataset.inputs)}: name them with --inputs"
        )
    task = task_for(config)
    task.check(config, dataset)
    if "classes" in model.meta and list(dataset.classes) != model.meta["classes"]:
        raise UserError(
            f"Classes of {dataset.name} must be those of the model,"
            f" {', '.join(known(model.meta)['classes'])}, in this order, not"
            f" {', '.join(dataset.classes)}"
        )
    if task.targets(dataset) != config.targets:
        raise UserError(
            f"Data must have {config.targets} target(s) for this model, not {task.targets(dataset)}"
            f" ({dataset.target}): name them with --target"
        )
    if config.window_scaling and task.gives_target and dataset.target_channel != 0:
        raise UserError(
            f"Target {dataset.target} must be the input column of this model, which"
            f" {dataset.inputs[0]} is not"
        )
    if config.subtract_last and task.gives_target:
        each = dataset.by_target if config.targets > 1 else (dataset,)
        for one, channel in zip(each, config.added_channels, strict=True):
            if one.target_channel != channel:
                raise UserError(
                    f"Target {one.target} must be input column {channel} of this model, not one of"
                    f" {', '.join(dataset.inputs)} in another place"
                )
    if config.adc_words and meta:  # words are what they are, whatever the rows
        dataset = rescaled(dataset, meta)
    return dataset


def resolved(columns: Mapping[str, Any], dataset: Dataset) -> dict[str, Any]:
    """Return the options by which data were named, as they are in every session.

    What :func:`bitformer.model.data.datasets.load_dataset` was given, with the columns that it
    found where more than one could be meant.
    """
    no_source = ("sense", "ahead", "task")
    found = {name: value for name, value in columns.items() if name not in no_source}
    if columns.get("inputs") is not None or columns.get("sense") is not None:
        found["inputs"] = dataset.inputs
    if columns.get("sense") is not None or dataset.targets:
        found["target"] = dataset.target if not dataset.targets else dataset.target_names
    if dataset.task == "classify":
        return found | {"inputs": dataset.inputs}
    return found | {"ahead": dataset.train.ahead}


def asked_task(
    data: str | None,
    columns: Mapping[str, Any],
    config: str | TransformerConfig | None = None,
) -> str:
    """Return the task of data by what names them: ``task``, or what says where classes are.

    Where nothing does, a configuration of a detector does.
    """
    reading = Reading.of(**given_reading(columns))
    reading = reading if data is None else named_reading(str(data), reading)
    task = columns.get("task")
    if task is None and not reading.labelled and config not in (None, AUTO):
        task = "detect" if read_config(config).task == "detect" else None
    return task_of(reading, task)


def named_task(task: str, columns: Mapping[str, Any]) -> str | None:
    """Return what names a task that :func:`asked_task` found, to load data by; None if they do.

    Data say what they are for by themselves, but for a detector's.
    """
    own = columns.get("task")
    return task if own is None and task == "detect" and not columns.get("anomaly") else own


def given_reading(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of :class:`bitformer.model.data.reading.Reading` that are given."""
    return {n: one for n, one in without_reading(columns)[0].items() if one is not None}


def evenly(count: int, of: int) -> np.ndarray:
    """Return ``count`` different indices below ``of``, evenly spaced from first to last."""
    return np.unique(np.linspace(0, of - 1, min(count, of)).round().astype(int))


def some_of(model: IntegerModel, count: int, of: int) -> np.ndarray:
    """Return :func:`evenly`; of a detector, whose windows follow one another, the first ones."""
    return evenly(count, of) if model.detector is None else np.arange(min(count, of))


def integer_windows(
    model: IntegerModel, dataset: Dataset | None, samples: int, seed: int, *, phases: int = 1
) -> np.ndarray:
    """Return integers [samples, steps, channels] of test windows, or random ones without data.

    The time of each window is behind its steps, if the model has a calendar; behind that is what a
    detector judges, whose windows follow one another. Of a stream they are patches that do; of
    several ``phases`` patches that begin as many steps apart as these share a patch's, if they do.
    """
    if model.config.stream:
        return _patches(model, dataset, samples, seed, phases)
    if dataset is not None:
        some = dataset.test.take(some_of(model, samples, len(dataset.test)))
        judged = None if model.detector is None else some.y
        return model.quantize_input(some.x, some.clock, judged)
    return model.random_windows(np.random.default_rng(seed), samples)


def _patches(
    model: IntegerModel, dataset: Dataset | None, samples: int, seed: int, phases: int
) -> np.ndarray:
    """Return integers [samples, patch, channels] of a stream's patches, as they come to it."""
    patch, seen = model.config.patch, model.config.tokens_seen
    if dataset is None:
        windows = model.random_windows(np.random.default_rng(seed), -(-samples // seen))
        return windows.reshape(-1, patch, windows.shape[2])[:samples]
    apart = patch if patch % phases else patch // phases
    # windows begin a step apart: of the last one all patches, of each before the first
    last = len(dataset.test) - 1
    starts = np.arange(min(samples, 1 + (last + (seen - 1) * patch) // apart)) * apart
    some = np.minimum(starts, last)
    inside = (starts - some)[:, None] + np.arange(patch)
    x = dataset.test.take(some).x[np.arange(len(some))[:, None], inside]
    return model.quantize_input(x)


def suited(config: TransformerConfig, dataset: Dataset) -> tuple[TransformerConfig, list[str]]:
    """Return ``config`` with the data's numbers of inputs and targets, their places, and calendar.

    The second value is a sentence for each thing that changed.
    """
    changes: dict[str, object] = {}
    notes = []
    if config.inputs != len(dataset.inputs):
        changes["inputs"] = len(dataset.inputs)
        columns = ", ".join(dataset.inputs)
        notes.append(f"Config {config.name} takes {len(dataset.inputs)} input(s) here: {columns}")
    task = TASKS[dataset.task]
    if config.task == "classify" != task.name:
        raise UserError(
            f"task must be {task.name} for {dataset.name}, whose rows have no classes, and config"
            f" {config.name} is to classify: name their column with --label, or another --config"
        )
    changes["task"] = task.name
    horizon, several = task.horizon(dataset), task.targets(dataset)
    # of a forecast, the configuration says how far it goes
    if horizon not in (dataset.train.horizon, config.horizon):
        changes["horizon"] = horizon
        if dataset.classes:
            notes.append(
                f"Config {config.name} has a score for each of {len(dataset.classes)} classes here"
            )
    changes |= {"targets": several, "target_channels": ()}
    if several > 1 and several != config.targets:
        notes.append(f"Config {config.name} forecasts {several} targets here: {dataset.target}")
    each = dataset.by_target if several > 1 else (dataset,)
    hidden = [one.target for one in each if one.target_channel is None]
    if config.subtract_last and not task.gives_target:
        changes["target_channel"] = 0
    elif config.subtract_last and hidden:
        changes["subtract_last"] = False
        changes["tensors"] = {n: bits for n, bits in config.tensors.items() if n != "delta"}
        notes += [f"Target {one} is no input, so no last value is subtracted" for one in hidden]
    elif config.subtract_last and several > 1:
        changes["target_channels"] = tuple(one.channel for one in dataset.targets)
    elif config.subtract_last:
        changes["target_channel"] = dataset.target_channel
    if task.name == "detect" and not dataset.train.ahead and not hidden:
        # both would tell a row that they see as it is
        changes |= {"subtract_last": False, "linear_path": False, "target_channels": ()}
        changes["precision"] = {n: p for n, p in config.precision.items() if n != "Lpath"}
        changes["tensors"] = {n: bits for n, bits in config.tensors.items() if n != "delta"}
        notes.append(
            f"Of {dataset.target}, a window's last row is reconstructed: without a linear path, and"
            " nothing is subtracted; a narrow network learns what is usual"
        )
    changes["calendar"] = dataset.calendar  # the data's notes say what they lack
    return config.replace(**changes), notes


def suited_to(
    data: str | None,
    config: str | TransformerConfig | None,
    note: Callable[[str], None],
    *,
    name: str | None = None,
    timed: bool = False,
    **columns: Any,
) -> tuple[TransformerConfig, Dataset]:
    """Load data, and return the configuration as it suits them, with the data.

    The configuration is called ``name``, or else as :func:`bitformer.model.model_name.name_after`
    says.

    Parameters
    ----------
    data : str or None
        A data set's name or a CSV file.
    config : str or TransformerConfig, optional
        A configuration, its name or its JSON file; by default that of
        :func:`bitformer.model.config_choice.start_config`.
    name : str, optional
        What the model is called.
    timed : bool
        Whether rows must have all numbers of the configuration's calendar. What they lack is left
        out, and said, by default.
    note : callable
        Told what is remarkable of the data, and what changed.
    **columns
        ``target`` and ``inputs`` of a CSV file, of which there may be several, ``sense``, ``ahead``
        and ``task``, and fields of :class:`bitformer.model.data.reading.Reading`.

    Raises
    ------
    UserError
        If no data are named, or they are not here, or will not do.
    """
    if data is None:
        raise UserError("--data must name a data set or a CSV file to train on")
    task = asked_task(data, columns, config)
    columns["task"] = named_task(task, columns)
    chosen = start_config(config, sense=columns.get("sense"), ahead=columns.get("ahead"), task=task)
    if timed and task == "classify" and chosen.calendar:
        raise UserError(
            f"calendar must be left out to classify, not be {', '.join(chosen.calendar)}: a class"
            " is told by its window alone: leave --calendar out"
        )
    dataset = load_dataset(
        data,
        window=chosen.rows_seen,
        horizon=chosen.horizon,
        calendar=chosen.calendar if timed or task != "classify" else (),
        **columns,
    )
    if timed:
        require_calendar(chosen.calendar, dataset.calendar, dataset.step, dataset.name)
    chosen, changed = suited(chosen, dataset)
    chosen = chosen.replace(name=name_after(chosen, data, dataset) if name is None else name)
    for sentence in (*dataset.notes, *changed):
        note(sentence)
    return chosen, dataset
