"""Forecasts and classes from a board: scale, send, read, unscale, for the one model on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from bitformer.boards.host.client import Client, LinkError
from bitformer.hw.scaling import class_labels
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.progress import Progress, silent
from bitformer.model.stream import as_steps

__all__ = ["ClipCount", "Forecaster"]


@dataclass(frozen=True, kw_only=True)
class ClipCount:
    """Numbers that were clipped, or may have been, of all that went to a board and came from it.

    Parameters
    ----------
    readings : int
        Readings beyond the range of the input, which went as its nearest end.
    sent : int
        Readings in all windows, a row that is in several counted in each.
    results : int
        Results that stand at an end of the output's range: what lay beyond is one of them.
    received : int
        Results in all forecasts.
    """

    readings: int = 0
    sent: int = 0
    results: int = 0
    received: int = 0


class Forecaster:
    """A model on a board.

    Parameters
    ----------
    client : Client
    model : IntegerModel
        The one that the board was built from; it knows the scales.

    Attributes
    ----------
    clipped : ClipCount
        What was clipped of the last `predict`'s readings and results. Of which columns, how far and
        what to do about it, in units, is `bitformer.model.clipping`'s.
    rejected : int
        Windows of the last `predict` that a classifier gave no class.
    left : int
        Of a stream, steps until its forecasts depend on nothing that was before this client's
        first; else 0.
    phases : int
        Streams that take steps in turn, as the board says; 1 of a model of windows.

    Raises
    ------
    LinkError
        If the board has another model.
    """

    def __init__(self, client: Client, model: Any):
        self._client, self._model = client, model
        self.clipped, self.rejected = ClipCount(), 0
        facts = client.read()
        self.phases = facts.phases
        self.left = model.config.tokens_seen * self.phases if model.config.stream else 0
        there, here = facts.model_hash, model_hash(model)
        if there != here:
            raise LinkError(
                f"Model on the board must be this one ({here.hex()}), and is {there.hex()}"
            )

    def predict(
        self,
        x,
        clock: np.ndarray | None = None,
        *,
        time: "datetime | Sequence[datetime] | None" = None,
        judged: np.ndarray | None = None,
        progress: Progress = silent,
    ) -> np.ndarray:
        """Standardised forecasts [N, horizon] of standardised float windows [N, steps, channels].

        Of a classifier, the numbers of classes [N, 1]: that of all classes for a rejected window.
        Of a detector, flags [N, 1] of windows in the order of time, after those that the board has
        judged since its reset; ``judged`` are the standardised values [N, numbers] that came. Of a
        stream, windows go as steps: those of a window that begins a patch after another are not
        sent twice.
        A model with a calendar takes the time of each window with it: as ``clock``, integers [N,
        numbers], or as ``time``, what the clock shows at the window's last step. The integers that
        travel are those of the integer reference. Raises `UserError` without the time, and
        `LinkError` if the board did not serve this client alone, or has another model by the end.
        """
        clock = self._clock(clock, time)
        windows = self._model.quantize_input(x, clock, judged)
        if self._model.config.stream:
            patches, ends = as_steps(self._model, windows, phases=self.phases)
            numbers = self._answers(patches, progress)[ends]
        else:
            numbers = self._answers(windows, progress)
        self.clipped = self._count(self._model.scaled(x), numbers)
        decision, scores = self._model.decision, self._model.results.features
        self.rejected = int((numbers == scores).sum()) if decision is not None else 0
        return self._model.dequantize_output(numbers, x)

    def step(self, patch) -> np.ndarray:
        """Send a stream its next patch [patch, channels]; return the forecast [horizon].

        Both are standardised floats. Of several phases it is the next one's: with as many as a
        patch has steps, the newest patch at each of them. ``left`` says how much of the warm-up is
        still to come. Raises `UserError` for a model that is no stream, or for what is no patch,
        and `LinkError` as `predict` does.
        """
        config = self._model.config
        if not config.stream:
            raise UserError(f"stream must be true in config {config.name} to take steps, not false")
        patch = np.asarray(patch, dtype=np.float64)
        shape = config.patch, config.inputs
        if patch.shape != shape:
            raise UserError(f"patch must have shape {shape}, not {patch.shape}")
        whole = np.zeros((config.rows_seen, config.inputs))
        whole[-config.patch :] = patch
        x = self._model.quantize_input(whole[None])[:, -config.patch :]
        numbers = self._answers(x, silent)
        self.clipped = self._count(self._model.scaled(patch[None]), numbers)
        return self._model.dequantize_output(numbers)[0]

    def _answers(self, windows: np.ndarray, progress: Progress) -> np.ndarray:
        """Return the integers of results that the board gives for those of windows, or patches."""
        results = np.empty((len(windows), self._model.output.size), dtype=np.int64)
        for number, window in enumerate(self._model.words(windows)):
            results[number] = self._client.infer(window.ravel().tolist())
            self.left = max(0, self.left - 1)
            progress(number + 1, len(windows), "asking the board")
        self._client.confirm()
        return self._model.numbers(results)

    def classify(self, x, *, progress: Progress = silent) -> list[str | None]:
        """Return the name of each window's class, its number if the model knows no names.

        It is None for a window that is rejected. Takes and raises what `predict` does; `UserError`
        for a model that is no classifier.
        """
        labels = class_labels(self._model)
        if not labels:
            raise UserError(
                "model must be a classifier to give classes, and is of task"
                f" {self._model.config.task}: ask it to predict"
            )
        numbers = self.predict(x, progress=progress)[:, 0].astype(int)
        return [(*labels, None)[number] for number in numbers]

    def _clock(self, clock, time) -> np.ndarray | None:
        """Return the numbers of the time that go with windows; None for a model without any."""
        calendar = self._model.config.calendar
        if not calendar or clock is not None:
            if time is not None:
                why = "beside clock" if calendar else "for a model without a calendar"
                raise UserError(f"time must be left out {why}, and is {time!r}")
            return clock
        if time is None:
            raise UserError(
                f"time must be given to a model with a calendar of {', '.join(calendar)}: what the"
                " clock shows at each window's last step, as a datetime, or clock=, its numbers"
            )
        return self._model.clock_at(time)

    def _count(self, x, numbers: np.ndarray) -> ClipCount:
        spec, output = self._model.input, self._model.output
        # what is less than half a step beyond is rounded to the end, and is not clipped
        ends = np.array([spec.low - 0.5, spec.high + 0.5])
        low, high = (ends - spec.zero) * 2.0**spec.exponent
        beyond = (np.asarray(x, dtype=np.float64) < low) | (x >= high)
        return ClipCount(
            readings=int(beyond.sum()),
            sent=beyond.size,
            results=int(((numbers == output.low) | (numbers == output.high)).sum()),
            received=numbers.size,
        )
