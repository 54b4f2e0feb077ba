"""Training: from data to an integer model."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._auto import chosen_config, keep_config
from bitformer._models import Model, Note, unheard
from bitformer.model.config import TransformerConfig
from bitformer.model.data.reading import DataSource, without_reading
from bitformer.model.precision import Width
from bitformer.model.progress import progress_bar
from bitformer.model.task import task_for
from bitformer.model.torch_installed import require_torch

if TYPE_CHECKING:
    from bitformer.model.clipping import Clipped
    from bitformer.model.coverage import Coverage
    from bitformer.model.data.windows import Dataset
    from bitformer.model.evaluating import AnyEvaluation
    from bitformer.model.imports.imported import Imported, Scales
    from bitformer.model.sensor_range import SensorRange
    from bitformer.model.trained_baselines import TrainedBaseline
    from bitformer.model.training_run import TrainResult
    from bitformer.search.auto import Choice

__all__ = ["MODEL_FILE", "Training"]

#: The files that a training leaves in its folder: the model, and its epochs as a table.
MODEL_FILE, HISTORY_FILE = "model.safetensors", "history.csv"


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Training:
    """A finished training.

    Parameters
    ----------
    folder : of the run.
    config : what was trained.
    dataset : what it was trained on.
    result : errors, seconds and warnings.
    method : ``"qat"``, or ``"ptq"`` without training with rounding.
    model : the integer model; None where parts are kept in floats.
    choice : how the configuration was chosen; None where it was named.
    trained : baselines that were trained, if they were asked for.
    imported : what the float model was, if it came from elsewhere.
    """

    folder: Path
    config: TransformerConfig
    dataset: "Dataset"
    result: "TrainResult"
    method: str
    model: Model | None
    choice: "Choice | None" = None
    trained: "tuple[TrainedBaseline, ...]" = ()
    imported: str | None = None

    @classmethod
    def run(
        cls,
        data: str | None,
        *,
        config: str | TransformerConfig | None = None,
        target: str | Sequence[str] | None = None,
        inputs: str | Sequence[str] | None = None,
        sense: str | None = None,
        ahead: int | None = None,
        time: str | Sequence[str] | None = None,
        to: str | Path = "runs/bitformer",
        window: int | None = None,
        horizon: int | None = None,
        patch: int | None = None,
        block: str | None = None,
        weights: Width | None = None,
        activations: int | None = None,
        precise: int | None = None,
        delta: int | None = None,
        path: Width | None = None,
        calendar: str | Sequence[str] | None = None,
        part: str | None = None,
        sensor_range: "SensorRange | None" = None,
        name: str | None = None,
        plot: str | Path | None = None,
        raw: int | None = None,
        baselines: str = "simple",
        task: str | None = None,
        reject: float = 0.0,
        smoothing: int | None = None,
        factor: float | None = None,
        hold: int | None = None,
        start: "Imported | None" = None,
        note: Note = unheard,
        **settings: Any,
    ) -> "Training":
        """Train as :func:`train` does, and return all that came out.

        Parameters
        ----------
        data, config, target, inputs, sense, ahead, time, to
            As of :func:`train`.
        window, horizon, patch
            Steps that the model sees, forecasts, and has in a token.
        block
            What a layer is: ``"attention"``, ``"mixer"`` or ``"mlp"``.
        weights, activations
            Bits of all of them; ``"4p"`` for weights of 4 bits that are powers of two.
        precise
            Bits of the components that arXiv 2408.16495 keeps precise.
        delta
            Bits of the difference to the window's last step.
        path
            Bits of the linear path's weights, such as 8 or ``"8p"``.
        calendar, part, sensor_range, raw, name, plot, baselines, task, reject
            As of :func:`train`.
        smoothing, factor, hold
            As of :func:`train`, of a detector.
        start
            A float model from elsewhere, which is rounded instead of training one; ``config`` is
            its own.
        note
            Told what is remarkable of the data, and what changed to suit them.
        **settings
            As of :func:`bitformer.model.train.train`; and fields of
            :class:`bitformer.model.data.reading.Reading`.
        """
        sizes: dict[str, Any] = {"window": window, "horizon": horizon, "patch": patch}
        sizes["block"] = block
        bits: dict[str, Any] = {"weights": weights, "activations": activations}
        bits |= {"precise": precise, "delta": delta, "path": path}
        reading, settings = without_reading(settings)
        source: dict[str, Any] = {"target": target, "inputs": inputs, "time": time, **reading}
        source |= {"sense": sense, "ahead": ahead, "task": task}
        from bitformer.model.adc_training import in_asked_words
        from bitformer.model.calendar import calendar_of
        from bitformer.model.config_choice import changed_config, start_config
        from bitformer.model.files import ready_file
        from bitformer.model.own_data import (
            asked_task,
            named_task,
            resolved,
            suited_to,
            write_source,
        )
        from bitformer.model.picture import check_picture
        from bitformer.model.sensor_range import with_range
        from bitformer.model.task.answer_settings import check_answer
        from bitformer.model.trained_baselines import check_baselines, trained_baselines

        check_baselines(baselines)
        if plot is not None:
            check_picture(plot)
            ready_file(Path(plot))
        kinds = {**bits, "calendar": None if calendar is None else calendar_of(calendar)}
        folder, told = Path(to), asked_task(data, source, config)
        source["task"] = named_task(told, source)
        judge: dict[str, Any] = {"smoothing": smoothing, "factor": factor, "hold": hold}
        check_answer(told, reject=reject, **judge)
        asked: dict[str, Any] = {"part": part, "sizes": sizes, "kinds": kinds, "source": source}
        config, choice = chosen_config(data, config, folder, note=note, settings=settings, **asked)
        config = start_config(config, sense=sense, ahead=ahead, horizon=horizon, task=told)
        if choice is None:
            config = changed_config(config, **sizes, **kinds)
        timed = calendar is not None
        chosen, dataset = suited_to(data, config, note, name=name, timed=timed, **source)
        dataset = with_range(dataset, sensor_range)
        require_torch()
        chosen, dataset = in_asked_words(chosen, dataset, raw, settings, note)
        from bitformer.model.export import export_to
        from bitformer.model.train import train as train_model

        if choice is not None:
            keep_config(folder, chosen, note)
        if start is not None:
            from bitformer.model.imports.units import start_for

            chosen, settings["start"] = start_for(start, chosen, dataset)
        result = train_model(chosen, dataset, run_dir=folder, **settings)
        write_source(folder, DataSource.of(data=str(data), **resolved(source, dataset)))
        model = None
        if not chosen.has_floats:
            file = folder / MODEL_FILE
            model = Model(export_to(folder, file, reject=reject, **judge), path=file)
        more: dict[str, Any] = {"macs": chosen.macs, "run": folder, "note": note}
        with progress_bar(settings.get("progress")) as bar:
            trained = trained_baselines(baselines, dataset, progress=bar, **more)
        training = cls(
            folder=folder,
            config=chosen,
            dataset=dataset,
            result=result,
            method=settings.get("method", "qat"),
            model=model,
            choice=choice,
            trained=trained,
            imported=None if start is None else start.source,
        )
        if plot is not None:
            training.plot(plot)
        return training

    @classmethod
    def of_import(
        cls,
        found: "Imported",
        data: str | None,
        *,
        scaling: "Scales" = "data",
        note: Note = unheard,
        **asked: Any,
    ) -> "Training":
        """Round a float model from elsewhere on data.

        ``found`` : what was read. ``scaling`` : what it was trained on, as of
        :func:`bitformer.from_torch`. The others are those of :meth:`run`, but for the model's.
        """
        for sentence in (str(found), *found.notes):
            note(sentence)
        start = dataclasses.replace(found, scales=scaling)
        return cls.run(data, config=found.config, start=start, note=note, **asked)

    @property
    def history(self) -> tuple[dict[str, Any], ...]:
        """A dict for each epoch with its stage, number, training loss, validation error and rate.

        The same is in ``history.csv`` in the folder.
        """
        return self.result.history

    @property
    def history_file(self) -> Path:
        """The table of :attr:`history`."""
        return self.folder / HISTORY_FILE

    def plot(self, path: str | Path) -> Path:
        """Draw loss and validation error by epoch, beside the best baseline, by matplotlib.

        The suffix of ``path`` (.png, .svg, .pdf) chooses the format. Raises
        :class:`bitformer.UserError` without matplotlib, or for what cannot be written.
        """
        from bitformer.model.loss_plot import plot_history

        data = f"{self.dataset.name}, {self.dataset.target}"
        title = f"{self.config.name} on {data}"
        plot_history(self.history, path, dataset=self.dataset, title=title)
        return Path(path)

    @cached_property
    def evaluation(self) -> "AnyEvaluation":
        """Test errors of the float, the rounded and the integer model, beside the baselines'.

        Of a classifier, scores of the integer model's answers.
        """
        from bitformer.model.advice import Advice
        from bitformer.model.evaluating import evaluated_training

        integer = None if self.model is None else self.model.integer
        advice = Advice(
            config=self.config,
            dataset=self.dataset,
            settings=self.result.settings,
            float_error=self.result.float_test,
            history=self.result.history,
            wider=tuple(self._wider),
        )
        block = self.config.block
        more: dict[str, Any] = {"trained": self.trained, "block": block}
        if self.imported is None:  # what it says are options of a training from the start
            more["advice"] = advice
        return evaluated_training(self.result, integer, self.dataset, method=self.method, **more)

    @cached_property
    def clipped(self) -> "tuple[Clipped, ...]":
        """Numbers of validation and test windows, and of forecasts, beyond what their words hold.

        Empty without an integer model.
        """
        from bitformer.model.clipping import clipped

        if self.model is None:
            return ()
        found: list[Clipped] = []
        for part, windows in (("validation", self.dataset.val), ("test", self.dataset.test)):
            judged = windows.y if self.config.task == "detect" else None
            x, forecast = windows.x, self.model.predict(windows.x, windows.clock, judged)
            found += clipped(self.model.integer, x, self.dataset, forecast=forecast, part=part)
        return tuple(found)

    @property
    def clipped_sentences(self) -> list[str]:
        """What was clipped, a sentence for the validation and one for the test windows."""
        from bitformer.model.clipping import clipped_sentences

        return clipped_sentences(self.clipped, self.dataset)

    @property
    def _wider(self) -> list[str]:
        """Options with which nothing would be clipped, where much is."""
        from bitformer.model.clipping import wider_options

        return wider_options([one for one in self.clipped if one.many], self.dataset)

    @property
    def coverage(self) -> "tuple[Coverage, ...]":
        """What the words of each input column and of a forecast cover; empty without a model."""
        from bitformer.model.coverage import coverage

        return () if self.model is None else coverage(self.model.integer, self.dataset)

    @property
    def coverage_sentence(self) -> str:
        """The same in a sentence, with what wide words cost."""
        from bitformer.model.coverage import described

        return "" if self.model is None else described(self.model.integer, self.dataset)

    @cached_property
    def rounding_failure(self) -> str | None:
        """What is wrong if rounding cost over a quarter of the float model's validation error.

        An output's own rounding error is not counted. None where all is well.
        """
        from bitformer.model.rounding import rounding_failure_of

        model = None if self.model is None else self.model.integer
        return rounding_failure_of(self.result, self.config, model, wider=self._wider)

    def to_dict(self) -> dict[str, object]:
        """Return what came out as plain data."""
        result = self.result
        return {
            "run": str(self.folder),
            "model": None if self.model is None else str(self.model.path),
            "config": self.config.to_dict(),
            "auto": None if self.choice is None else self.choice.to_dict(),
            "method": self.method,
            "imported": self.imported,
            "seconds": result.seconds,
            "warnings": list(result.warnings),
            "settings": dict(result.settings),
            "continued": [dict(one) for one in result.continued],
            "history": [dict(one) for one in self.history],
            "history_file": str(self.history_file),
            f"validation_{task_for(self.config).error_key}": {
                "float": result.float_val,
                "quantized": result.quantized_val,
            },
            **self.evaluation.to_dict(),
            "coverage": [one.to_dict() for one in self.coverage],
            "clipped": [one.to_dict() for one in self.clipped],
            "rounding_failure": self.rounding_failure,
        }

    def __repr__(self) -> str:
        error = f"{task_for(self.config).error_name} {self.result.quantized_val:.4f}"
        return f"<Training of {self.config.name} in {self.folder}: validation {error}>"
