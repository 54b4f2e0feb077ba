"""Integer models: loaded, evaluated, and asked for forecasts, classes or flags."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._answers import classes_of, flags_of, forecast_of
from bitformer._scores import scores_of
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.ir import IntegerModel
from bitformer.model.progress import Progress, silent

if TYPE_CHECKING:
    import numpy as np

    from bitformer._onnx import OnnxGraph
    from bitformer.model.evaluating import AnyEvaluation
    from bitformer.model.forecasts.classes import Classes
    from bitformer.model.forecasts.flags import Flags
    from bitformer.model.forecasts.result import Forecast
    from bitformer.model.forecasts.several import Forecasts
    from bitformer.model.noise import Noise

__all__ = ["Model", "Note", "load", "unheard"]

#: Called with a sentence about what a person would wonder at.
Note = Callable[[str], None]


def unheard(_sentence: str) -> None:
    """Tell nobody."""


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
        """Multiply-accumulates of an inference."""
        return self.config.macs

    def predict(self, windows: Any, clock: Any = None, judged: Any = None) -> "np.ndarray":
        """Forecast, in integers throughout.

        Parameters
        ----------
        windows
            Floats [N, window, inputs], standardised by the training rows' mean and deviation.
        clock
            Of a model with a calendar alone: the time of each window's last step, integers
            [N, numbers], such as the hour (0 to 23) and the weekday (Monday 0).
        judged
            Of a detector alone: what came, floats [N, horizon], standardised as the windows are,
            which follow one another from a reset on.

        Returns
        -------
        array [N, horizon] of standardised forecasts; of a detector, its flags [N, 1]
        """
        from bitformer.model.reference import predict

        return predict(self.integer, windows, clock, judged)

    def forecast(
        self,
        data: str | None = None,
        *,
        windows: int = 1,
        at: int | str | None = None,
        target: str | Sequence[str] | None = None,
        inputs: str | Sequence[str] | None = None,
        interval: int | None = None,
        engine: "str | Callable[..., np.ndarray]" = "integer",
        note: Note = unheard,
        progress: Progress = silent,
        **reading: Any,
    ) -> "Forecast | Forecasts":
        """Forecast what comes after the rows of a file, in the file's units.

        A model of several targets gives their :class:`Forecasts`, one :class:`Forecast` for each.

        Parameters
        ----------
        data
            A CSV file with the columns that the model was trained on, in any order, or a data set's
            name; by default the model's own. What is beyond its last row is forecast.
        windows
            How many forecasts, of windows a row apart; the newest is the last. The file has the
            truth of older ones.
        at
            The line or the time (ISO 8601) of the last row that the newest forecast knows, instead
            of the file's last.
        target, inputs
            Columns that stand for the model's own, if they have other names.
        interval
            Percent of values that lie within the limits: 50, 80 or 95; by default 80.
        engine
            ``"integer"``, the reference; ``"steps"``, of a stream, the same step by step;
            ``"python"`` or ``"native"`` for the hardware, in Amaranth's simulator or compiled; or a
            function from standardised windows to standardised forecasts, such as that of a board;
            of a model with a calendar it is called with the windows' ``clock`` as well, integers
            [N, numbers].
        note
            Told what is remarkable of the data.
        progress
            Called with the windows simulated.
        **reading
            How a CSV file is read: ``time`` and the other fields of
            :class:`bitformer.model.data.reading.Reading`; by default as in training.

        Raises
        ------
        UserError
            If the model knows no scales, or the data are not here, lack a column, or are too short.
        NotBitExactError
            If the hardware differs from the reference.
        """
        return forecast_of(
            self.integer,
            data,
            windows=windows,
            at=at,
            target=target,
            inputs=inputs,
            interval=interval,
            engine=engine,
            note=note,
            progress=progress,
            reading=reading,
        )

    def classify(
        self,
        data: str | None = None,
        *,
        windows: int = 1,
        at: int | str | None = None,
        inputs: str | Sequence[str] | None = None,
        engine: "str | Callable[..., np.ndarray]" = "integer",
        note: Note = unheard,
        progress: Progress = silent,
        **reading: Any,
    ) -> "Classes":
        """Tell the classes of a file's newest windows.

        Parameters
        ----------
        data, windows, at, inputs, note, progress, **reading
            As of :meth:`forecast`. Rows need no classes.
        engine
            As of :meth:`forecast`; a function returns classes' numbers [N, 1].

        Raises
        ------
        UserError
            As :meth:`forecast`, and if the model is no classifier.
        NotBitExactError
            If the hardware differs from the reference.
        """
        return classes_of(
            self.integer,
            data,
            windows=windows,
            at=at,
            inputs=inputs,
            engine=engine,
            note=note,
            progress=progress,
            reading=reading,
        )

    def detect(
        self,
        data: str | None = None,
        *,
        windows: int | None = None,
        at: int | str | None = None,
        target: str | Sequence[str] | None = None,
        inputs: str | Sequence[str] | None = None,
        engine: "str | Callable[..., np.ndarray]" = "integer",
        note: Note = unheard,
        progress: Progress = silent,
        **reading: Any,
    ) -> "Flags":
        """Judge the windows of a file in their order, from a reset on.

        Parameters
        ----------
        data, target, inputs, note, progress, **reading
            As of :meth:`forecast`. Rows need no marks of anomalies.
        windows
            How many, the newest; by default all, and few of the slow simulator.
        at
            The line or the time of the last row that is judged, instead of the file's last.
        engine
            As of :meth:`forecast`; a function takes what came as ``judged``, floats [N, numbers],
            too, and returns flags [N, 1]. A board goes on from what it has judged before.

        Raises
        ------
        UserError
            As :meth:`forecast`, and if the model is no detector, or the file holds several series.
        NotBitExactError
            If the hardware differs from the reference.
        """
        asked: dict[str, Any] = {"windows": windows, "at": at, "target": target, "inputs": inputs}
        asked |= {"engine": engine, "note": note, "progress": progress}
        return flags_of(self.integer, data, **asked, reading=reading)

    def evaluate(
        self,
        data: str | None = None,
        *,
        target: str | Sequence[str] | None = None,
        inputs: str | Sequence[str] | None = None,
        engine: str = "integer",
        samples: int | None = None,
        baselines: str = "simple",
        note: Note = unheard,
        progress: Progress = silent,
        **reading: Any,
    ) -> "AnyEvaluation":
        """Return the test error beside the baselines', which are of the same windows.

        Of a classifier, these are scores of its answers. The model's own scales count. Of the data
        that it was trained on, test windows are scored; of other data all windows, beside linear
        baselines that are fitted to the model's own data, if those are here.

        Parameters
        ----------
        data
            A data set's name or a CSV file; by default the model's own.
        target, inputs
            Columns that stand for the model's own, if they have other names.
        engine
            ``"integer"``, the reference; ``"steps"``, of a stream, the same step by step;
            ``"python"`` or ``"native"`` for the hardware, in Amaranth's simulator or compiled.
        samples
            How many test windows, evenly spaced; by default all, and few of the slow simulator.
        baselines
            ``"simple"``, or ``"all"`` for an MLP of as many MACs and LightGBM, too: see
            :func:`train`.
        note
            Told what is remarkable of the data, and what of them is clipped.
        progress
            Called with the windows simulated, and with what is done of training baselines.
        **reading
            How a CSV file is read: ``time`` and the other fields of
            :class:`bitformer.model.data.reading.Reading`; by default as in training.

        Raises
        ------
        UserError
            If the data are not here, or do not suit the model.
        NotBitExactError
            If the hardware differs from the reference.
        """
        return scores_of(
            self.integer,
            data,
            run=None if self.path is None else self.path.parent,
            columns={"target": target, "inputs": inputs, **reading},
            engine=engine,
            samples=samples,
            baselines=baselines,
            note=note,
            progress=progress,
        )

    def noise(
        self,
        data: str | None = None,
        *,
        target: str | Sequence[str] | None = None,
        inputs: str | Sequence[str] | None = None,
        samples: int = 512,
        run: str | Path | None = None,
        plot: str | Path | None = None,
        note: Note = unheard,
        progress: Progress = silent,
        **reading: Any,
    ) -> "Noise":
        """Return the signal-to-quantization-noise ratio of every tensor, and which costs most.

        Parameters
        ----------
        data, target, inputs, **reading
            As of :meth:`evaluate`.
        samples
            How many test windows, evenly spaced.
        run
            Folder of the model's training, with whose float model the integers are compared, too.
        plot
            A picture to write: .png, .svg or .pdf.
        note
            Told what is remarkable of the data.
        progress
            Called with the tensors that were rounded alone.

        Raises
        ------
        UserError
            If torch is not installed, or matplotlib for a picture; if the data are not here, or do
            not suit the model; if the model's operations are not those of its configuration.
        """
        from bitformer.model.files import ready_file
        from bitformer.model.picture import check_picture
        from bitformer.model.scored_data import scored_data
        from bitformer.model.torch_installed import require_torch

        require_torch("Noise")
        from bitformer.model.noise_run import noise_of  # it imports torch

        if plot is not None:
            check_picture(plot)
            ready_file(Path(plot))
        found = scored_data(self.integer, data=data, target=target, inputs=inputs, **reading)
        for sentence in found.notes:
            note(sentence)
        return noise_of(self.integer, found, samples=samples, run=run, plot=plot, progress=progress)

    def to_onnx(
        self,
        path: str | Path,
        *,
        opset: int = 13,
        note: Note = unheard,
        progress: Progress = silent,
        **check: Any,
    ) -> "OnnxGraph":
        """Write the model as QONNX, which others run without this package (docs/onnx.md).

        ``check``, ``tensors``, ``seed`` : as of `bitformer export`. So many windows are run by
        QONNX's executor, and each number of each tensor is compared with the reference.
        """
        from bitformer._onnx import written_onnx

        return written_onnx(
            self.integer, Path(path), opset=opset, note=note, progress=progress, **check
        )

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
        called = {"classify": "classes", "detect": "judged"}
        out = f"{config.horizon} {called.get(config.task, 'out')}"
        out += f" of each of {config.targets} targets" if config.targets > 1 else ""
        return (
            f"<Model {self.name}: {config.window} steps of {config.inputs} in, {out},"
            f" {self.macs} MACs>"
        )


def load(path: str | Path) -> Model:
    """Load an integer model from a file, or one that ships by its name: see :func:`models`.

    Raises :class:`UserError` if there is none, or it is damaged.
    """
    return Model(load_model(path), path=path)
