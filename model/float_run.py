"""The models of a finished run, for others to start from.

One float model serves a whole study. A quantized one with its scales kept makes models whose
weights alone differ, as hardware needs that takes new weights.
"""

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.fake_quant import to_numpy
from bitformer.model.fuse import fused_weights
from bitformer.model.plain import built
from bitformer.model.run_store import RunStore
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import shapes
from bitformer.model.transformer import Transformer

__all__ = [
    "FloatStart",
    "data_scales",
    "float_model",
    "float_weights",
    "quantized_state",
    "with_float_settings",
]

#: What a float model does not see of a config, beside its name.
_PRECISION = {
    *("name", "default", "precision", "tensors", "weight_scales", "asymmetric"),
    *("input_bits", "output_bits"),
}
#: What must be the same of data that are not.
_COLUMNS = ("inputs", "target", "target_channel")
#: What a float model does not see of the data, or what follows from the rest.
_INTERFACE = {"range", "step", "step_unit", "dated", "last_seen"}
#: What an option of ``train`` says beside the config.
_OPTIONS = ("window", "patch", "horizon", "block", "calendar")
#: Settings of the stage without rounding.
_SETTINGS = ("epochs", "lr", "dropout")


@dataclass(frozen=True, kw_only=True)
class FloatStart:
    """Float weights from elsewhere, by the names of a state dict, and what they were called."""

    weights: Mapping[str, Tensor]
    origin: str

    def identity(self, settings: Mapping[str, object]) -> dict[str, object]:
        """Return what identifies them; ``settings`` must have none of a training without rounding.

        Raises :class:`UserError` if they have.
        """
        for name in _SETTINGS:
            if name in settings:
                raise UserError(
                    f"{name} must not be given: the float model of {self.origin} is rounded as it"
                    f" is, so leave --{name} out"
                )
        return {"origin": self.origin, "checksum": _checksum(dict(self.weights))}


def float_weights(
    run_dir, config: TransformerConfig, dataset: dict, *, same_data: bool = True
) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Float weights that the run in ``run_dir`` selected, and what identifies them.

    ``dataset`` is that of :func:`bitformer.model.training_run.describe`. Raises :class:`UserError`
    unless the run is past its float stage, of ``config``'s shape and on the same data, or at least,
    where not ``same_data`` is asked for, on columns of the same names. Where ``config`` is fused
    and the run's model, of one head, is not, its weights are fused.
    """
    store = RunStore(run_dir)
    record, state = store.read_record(), store.read_state()
    theirs = TransformerConfig.from_dict(record["config"])
    fuses = config.fused and not theirs.fused and theirs.heads == 1
    shape = _shape(theirs) | ({"fused": True} if fuses else {})
    for name, value in _shape(config).items():
        if shape[name] != value:
            raise _differs(name, shape[name], value, f"{run_dir}, whose float model is wanted")
    for name in dataset.keys() - _INTERFACE if same_data else _COLUMNS:
        if record["dataset"].get(name) != dataset[name]:
            raise UserError(
                f"Data must be those of the run in {run_dir}, whose float model is wanted:"
                f" {name} is {record['dataset'].get(name)} there, {dataset[name]} here"
            )
    if state["float_best"]:
        _check_shapes(state["float_best"], record["config"], run_dir)
    weights = {
        name: value
        for name, value in state["float_best"].items()
        if not name.endswith("log2_scale") and not name.startswith("activations.")
    }
    weights = fused_weights(weights) if fuses else weights
    if not weights:
        raise UserError(f"Run in {run_dir} must be past its float stage: train again to resume it")
    return weights, {"checksum": _checksum(weights), "settings": record["settings"]}


def float_model(run_dir, config: TransformerConfig) -> Transformer:
    """Return the float model that the run in ``run_dir`` selected, in ``eval()`` and float64.

    Raises :class:`UserError` unless there is one, of ``config``'s shape.
    """
    store = RunStore(run_dir)
    record, best = store.read_record(), store.read_state()["float_best"]
    own = TransformerConfig.from_dict(record["config"])
    if _shape(own) != _shape(config):
        raise UserError(f"Run in {run_dir} must be the model's own, not one of another shape")
    if not best:
        raise UserError(
            f"Run in {run_dir} must have a float model of its own, which it has not: name its"
            " model.safetensors instead of the folder"
        )
    _check_shapes(best, record["config"], run_dir)
    found = Transformer(own)
    found.load_state_dict(best)
    return found.double().eval()


def data_scales(run_dir) -> dict[str, object]:
    """Return what the run in ``run_dir`` notes of its data, their scales among it."""
    return RunStore(run_dir).read_record()["dataset"]


def quantized_state(run_dir, config: TransformerConfig) -> tuple[dict[str, Tensor], int]:
    """Load the quantized model that the run in ``run_dir`` selected, as tensors, and its checksum.

    Raises :class:`UserError` unless the run is finished and ``config`` is its own but for the name.
    """
    store = RunStore(run_dir)
    record = store.read_record()
    if "results" not in record:
        raise UserError(f"Run in {run_dir} must be finished first: train again to resume it")
    theirs = dataclasses.asdict(TransformerConfig.from_dict(record["config"]))
    for name, value in dataclasses.asdict(config).items():
        if name != "name" and theirs[name] != value:
            raise _differs(name, theirs[name], value, f"{run_dir}, whose scales are kept")
    best = store.read_state()["best"]
    _check_shapes(best, record["config"], run_dir)
    return best, _checksum(best)


def _differs(name: str, theirs: object, ours: object, run: str) -> UserError:
    """Return the refusal of a field, with the option that says it, if there is one."""
    there, here = (
        (",".join(value) or "none") if name == "calendar" and isinstance(value, tuple) else value
        for value in (theirs, ours)
    )
    remedy = f": use --{name} {there}" if name in _OPTIONS else ""
    return UserError(f"{name} must be {there} as in the run in {run}, not {here}{remedy}")


def _check_shapes(state: Mapping[str, Tensor], config: dict, run_dir) -> None:
    """Raise :class:`UserError` unless tensors are those of a model of the run's configuration."""
    with torch.random.fork_rng(devices=[]):  # initial weights leave no trace in the caller's
        own = Transformer(TransformerConfig.from_dict(config)).state_dict()
    if shapes(state) != shapes(own):
        raise UserError(f"{run_dir}/state.pt must belong to run.json beside it, which it does not")


def _checksum(tensors: dict[str, Tensor]) -> int:
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(to_numpy(tensors[name]).tobytes(), checksum)
    return checksum


def _shape(config: TransformerConfig) -> dict[str, object]:
    fields = dataclasses.asdict(config).items()
    return {name: value for name, value in fields if name not in _PRECISION}


def with_float_settings(settings: dict, source: dict, run_dir) -> dict:
    """Add the settings of the source's float stage to ``settings``, which must not have any."""
    for name in _SETTINGS:
        if name in settings:
            raise UserError(
                f"{name} must not be given: the float model of {run_dir} is used, so leave"
                f" --{name} out"
            )
    theirs = built(TrainSettings, source["settings"], f"settings of the run in {run_dir}")
    return settings | {name: getattr(theirs, name) for name in _SETTINGS}
