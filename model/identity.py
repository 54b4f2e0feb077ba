"""What identifies an integer model, and the file it is in.

The hash is over every number that results depend on: hardware carries it. The digest is over every
byte of a file, what is said of data and training included: a file carries it.
"""

import hashlib
import json
import re
from dataclasses import is_dataclass

import numpy as np

from bitformer.model.ir import IntegerModel
from bitformer.model.later import said

__all__ = ["HASH_BYTES", "NO_DIGEST", "digest_of", "model_hash", "signed"]

#: Bytes of the hash that hardware carries: the first of SHA-256.
HASH_BYTES = 8
#: What stands in the place of a digest while it is computed.
NO_DIGEST = "0" * 64
#: The first such field: of JSON that is a string of JSON.
_FIELD = re.compile(rb'\\"digest\\": \\"([0-9a-f]{64})\\"')


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "values": value.ravel().tolist()}
    if is_dataclass(value):
        return vars(value)
    return value


def model_hash(model: IntegerModel) -> bytes:
    """Return the first 8 bytes of SHA-256 over tensors, operations and constants.

    Two models have the same hash if and only if (but for collisions) they compute the same integers
    the same way, and take and give them as the same words; names of configurations and what
    training left in ``meta`` do not count.
    """
    model = model.identified
    content: dict[str, object] = {
        "tensors": [vars(spec) for spec in model.tensors.values()],
        "operations": [
            {"op": type(op).__name__} | {name: _plain(value) for name, value in said(op).items()}
            for op in model.operations
        ],
        "constants": {name: _plain(array) for name, array in model.constants.items()},
    }
    if model.config.adc_words:
        content["words"] = "unsigned"
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]


def digest_of(data: bytes) -> tuple[str, str]:
    """Return the digest that a file's bytes carry, and the one they have, in hexadecimal.

    A digest is SHA-256 over all bytes, with ``NO_DIGEST`` in its own place. Both are empty for a
    file without one.
    """
    found = _FIELD.search(data)
    if found is None:
        return "", ""
    first, last = found.span(1)
    return found[1].decode(), _over(data, first, last)


def signed(data: bytes) -> tuple[bytes, str]:
    """Return the bytes with their digest in its place, and the digest."""
    found = _FIELD.search(data)
    if found is None:
        raise ValueError("A file must have a place for its digest")
    first, last = found.span(1)
    digest = _over(data, first, last)
    return data[:first] + digest.encode() + data[last:], digest


def _over(data: bytes, first: int, last: int) -> str:
    return hashlib.sha256(data[:first] + NO_DIGEST.encode() + data[last:]).hexdigest()
