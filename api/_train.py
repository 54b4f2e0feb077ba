"""Training in one call: data in, a model out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Model
from bitformer._training import Training
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.model.sensor_range import SensorRange

__all__ = ["train"]


def train(
    data: str,
    *,
    config: str | TransformerConfig | None = None,
    target: str | Sequence[str] | None = None,
    inputs: str | Sequence[str] | None = None,
    sense: str | None = None,
    ahead: int | None = None,
    time: str | Sequence[str] | None = None,
    to: str | Path = "runs/bitformer",
    calendar: str | Sequence[str] | None = None,
    part: str | None = None,
    sensor_range: "SensorRange | None" = None,
    name: str | None = None,
    plot: str | Path | None = None,
    raw: int | None = None,
    baselines: str = "simple",
    **settings: Any,
) -> Model:
    """Train on a data set or a CSV file, and return the integer model.

    Parameters
    ----------
    data
        A data set's name (``"etth1"``) or a CSV file.
    config
        A configuration, its name or its JSON file; by default ``etth1-96-24``, ``sense-24-1`` with
        ``sense``, and ``strike-25`` for classes. Its number of inputs follows the data. ``"auto"``
        chooses window, patch and widths by short trainings, and writes ``config.json`` into the
        run's folder.
    part
        With ``config="auto"``, the FPGA that the model is to fit; by default the ``xc7s15``.
    target, inputs, time
        Columns of a CSV file: to forecast, to see, and of times. Texts ``"A,B"`` or lists.
    sense
        A column instead of ``target``: a virtual sensor tells it for the window's last row from
        the others, by default all of numbers, and never sees it.
    ahead
        Rows from the window's last to the first that is forecast: by default 1, the next; 0 is the
        last itself, of a target that is no input.
    to
        Folder of the run. An unfinished one is resumed, a finished one read; with more ``epochs``
        or ``qat_epochs`` it goes on, as :func:`bitformer.model.train.train` says.
    calendar
        What of the time the model takes with each window, which costs no multiplication: a text
        ``"hour,weekday"`` or a list of ``"hour"`` and ``"weekday"``, or ``"none"``; by default as
        the configuration has it. Rows must have dates for it.
    sensor_range
        Lowest and highest value that the sensor may give, in the column's units: of the target, or
        by column, where None stands for the target. The words of the input and the output cover
        it. By default they cover 16 times what the training rows reach, as far as their bits allow.
    name
        What the model, and what is built from it, is called; by default after the data, such as
        ``nyc_taxi-value-48-12``, unless the configuration was made for them or has a name of its
        own.
    plot
        A picture to write of loss and validation error by epoch.
    raw
        Bits of an ADC, 8 to 16, whose words the chip takes as they are; its results are such words,
        too. The two ends of ``sensor_range`` are then the column's values at word 0 and at the
        highest word; a column without one holds words.
    baselines
        ``"all"`` adds an MLP of as many MACs and, where it is installed, LightGBM to what the model
        is compared with. :meth:`Model.evaluate` finds their forecasts in the folder.
    **settings
        ``window``, ``horizon`` and ``patch`` in steps; bits of ``weights`` (``"4p"``: powers of
        two), ``activations``, ``delta`` (a window's difference to its last step) and ``path``
        (weights of the linear path); ``task``; the share that a classifier may ``reject``; how
        training windows change each time they are seen, ``augment="noise=0.1"`` or a mapping; how a
        detector judges, by ``smoothing``, ``factor`` and ``hold``
        (:class:`bitformer.model.task.thresholds.Rule`); ``seed``, ``epochs`` and whatever else
        :class:`bitformer.model.train_settings.TrainSettings` has; and how a CSV file is read,
        :class:`bitformer.model.data.reading.Reading`.

    Raises
    ------
    UserError
        If the data or the settings will not do, if torch is not installed, or if parts of the
        model are kept in floats.
    """
    columns: dict[str, Any] = {"target": target, "inputs": inputs, "time": time}
    columns |= {"sense": sense, "ahead": ahead}
    more: dict[str, Any] = {"sensor_range": sensor_range, "raw": raw, "name": name, "plot": plot}
    more |= {"calendar": calendar, "part": part, "baselines": baselines}
    training = Training.run(data, config=config, to=to, **columns, **more, **settings)
    if training.model is None:
        raise UserError(f"bits of {training.config.name} must be those of integers, not of floats")
    return training.model
