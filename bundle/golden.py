"""Golden vectors: windows of random integers, and every tensor that the reference makes of them.

They are no rows of anybody's data. A file holds them as arrays [windows, numbers], ``input`` the
windows themselves as they are sent, the others by the tensors' names.
"""

from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

from bitformer.hw.design import Design
from bitformer.model.errors import UserError
from bitformer.model.own_data import integer_windows
from bitformer.model.tensor_file import read_contents
from bitformer.sim.run import reference_of

__all__ = ["WINDOWS", "golden_file", "golden_tensors", "golden_windows", "read_golden"]

#: What the array of windows is called, which no tensor is.
WINDOWS = "(windows)"


def golden_windows(design: Design, samples: int, seed: int) -> np.ndarray:
    """Return integers [samples, steps, inputs]; of a stream, patches that follow one another."""
    model = getattr(design.model, "source", design.model)
    return integer_windows(model, None, samples, seed)


def golden_tensors(design: Design, windows: np.ndarray) -> dict[str, np.ndarray]:
    """Return every tensor of the reference by name, int64 [samples, numbers]."""
    values = reference_of(design, windows)(windows)
    return {name: np.asarray(one).reshape(len(windows), -1) for name, one in values.items()}


def golden_file(windows: np.ndarray, tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return the bytes of the file of windows and tensors."""
    arrays = {WINDOWS: windows.reshape(len(windows), -1), **tensors}
    return save({name: np.ascontiguousarray(one, np.int32) for name, one in arrays.items()})


def read_golden(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a file's bytes by name.

    Raises :class:`UserError` if it is damaged.
    """
    try:
        return read_contents(data).arrays()
    except UserError as error:
        raise UserError(f"it cannot be read: {error}") from None
