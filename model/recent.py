"""The newest patches of a stream in a ring, for the linear path: they are copied there as they are.

No layer of a window does that: it finds them in the window.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from bitformer.model.operations.linear import Linear
from bitformer.model.operations.operation import StepForm
from bitformer.model.tensor import Tensor

__all__ = ["RECENT", "kept_patches"]

#: The tensor whose ring holds them: a row for each, of an even number of features.
RECENT = "recent"


def _padded(array: np.ndarray) -> np.ndarray:
    """Return an array with zeros behind its last axis, if that is odd."""
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, array.shape[-1] % 2)])


def kept_patches(form: StepForm, patch: Tensor) -> tuple[StepForm, StepForm]:
    """Return what copies a patch into the ring, and a linear layer that reads the ring instead.

    ``form`` : that of a layer whose ring is of patches. ``patch`` : the newest, as layers read it.
    """
    op: Any = form.operation
    patches = op.weight.shape[1] // patch.size
    features = patch.size + patch.size % 2
    copy = Linear(
        x=patch.name,
        y=RECENT,
        weight=_padded(np.eye(patch.size, dtype=np.int64)).T,
        weight_bits=2,
        bias=np.zeros(features, dtype=np.int64),
        multiplier=np.ones(features, dtype=np.int64),
        shift=0,
    )
    recent = replace(patch, name=RECENT, rows=1, features=features)
    weight = _padded(op.weight.reshape(-1, patches, patch.size)).reshape(len(op.weight), -1)
    reader = replace(op, x=RECENT, weight=weight)
    return StepForm(operation=copy, y=recent), replace(
        form, operation=reader, rings={RECENT: patches}
    )
