"""JSON that is kept with a checksum, to be read again: what was changed does not count."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.strict_json import read_json

__all__ = ["digest_of", "read_sealed", "write_sealed"]

_SEAL = "sha256"


def digest_of(data: Any) -> str:
    """Return the SHA-256 of plain data in hexadecimal, the same in whatever order names stand."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """Write an object with its checksum, whole or not at all; return it as it is read again."""
    plain = json.loads(json.dumps(data))
    write_whole(path, json.dumps(plain | {_SEAL: digest_of(plain)}, indent=1) + "\n")
    return plain


def read_sealed(path: Path) -> dict[str, Any]:
    """Return an object that :func:`write_sealed` wrote.

    Raises
    ------
    UserError
        If there is none, or it is not as it was written.
    """
    data = read_json(path, finite=False)
    if not isinstance(data, dict) or data.pop(_SEAL, None) != digest_of(data):
        raise UserError(f"{path} must be as it was written, which it is not")
    return data
