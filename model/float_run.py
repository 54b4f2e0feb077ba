"""The float model of a finished run, for others to start from: one serves a whole study."""

import zlib

from torch import Tensor

from .config import TransformerConfig
from .errors import UserError
from .fake_quant import to_numpy
from .run_store import RunStore

__all__ = ["float_weights", "with_float_settings"]

#: What a float model does not see of a config, beside its name.
_PRECISION = {
    *("name", "default", "precision", "tensors", "weight_scales", "asymmetric"),
    *("input_bits", "output_bits"),
}
#: Settings of the stage without rounding.
_SETTINGS = ("epochs", "lr", "dropout")


def float_weights(
    run_dir, config: TransformerConfig, dataset: dict
) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Float weights that the run in ``run_dir`` selected, and what identifies them.

    ``dataset`` is that of :func:`bitformer.model.train.describe`. Raises :class:`UserError` unless
    the run is past its float stage, of ``config``'s shape and on the same data.
    """
    store = RunStore(run_dir)
    record, state = store.read_record(), store.read_state()
    shape = _shape(TransformerConfig.from_dict(record["config"]))
    for name, value in _shape(config).items():
        if shape[name] != value:
            raise UserError(
                f"{name} must be {shape[name]} as in the run in {run_dir}, whose float model is"
                f" wanted, not {value}"
            )
    for name, value in dataset.items():
        if record["dataset"].get(name) != value:
            raise UserError(
                f"Data must be those of the run in {run_dir}, whose float model is wanted:"
                f" {name} is {record['dataset'].get(name)} there, {value} here"
            )
    weights = {
        name: value
        for name, value in state["float_best"].items()
        if not name.endswith("log2_scale") and not name.startswith("activations.")
    }
    if not weights:
        raise UserError(f"Run in {run_dir} must be past its float stage: train again to resume it")
    checksum = 0
    for name in sorted(weights):
        checksum = zlib.crc32(to_numpy(weights[name]).tobytes(), checksum)
    return weights, {"checksum": checksum, "settings": record["settings"]}


def _shape(config: TransformerConfig) -> dict[str, object]:
    return {name: value for name, value in config.to_dict().items() if name not in _PRECISION}


def with_float_settings(settings: dict, source: dict, run_dir) -> dict:
    """``settings`` with those of the source's float stage, which must not be given."""
    for name in _SETTINGS:
        if name in settings:
            raise UserError(f"{name} must not be given: the float model of {run_dir} is used")
    return settings | {name: source["settings"][name] for name in _SETTINGS}
