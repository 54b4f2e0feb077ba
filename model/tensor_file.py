"""Integer arrays by name in the bytes of a safetensors file.

8 bytes   length of the header, little-endian
header    JSON, padded with spaces: {NAME: {"dtype", "shape", "data_offsets"}, "__metadata__"}
data      the arrays, one after another, little-endian, row-major
"""

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.plain import checked, shown
from bitformer.model.strict_json import parse_json

__all__ = ["Contents", "read_contents"]

_TYPES = {"I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}
_DIMENSIONS = 2
_LENGTH = 8


class _Entry(TypedDict):
    dtype: str
    shape: list[int]
    data_offsets: list[int]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The content of a file: ``metadata``, and arrays that are checked when they are asked for."""

    metadata: dict[str, str]
    entries: dict[str, _Entry]
    data: bytes

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays by name, int64.

        Raises :class:`UserError` if one holds no signed integers, or is not of one or two
        dimensions, or is not as large as its part of the file.
        """
        return {name: _array(name, entry, self.data) for name, entry in self.entries.items()}


def read_contents(data: bytes) -> Contents:
    """Return the content of a file's bytes.

    Raises
    ------
    UserError
        If it is no such file; if a name comes twice; if a byte belongs to no array, or to two.
    """
    start = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    if len(data) < _LENGTH or start > len(data):
        raise UserError("it is too short for its header")
    header = parse_json(data[_LENGTH:start], "its header")
    if not isinstance(header, dict):
        raise UserError("its header is no object")
    metadata = checked(dict[str, str], header.pop("__metadata__", {}), "__metadata__")
    entries = {name: checked(_Entry, entry, name) for name, entry in header.items()}
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        offsets = entry["data_offsets"]
        if len(offsets) != 2 or offsets[0] != at or offsets[1] < at:
            raise UserError(f"{name}: data_offsets must begin at {at}, where the one before ends")
        at = offsets[1]
    if start + at != len(data):
        raise UserError(f"its arrays have {at} bytes, of {len(data) - start} in the file")
    return Contents(metadata=metadata, entries=entries, data=data[start:])


def _array(name: str, entry: _Entry, data: bytes) -> np.ndarray:
    dtype, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in _TYPES:
        raise UserError(f"{name} must hold integers, of {', '.join(_TYPES)}, not {dtype[:20]}")
    if not 1 <= len(shape) <= _DIMENSIONS or min(shape) < 1:
        raise UserError(f"{name} must have 1 to {_DIMENSIONS} positive lengths, not {shown(shape)}")
    kind = np.dtype(_TYPES[dtype])
    if math.prod(shape) * kind.itemsize != last - first:
        raise UserError(f"{name} must have {last - first} bytes, not {dtype} of {shown(shape)}")
    return np.frombuffer(data[first:last], kind).reshape(shape).astype(np.int64)
