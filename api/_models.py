"""Integer models: trained or loaded, evaluated, and asked for forecasts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.ir import IntegerModel

if TYPE_CHECKING:
    import numpy as np

    from bitformer._designs import Design
    from bitformer.model.evaluation import Evaluation

__all__ = ["Model", "load", "train"]

#: The file that a training leaves in its folder.
MODEL_FILE = "model.safetensors"


class Model:
    """An integer model.

    Parameters
    ----------
    integer : IntegerModel
        Tensors, operations and weights.
    path : path, optional
        The file it was read from or written to.
    """

    def __init__(self, integer: IntegerModel, *, path: str | Path | None = None):
        self.integer = integer
        self.path = None if path is None else Path(path)

    @property
    def config(self) -> TransformerConfig:
        """Shape and bits."""
        return self.integer.config

    @property
    def name(self) -> str:
        """The configuration's name."""
        return self.config.name

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a forecast."""
        return self.config.macs

    def predict(self, windows: Any) -> "np.ndarray":
        """Forecast, in integers throughout.

        Parameters
        ----------
        windows : floats [N, window, inputs], standardised by the training rows' mean and deviation

        Returns
        -------
        array [N, horizon] of standardised forecasts
        """
        from bitformer.model.reference import predict

        return predict(self.integer, windows)

    def evaluate(
        self,
        data: str | None = None,
        *,
        target: str | None = None,
        inputs: Sequence[str] | None = None,
        time: str | None = None,
    ) -> "Evaluation":
        """Return the test error beside the baselines'.

        Parameters
        ----------
        data : a data set's name or a CSV file; by default the model's own.
        target, inputs, time : columns of a CSV file.

        Raises
        ------
        UserError
            If the data are not here, or do not suit the model.
        """
        from bitformer.model.evaluation import Evaluation, mse
        from bitformer.model.own_data import dataset_of

        found = dataset_of(self.integer, data=data, target=target, inputs=inputs, time=time)
        return Evaluation.of(found, {self.name: mse(self.predict(found.test.x), found)})

    def lower(self, part: str = DEFAULT_PART, **options: Any) -> "Design":
        """Make the accelerator; see :func:`bitformer.lower`."""
        from bitformer._designs import lower

        return lower(self, part=part, **options)

    def save(self, path: str | Path) -> Path:
        """Write the model to a file, whole or not at all."""
        save_model(self.integer, path)
        self.path = Path(path)
        return self.path

    def to_dict(self) -> dict[str, object]:
        """Return configuration and size as plain data."""
        return {
            "path": None if self.path is None else str(self.path),
            "config": self.config.to_dict(),
            "macs": self.macs,
        }

    def __repr__(self) -> str:
        config = self.config
        return (
            f"<Model {self.name}: {config.window} steps of {config.inputs} in,"
            f" {config.horizon} out, {self.macs} MACs>"
        )


def load(path: str | Path) -> Model:
    """Load an integer model from a file.

    Raises
    ------
    UserError
        If there is none, or it is damaged.
    """
    return Model(load_model(path), path=path)


def train(
    data: str,
    *,
    config: str | TransformerConfig = "etth1-96-24",
    target: str | None = None,
    inputs: Sequence[str] | None = None,
    time: str | None = None,
    to: str | Path = "runs/bitformer",
    **settings: Any,
) -> Model:
    """Train on a data set or a CSV file, and return the integer model.

    Parameters
    ----------
    data : a data set's name (``"etth1"``) or a CSV file.
    config : a configuration or its name. Its number of inputs follows the data.
    target, inputs, time : columns of a CSV file: to forecast, to see, and of times.
    to : folder of the run. An unfinished one is resumed, a finished one read.
    settings : ``window`` and ``horizon`` in steps; ``seed``, ``epochs`` and whatever else
        :class:`bitformer.model.train_settings.TrainSettings` has.

    Raises
    ------
    UserError
        If the data or the settings will not do, or torch is not installed.
    """
    from bitformer.model.datasets import load_dataset
    from bitformer.model.own_data import suited, write_source
    from bitformer.model.torch_installed import require_torch

    require_torch()
    from bitformer.model.export import export_to
    from bitformer.model.train import train as run

    sizes = {name: settings.pop(name) for name in ("window", "horizon") if name in settings}
    chosen = named_config(config) if isinstance(config, str) else config
    chosen = dataclasses.replace(chosen, **sizes)
    dataset = load_dataset(
        data,
        window=chosen.window,
        horizon=chosen.horizon,
        target=target,
        inputs=inputs,
        time=time,
    )
    chosen, _ = suited(chosen, dataset)
    folder = Path(to)
    run(chosen, dataset, run_dir=folder, **settings)
    write_source(folder, data=data, target=target, inputs=inputs, time=time)
    path = folder / MODEL_FILE
    return Model(export_to(folder, path), path=path)
