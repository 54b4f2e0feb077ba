"""The integer model as a file: safetensors, with the graph as JSON in its header."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from . import ir
from .config import TransformerConfig
from .errors import UserError
from .files import write_whole

__all__ = ["FORMAT", "VERSION", "load_model", "save_model"]

FORMAT = "bitformer-integer-model"
VERSION = 1
_OPERATIONS = {
    kind.__name__: kind
    for kind in (
        ir.SubtractLast,
        ir.Linear,
        ir.Scores,
        ir.Attend,
        ir.Affine,
        ir.LayerNorm,
        ir.Pool,
    )
}
_ARRAYS = {"weight", "bias", "multiplier", "offset", "gamma", "beta"}


def _smallest(array: np.ndarray) -> np.ndarray:
    for dtype in (np.int8, np.int16, np.int32):
        if array.size == 0 or np.array_equal(array.astype(dtype), array):
            return np.ascontiguousarray(array.astype(dtype))
    return np.ascontiguousarray(array.astype(np.int64))


def save_model(model: ir.IntegerModel, path) -> None:
    """Write ``model``; the file appears whole or not at all."""
    arrays, operations = {}, []
    for number, op in enumerate(model.operations):
        entry: dict[str, object] = {"op": type(op).__name__}
        for f in fields(op):
            value = getattr(op, f.name)
            if isinstance(value, np.ndarray):
                arrays[f"{number}.{f.name}"] = _smallest(value)
            elif isinstance(value, ir.Residual):
                entry[f.name] = {k: v for k, v in vars(value).items() if v is not None}
            elif value is not None:
                entry[f.name] = value
        operations.append(entry)
    for name, constant in model.constants.items():
        arrays[f"constant.{name}"] = _smallest(constant)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "config": model.config.to_dict(),
        "tensors": [vars(spec) for spec in model.tensors.values()],
        "operations": operations,
        "meta": dict(model.meta),
    }
    write_whole(path, save(arrays, metadata={"bitformer": json.dumps(header)}))


def _build(kind: type, data: object, where: str, types: Mapping[str, type]):
    """``kind(**data)`` after checking the names and types of the fields."""
    if not isinstance(data, dict):
        raise UserError(f"{where} must be an object, not {data!r}")
    known = {f.name for f in fields(kind)}
    for key, value in data.items():
        if key not in known:
            raise UserError(f"{where} has an unknown field {key!r}")
        expected = types.get(key, int)
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is int):
            raise UserError(f"{where}: {key} must be of type {expected.__name__}, not {value!r}")
    try:
        return kind(**data)
    except TypeError as error:
        raise UserError(f"{where} is incomplete: {error}") from None


_TENSOR_TYPES: dict[str, type] = {"name": str, "component": str, "narrow": bool}
_OP_TYPES: dict[str, type] = {
    **dict.fromkeys(("x", "y", "q", "k", "v", "scores"), str),
    **dict.fromkeys(_ARRAYS, np.ndarray),
    "relu": bool,
    "causal": bool,
    "residual": ir.Residual,
}


def _integers(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "i":
        raise UserError(f"{name} must hold integers, not {array.dtype}")
    return array.astype(np.int64)


def _operation(number: int, entry: object, arrays: dict[str, np.ndarray]) -> ir.Operation:
    where = f"operation {number}"
    if not isinstance(entry, dict) or entry.get("op") not in _OPERATIONS:
        kind = entry.get("op") if isinstance(entry, dict) else entry
        raise UserError(f"{where}: op must be one of {sorted(_OPERATIONS)}, not {kind!r}")
    data = {key: value for key, value in entry.items() if key != "op"}
    if "residual" in data:
        where_residual = f"{where} residual"
        data["residual"] = _build(ir.Residual, data["residual"], where_residual, {"source": str})
    prefix = f"{number}."
    for name in [name for name in arrays if name.startswith(prefix)]:
        data[name.removeprefix(prefix)] = _integers(name, arrays.pop(name))
    types = dict(_OP_TYPES)
    kind = _OPERATIONS[entry["op"]]
    if kind in (ir.Scores, ir.Pool):
        types["multiplier"] = int
    return _build(kind, data, f"{where} ({entry['op']})", types)


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    if not path.is_file():
        raise UserError(f"model file must exist, which {path} does not")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} must be a safetensors file, which it is not: {error}") from None
    if "bitformer" not in metadata:
        raise UserError(f"{path} must be a bitformer model, but its header has no such field")
    try:
        header = json.loads(metadata["bitformer"])
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: header must be JSON: {error}") from None
    return header, arrays


def load_model(path) -> ir.IntegerModel:
    """Read a model; raises :class:`UserError`, naming the field, for anything inconsistent."""
    path = Path(path)
    header, arrays = _read(path)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError(f"{path}: format must be {FORMAT!r}")
    if header.get("version") != VERSION:
        raise UserError(f"{path}: version must be {VERSION}, not {header.get('version')!r}")
    expected = {"format", "version", "config", "tensors", "operations", "meta"}
    if set(header) != expected:
        odd = sorted(set(header) ^ expected)
        raise UserError(f"{path}: header must have the fields {sorted(expected)}, differs in {odd}")
    for name, kind in (("tensors", list), ("operations", list), ("meta", dict)):
        if not isinstance(header[name], kind):
            raise UserError(f"{path}: {name} must be a {kind.__name__}, not {header[name]!r}")
    try:
        specs = [
            _build(ir.Tensor, entry, f"tensor {i}", _TENSOR_TYPES)
            for i, entry in enumerate(header["tensors"])
        ]
        operations = [_operation(i, entry, arrays) for i, entry in enumerate(header["operations"])]
        constants = {
            name.removeprefix("constant."): _integers(name, arrays.pop(name))
            for name in list(arrays)
            if name.startswith("constant.")
        }
        if arrays:
            raise UserError(f"arrays must belong to an operation, which {sorted(arrays)} do not")
        return ir.IntegerModel(
            config=TransformerConfig.from_dict(header["config"]),
            tensors={spec.name: spec for spec in specs},
            operations=tuple(operations),
            constants=constants,
            meta=header["meta"],
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
