"""The windows on which a classifier is scored: its own test windows, or all of other recordings."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.data.datasets import load_all_classes
from bitformer.model.data.labelling import LABELLING
from bitformer.model.data.name_lists import names_among
from bitformer.model.data.named_data import named_reading
from bitformer.model.data.reading import Reading, without_reading
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.meta import known
from bitformer.model.own_data import dataset_of, own_name, trained_on
from bitformer.model.same_data import is_own

__all__ = ["scored_classes"]


def scored_classes(
    model: IntegerModel,
    *,
    data: str | None,
    inputs: str | Sequence[str] | None = None,
    reading: Mapping[str, Any],
) -> Dataset:
    """Return recordings whose ``test`` windows a classifier is to be scored on.

    The parameters and what is raised are as of :func:`bitformer.model.scored_data.scored_data`.
    """
    asked = {name: one for name, one in reading.items() if one is not None}
    named = _loaded(model, data=data, inputs=inputs, **asked)
    if named is not None and is_own(model, named):
        return named
    name = own_name(model) if data is None else data
    meta, source = trained_on(model), known(model.meta).get("source")
    used = {} if source is None else without_reading(source.to_dict())[0]
    elsewhere = "files" in used and Path(name).is_file()
    if asked.keys() & LABELLING or elsewhere:
        used = {field: one for field, one in used.items() if field not in LABELLING}
    how = named_reading(name, Reading.of(**used | {"test_groups": (), "val_groups": ()} | asked))
    if not how.labelled:
        raise UserError(
            f"{name} must have classes for a classifier to be scored: name their column with"
            " --label, or a folder of files with --files '{group}_{label}.csv'"
        )
    columns = meta["inputs"] if inputs is None else names_among(inputs, ())
    classes = known(model.meta).get("classes", [str(n) for n in range(model.config.horizon)])
    found = load_all_classes(
        name,
        window=model.config.window,
        inputs=columns,
        classes=classes,
        mean=np.array(meta["mean"]),
        std=np.array(meta["std"]),
        calendar=model.config.calendar,
        reading=how,
    )
    own = _loaded(model, data=None)
    if own is None or not is_own(model, own):
        note = "Baselines are not scored, as the rows that they would be fitted to are not here"
        return dataclasses.replace(found, notes=(*found.notes, note))
    return dataclasses.replace(found, train=own.train, val=own.val)


def _loaded(model: IntegerModel, **asked: Any) -> Dataset | None:
    """Return data split and scaled as in training; None where they cannot be."""
    try:
        return dataset_of(model, **asked)
    except UserError:
        return None
