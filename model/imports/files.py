"""A model from elsewhere in a folder, or a file: ``model.safetensors`` and ``config.json``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.imports import encoder, patchtst
from bitformer.model.imports.encoder import EncoderFields, from_encoder
from bitformer.model.imports.imported import Imported
from bitformer.model.imports.patchtst import from_patchtst
from bitformer.model.imports.weights_file import read_floats
from bitformer.model.plain import checked, shown
from bitformer.model.strict_json import read_json

__all__ = ["CONFIG_FILE", "WEIGHTS_FILE", "from_files"]

WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
#: What a checkpoint in several files, or in a pickle, is made of.
_INDEX, _SHARD = "model.safetensors.index.json", "model-*-of-*.safetensors"
_PICKLES = ("pytorch_model.bin", "model.pt", "model.pth", "pytorch_model.bin.index.json")


def from_files(path: str | Path, *, channel: int | None = None) -> Imported:
    """Return the model in a folder, or in a file of weights with ``config.json`` beside it.

    ``channel`` : of a PatchTST with weights for each channel, the number of one.

    Raises
    ------
    UserError
        If a file is missing, or is not what it should be; for a model of another kind, or one that
        the hardware has no unit for.
    """
    weights = _weights_file(Path(path))
    settings = weights.with_name(CONFIG_FILE)
    if not settings.is_file():
        raise UserError(
            f"{path} must have a {CONFIG_FILE} beside its weights, which says what they do not:"
            " save_pretrained writes it, and 'bitformer import --help' shows one of a"
            " TransformerEncoder"
        )
    where = str(settings)
    data = checked(dict[str, Any], read_json(settings, finite=False), where)
    kind = data.get("model_type")
    if kind not in (patchtst.MODEL_TYPE, encoder.MODEL_TYPE):
        raise _another(where, kind)
    if channel is not None and kind != patchtst.MODEL_TYPE:
        raise UserError(f"channel must be left out for a {kind}, which reads all, not {channel}")
    return _imported(str(kind), data, weights, channel)


def _imported(kind: str, data: Mapping[str, Any], weights: Path, channel: int | None) -> Imported:
    where = str(weights.parent)
    if kind == patchtst.MODEL_TYPE:
        return from_patchtst(data, read_floats(weights), where=where, channel=channel)
    fields = EncoderFields.of(data, str(weights.with_name(CONFIG_FILE)))
    return from_encoder(fields, read_floats(weights), where=str(weights))


def _weights_file(path: Path) -> Path:
    """Return the one file of weights that a path names."""
    if not path.is_dir():
        if not path.exists():
            raise UserError(
                f"{path} must be a folder with {WEIGHTS_FILE}, or a file of weights,"
                " but is not there"
            )
        return path
    if (path / WEIGHTS_FILE).exists():
        return path / WEIGHTS_FILE
    if (path / _INDEX).exists() or any(path.glob(_SHARD)):
        raise UserError(
            f"{path} must have its weights in one file, {WEIGHTS_FILE}, not in shards: write it"
            " anew with save_pretrained(…, max_shard_size='1GB')"
        )
    for name in _PICKLES:
        if (path / name).exists():
            return path / name
    raise UserError(f"{path} must have a file {WEIGHTS_FILE}, which is missing")


def _another(where: str, kind: object) -> UserError:
    if isinstance(kind, str) and kind:
        return UserError(
            f"{where}: model_type must be {patchtst.MODEL_TYPE} or {encoder.MODEL_TYPE}, not"
            f" {shown(kind)}, whose layers the hardware does not have: train one of these two"
        )
    return UserError(
        f"{where} must say by model_type what the weights are, {patchtst.MODEL_TYPE} or"
        f" {encoder.MODEL_TYPE}, not {shown(kind)}"
    )
