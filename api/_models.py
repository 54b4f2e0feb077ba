"""Integer models: loaded, evaluated, and asked for forecasts."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import TransformerConfig
from bitformer.model.ir import IntegerModel
from bitformer.model.progress import Progress, silent
from bitformer.model.task import require_task

if TYPE_CHECKING:
    import numpy as np

    from bitformer.model.evaluating import AnyEvaluation
    from bitformer.model.forecasts.classes import Classes
    from bitformer.model.forecasts.result import Forecast
    from bitformer.model.noise import Noise

__all__ = ["Model", "Note", "load", "unheard"]

#: Called with a sentence about what a person would wonder at.
Note = Callable[[str], None]
#: Test windows that Amaranth's simulator evaluates unless more are asked for: it is slow.
SIMULATED = 8


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
        """Multiply-accumulates of a forecast."""
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
        target: str | None = None,
        inputs: str | Sequence[str] | None = None,
        interval: int | None = None,
        engine: "str | Callable[..., np.ndarray]" = "integer",
        note: Note = unheard,
        progress: Progress = silent,
        **reading: Any,
    ) -> "Forecast":
        """Forecast what comes after the rows of a file, in the file's units.

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
            ``"integer"``, the reference; ``"python"`` or ``"native"`` for the hardware, in
            Amaranth's simulator or compiled; or a function from standardised windows to
            standardised forecasts, such as that of a board; of a model with a calendar it is called
            with the windows' ``clock`` as well, integers [N, numbers].
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
        from bitformer.model.clipping import clipped, clipped_sentences
        from bitformer.model.forecasts.forecasting import prepared

        require_task(self.config, "forecast")
        asked = prepared(
            self.integer,
            data,
            windows=windows,
            at=at,
            target=target,
            inputs=inputs,
            interval=interval,
            reading=reading,
        )
        for sentence in asked.notes:
            note(sentence)
        if callable(engine):
            timed = {"clock": asked.clock} if self.config.calendar else {}
            name, forecasts = getattr(engine, "name", "function"), engine(asked.x, **timed)
        else:
            name = engine
            forecasts = self._computed(engine, note, progress, asked.x, asked.clock)
        scales = asked.rows.scales
        beyond = clipped(self.integer, asked.x, scales, forecast=forecasts)
        for sentence in (sentences := clipped_sentences(beyond, scales)):
            note(sentence)
        answer = asked.answered(forecasts, engine=name)
        return dataclasses.replace(answer, clipped=beyond, notes=(*answer.notes, *sentences))

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
        from bitformer.model.clipping import clipped, clipped_sentences
        from bitformer.model.forecasts.classes import asked_classes

        require_task(self.config, "classify")
        asked: dict[str, Any] = {"windows": windows, "at": at, "inputs": inputs}
        question = asked_classes(self.integer, data, reading=reading, **asked)
        x, scales = question.recent.x, question.rows.scales
        beyond = clipped(self.integer, x, scales)
        for sentence in (*question.notes, *clipped_sentences(beyond, scales)):
            note(sentence)
        if callable(engine):
            name, numbers = getattr(engine, "name", "function"), engine(x)
        else:
            name, numbers = engine, self._computed(engine, note, progress, x)
        return question.answered(numbers, engine=name, clipped=beyond)

    def evaluate(
        self,
        data: str | None = None,
        *,
        target: str | None = None,
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
            ``"integer"``, the reference; ``"python"`` or ``"native"`` for the hardware, in
            Amaranth's simulator or compiled.
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
        from bitformer.model.advice import Advice
        from bitformer.model.clipping import clipped, clipped_sentences, wider_options
        from bitformer.model.evaluating import evaluated
        from bitformer.model.meta import known
        from bitformer.model.own_data import some_of
        from bitformer.model.scored_data import is_own, scored_data
        from bitformer.model.trained_baselines import check_baselines, trained_baselines

        check_baselines(baselines)
        found = scored_data(self.integer, data=data, target=target, inputs=inputs, **reading)
        own = is_own(self.integer, found)
        for sentence in found.notes:
            note(sentence)
        run = None if self.path is None else self.path.parent
        trained = trained_baselines(
            baselines, found, macs=self.macs, run=run, note=note, progress=progress
        )
        if samples is None and engine == "python":
            samples = SIMULATED
        if samples is not None:
            index = some_of(self.integer, samples, len(found.test))
            found = dataclasses.replace(found, test=found.test.take(index))
            trained = tuple(one.take(index) for one in trained)
        test = found.test
        judged = None if self.integer.detector is None else test.y
        forecast = self._computed(engine, note, progress, test.x, test.clock, judged)
        meta = known(self.integer.meta)
        beyond = clipped(self.integer, found.test.x, found, forecast=forecast, part="test")
        advice = Advice(
            config=self.config,
            dataset=found,
            settings=meta.get("settings", {}) if own else {},
            float_error=meta.get("results", {}).get("float_test") if own else None,
            wider=tuple(wider_options([one for one in beyond if one.many], found)),
        )
        for sentence in clipped_sentences(beyond, found):
            note(sentence)
        scores = evaluated(
            self.integer,
            found,
            {f"{self.name} ({engine})": forecast},
            advice=advice,
            intervals=meta.get("intervals", ()),
            trained=trained,
        )
        return dataclasses.replace(scores, clipped=beyond)

    def noise(
        self,
        data: str | None = None,
        *,
        target: str | None = None,
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

    def _computed(self, engine: str, note: Note, progress: Progress, *windows: Any) -> "np.ndarray":
        """Return standardised forecasts, or answers, of standardised windows by an engine."""
        from bitformer._engines import computed

        return computed(self.integer, windows, engine=engine, note=note, progress=progress)

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
        out = f"{config.horizon} {'classes' if config.task == 'classify' else 'out'}"
        return (
            f"<Model {self.name}: {config.window} steps of {config.inputs} in, {out},"
            f" {self.macs} MACs>"
        )


def load(path: str | Path) -> Model:
    """Load an integer model from a file.

    Raises
    ------
    UserError
        If there is none, or it is damaged.
    """
    return Model(load_model(path), path=path)
