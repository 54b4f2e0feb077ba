"""The integer model as a file: safetensors, with the graph as JSON in its header.

A file carries the SHA-256 of all its bytes (:mod:`.identity`): a loader refuses one that changed.
"""

import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from safetensors.numpy import save

from bitformer.model import ir
from bitformer.model.alike import meant
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.files import open_regular, write_whole
from bitformer.model.identity import NO_DIGEST, digest_of, signed
from bitformer.model.later import said
from bitformer.model.meta import check_meta
from bitformer.model.operations import OPERATIONS
from bitformer.model.plain import built, checked, shown
from bitformer.model.ready.library import ready_names, ready_path
from bitformer.model.strict_json import parse_json
from bitformer.model.tensor_file import read_contents

__all__ = ["FORMAT", "VERSION", "load_model", "read_model", "save_model"]

FORMAT = "bitformer-integer-model"
#: Version 1 had no digest.
VERSION = 2
#: More than any model within the bounds of a configuration takes.
_MAX_BYTES = 1 << 28


class _Header(TypedDict):
    config: Any
    tensors: list[Any]
    operations: list[Any]
    meta: dict[str, Any]


def _smallest(array: np.ndarray) -> np.ndarray:
    for dtype in (np.int8, np.int16, np.int32):
        if array.size == 0 or np.array_equal(array.astype(dtype), array):
            return np.ascontiguousarray(array.astype(dtype))
    return np.ascontiguousarray(array.astype(np.int64))


def save_model(model: ir.IntegerModel, path) -> str:
    """Write ``model``; the file appears whole or not at all. Returns its digest."""
    check_meta(model.meta, model.config)
    arrays, operations = {}, []
    for number, op in enumerate(model.operations):
        entry: dict[str, object] = {"op": type(op).__name__}
        for name, value in said(op).items():
            if isinstance(value, np.ndarray):
                arrays[f"{number}.{name}"] = _smallest(value)
            elif is_dataclass(value):
                entry[name] = {k: v for k, v in vars(value).items() if v is not None}
            elif value is not None:
                entry[name] = value
        operations.append(entry)
    for name, constant in model.constants.items():
        arrays[f"constant.{name}"] = _smallest(constant)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "digest": NO_DIGEST,  # before anything of the user's
        "config": model.config.to_dict(),
        "tensors": [vars(spec) for spec in model.tensors.values()],
        "operations": operations,
        "meta": dict(model.meta),
    }
    try:
        text = json.dumps(header, allow_nan=False)
    except ValueError:
        raise UserError("meta must hold finite numbers, which it does not") from None
    data, digest = signed(save(arrays, metadata={"bitformer": text}))
    write_whole(path, data)
    return digest


def _operation(number: int, entry: object, arrays: dict[str, np.ndarray]) -> ir.Operation:
    where = f"operation {number}"
    data = dict(checked(dict[str, Any], entry, where))
    name = data.pop("op", None)
    if not isinstance(name, str) or name not in OPERATIONS:
        raise UserError(f"{where}: op must be one of {sorted(OPERATIONS)}, not {shown(name)}")
    prefix = f"{number}."
    for key in [key for key in arrays if key.startswith(prefix)]:
        field = key.removeprefix(prefix)
        if field in data:
            raise UserError(f"{where} ({name}): {field} must be given once, not twice")
        data[field] = arrays.pop(key)
    return built(OPERATIONS[name], data, f"{where} ({name})")


def _read(path: Path) -> bytes:
    if not path.is_file():
        bare = path.name == str(path) and not path.suffix
        known = ready_names()
        ship = f", and the models that ship are {', '.join(known)}{meant(str(path), known)}"
        raise UserError(f"model file must exist, which {path} does not{ship if bare else ''}")
    try:
        with open_regular(path) as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise UserError(f"{path} must be at most {_MAX_BYTES} bytes, which it is not")
    return data


def _header(header: object, data: bytes, path: Path, old: bool) -> tuple[_Header, str]:
    """Return the header's contents, once format, version and digest are right, and the digest."""
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError(f"format must be {FORMAT!r}")
    version, stored = header.pop("version", None), header.pop("digest", None)
    if type(version) is not int or version not in (1, VERSION):
        raise UserError(f"version must be {VERSION}, not {shown(version)}")
    del header["format"]
    found = ""
    if version == VERSION:
        written, found = digest_of(data)
        if not found or stored != written:
            raise UserError(f"digest must be 64 hexadecimal digits, not {shown(stored)}")
        if stored != found:
            raise UserError(
                "it must be as it was saved, but was damaged or changed since: its digest is"
                f" {stored[:16]}…, that of its bytes {found[:16]}…"
            )
    elif stored is not None:
        raise UserError("version must be 2 with a digest, not 1")
    elif not old:
        raise UserError(
            "version must be 2, not 1, which had no digest and may have changed unnoticed:"
            f" 'bitformer export {path} -o NEW' writes it with one"
        )
    return checked(_Header, header, "header"), found


def read_model(path, *, old: bool = False) -> tuple[ir.IntegerModel, str]:
    """Return a model and its file's digest; with ``old`` also of version 1, with none.

    ``path`` may be the name of a model that ships, unless a file is called so.

    Raises :class:`UserError`, naming the field, for anything damaged or inconsistent.
    """
    path = Path(path)
    path = path if path.is_file() else ready_path(path) or path
    data = _read(path)
    try:
        contents = read_contents(data)
    except UserError as error:
        bundle = "it is a zip; of a bundle, which 'verify' checks, unpack model.safetensors"
        why = bundle if data.startswith(b"PK") else error
        raise UserError(f"{path} must be a safetensors file, which it is not: {why}") from None
    if set(contents.metadata) != {"bitformer"}:
        raise UserError(f"{path} must be a bitformer model, but its header has no such field")
    try:
        parsed = parse_json(contents.metadata["bitformer"], "header")
        header, digest = _header(parsed, data, path, old)
        arrays = contents.arrays()
        specs = [built(ir.Tensor, one, f"tensor {i}") for i, one in enumerate(header["tensors"])]
        tensors = {spec.name: spec for spec in specs}
        if len(tensors) < len(specs):
            name = next(spec.name for spec in specs if tensors[spec.name] is not spec)
            raise UserError(f"tensor {name} must be there once, not twice")
        operations = [_operation(i, entry, arrays) for i, entry in enumerate(header["operations"])]
        constants = {
            name.removeprefix("constant."): arrays.pop(name)
            for name in list(arrays)
            if name.startswith("constant.")
        }
        if arrays:
            raise UserError(f"arrays must belong to an operation, which {sorted(arrays)} do not")
        model = ir.IntegerModel(
            config=TransformerConfig.from_dict(header["config"]),
            tensors=tensors,
            operations=tuple(operations),
            constants=constants,
            meta=header["meta"],
        )
        check_meta(model.meta, model.config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return model, digest


def load_model(path) -> ir.IntegerModel:
    """Return the model of :func:`read_model`."""
    return read_model(path)[0]
