"""Noise of a model on test windows, beside its own training, and drawn."""

from pathlib import Path

from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.float_run import float_model
from bitformer.model.ir import IntegerModel
from bitformer.model.noise import Noise, measure_noise
from bitformer.model.noise_plot import plot_noise
from bitformer.model.own_data import evenly
from bitformer.model.progress import Progress, silent

__all__ = ["noise_of"]


def noise_of(
    model: IntegerModel,
    dataset: Dataset,
    *,
    samples: int = 512,
    run: str | Path | None = None,
    plot: str | Path | None = None,
    progress: Progress = silent,
) -> Noise:
    """Measure the noise of every tensor of ``model`` on test windows.

    ``samples`` : how many, evenly spaced. ``run`` : folder of its training, with whose float model
    it is compared, too. ``plot`` : a picture to write.

    Raises
    ------
    UserError
        If the model is a classifier, whose classes have no noise.
    """
    if model.config.task == "classify":
        raise UserError(
            f"Noise is told of values, and model {model.config.name} is to classify: see what is"
            " mistaken for what with 'bitformer evaluate'"
        )
    some = dataset.test.take(evenly(samples, len(dataset.test)))
    trained = None if run is None else float_model(run, model.config)
    noise = measure_noise(
        model, some.x, some.y, clock=some.clock, trained=trained, progress=progress
    )
    if plot is not None:
        plot_noise(noise, plot, title=f"{model.config.name} on {dataset.name}, {dataset.target}")
    return noise
