"""Float tensors by name in a safetensors file of somebody else's."""

import math
from pathlib import Path

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.files import open_regular
from bitformer.model.plain import shown
from bitformer.model.tensor_file import read_contents

__all__ = ["check_floats", "read_floats"]

#: More than the float32 weights of any model within the bounds of a configuration take.
_MAX_BYTES = 1 << 28
_TYPES = {"F32": "<f4", "F64": "<f8"}
_HALF = {"F16": "float16", "BF16": "bfloat16"}
#: How a pickle of torch's begins: an archive, or a pickle itself.
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLED = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}


def read_floats(path: Path) -> dict[str, np.ndarray]:
    """Return the float tensors of a file, float32, by name; a counter of batches is left out.

    Raises
    ------
    UserError
        If it cannot be read; if it is a pickle, or no safetensors file; if a tensor has other
        numbers than whole floats, or one that is not finite.
    """
    if path.suffix.lower() in _PICKLED:
        raise _pickle(path)
    try:
        with open_regular(path) as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if data.startswith(_PICKLES):
        raise _pickle(path)
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path} must be at most {_MAX_BYTES} bytes, which it is not")
    try:
        contents = read_contents(data)
    except UserError as error:
        raise UserError(f"{path} must be a safetensors file, which it is not: {error}") from None
    found = {}
    for name, entry in contents.entries.items():
        if name.endswith("num_batches_tracked"):
            continue
        dtype, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if dtype not in _TYPES:
            raise _dtype(f"{path}: {name}", _HALF.get(dtype, dtype[:20]))
        kind = np.dtype(_TYPES[dtype])
        if min(shape, default=1) < 0 or math.prod(shape) * kind.itemsize != last - first:
            raise UserError(f"{path}: {name} must have {last - first} bytes, not {shown(shape)}")
        found[name] = np.frombuffer(contents.data[first:last], kind).reshape(shape)
    return check_floats(found, str(path))


def check_floats(tensors: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Return tensors as float32.

    Raises :class:`UserError`, after ``where``, for one that is not of whole floats, or in which a
    number is not finite, or not in float32.
    """
    found = {}
    for name, values in tensors.items():
        if values.dtype not in (np.float32, np.float64):
            raise _dtype(f"{where}: {name}", str(values.dtype))
        with np.errstate(over="ignore"):
            found[name] = values.astype(np.float32)
        finite = np.isfinite(found[name])
        if not finite.all():
            wrong = found[name][~finite].flat[0]
            raise UserError(f"{where}: {name} must be finite numbers, not {wrong}")
    return found


def _pickle(path: Path) -> UserError:
    return UserError(
        f"{path} must be a safetensors file, not a pickle, which can run any code when it is"
        " opened: write it anew with save_pretrained, or its state_dict with"
        " safetensors.torch.save_file"
    )


def _dtype(what: str, found: str) -> UserError:
    remedy = ""
    if found in _HALF.values():
        remedy = ": rounding here starts from whole floats; write it anew after model.float()"
    return UserError(f"{what} must be float32, not {found}{remedy}")
