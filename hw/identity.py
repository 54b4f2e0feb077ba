"""What identifies an integer model: a hash over every number that its results depend on."""

import hashlib
import json
from dataclasses import fields

import numpy as np

from bitformer.model.ir import IntegerModel, Residual

__all__ = ["HASH_BYTES", "model_hash"]

#: Bytes of the hash that hardware carries: the first of SHA-256.
HASH_BYTES = 8


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "values": value.ravel().tolist()}
    if isinstance(value, Residual):
        return vars(value)
    return value


def model_hash(model: IntegerModel) -> bytes:
    """The first 8 bytes of SHA-256 over tensors, operations and constants.

    Two models have the same hash if and only if (but for collisions) they compute the same integers
    the same way; names of configurations and what training left in ``meta`` do not count.
    """
    content = {
        "tensors": [vars(spec) for spec in model.tensors.values()],
        "operations": [
            {"op": type(op).__name__}
            | {field.name: _plain(getattr(op, field.name)) for field in fields(op)}
            for op in model.operations
        ],
        "constants": {name: _plain(array) for name, array in model.constants.items()},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:HASH_BYTES]
