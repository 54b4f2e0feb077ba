"""Whether data are those that a model was trained on."""

import numpy as np

from bitformer.model.data.seen_rows import last_seen
from bitformer.model.data.windows import Dataset
from bitformer.model.ir import IntegerModel
from bitformer.model.own_data import trained_on

__all__ = ["is_own"]


def is_own(model: IntegerModel, dataset: Dataset) -> bool:
    """Return whether data are those that the model was trained on: alike in scale and number.

    Scales that are an ADC's are any rows': then the last values that were seen are alike.
    """
    meta = trained_on(model)
    if "mean" not in meta:
        return False
    scales = [*dataset.mean, *dataset.std]
    for one in dataset.by_target:
        scales += [one.target_mean, one.target_std]
    own = [*meta["mean"], *meta["std"]]
    for one in meta.get("targets") or [{"mean": meta["target_mean"], "std": meta["target_std"]}]:
        own += [one["mean"], one["std"]]
    if model.config.adc_words:
        scales, own = last_seen(dataset), meta.get("last_seen", [])
    counts = {"train": len(dataset.train), "val": len(dataset.val), "test": len(dataset.test)}
    alike = meta.get("windows", counts) == counts and len(scales) == len(own)
    return alike and bool(np.allclose(scales, own, rtol=1e-9, atol=0))
