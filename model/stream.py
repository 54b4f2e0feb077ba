"""The integer model of a stream by steps: a patch in, a forecast out, nothing old computed twice.

What a step needs of older ones lies in rings, where the newest takes the oldest one's slot: keys
and values of each attention, the rows that the head reads, and the step before the patch. A stream
begins with empty rings: keys that are not there do not count, rows that are not there are 0, and
what is subtracted of the first patch is its own last step. After :attr:`Stream.left` steps no
number depends on that any more: forecasts are those of :func:`bitformer.model.reference.run` for
the window that ends there, bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.operation import StepForm
from bitformer.model.operations.rings import AGES, BEFORE
from bitformer.model.progress import Progress, silent
from bitformer.model.tensor import Tensor

__all__ = ["Stream", "StreamStep", "predict", "step_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamStep:
    """A step's computation.

    Parameters
    ----------
    forms : operations in order, each of the newest token.
    tensors : what each writes, by name: the newest token's rows; logits have a row for each head.
    rings : rows that readers have of a tensor, newest ones of older steps among them, by its name.
    slots : tokens of a ring.
    """

    forms: tuple[StepForm, ...]
    tensors: Mapping[str, Tensor]
    rings: Mapping[str, int]
    slots: int

    def seen(self, form: StepForm) -> Mapping[str, Tensor]:
        """Return the tensors as an operation has them, with the rings that it reads."""
        rings = {n: replace(self.tensors[n], rows=rows) for n, rows in form.rings.items()}
        return {**self.tensors, **rings}


def step_of(model: IntegerModel) -> StreamStep:
    """Return what a step of a stream computes.

    Raises :class:`UserError` for a model that is none.
    """
    config = model.config
    if not config.stream:
        raise UserError(
            f"stream must be true in config {config.name} to run by steps, not false: choose one"
            " such as etth1-96-24-stream"
        )
    tensors = {"input": replace(model.input, rows=config.patch)}
    forms: list[StepForm] = []
    for op in model.operations:
        own = tensors[op.reads[0]]
        forms.append(op.at_step(own, model.tensors[op.y], config.tokens_seen))
        tensors[op.y] = forms[-1].y
    rings = {name: rows for form in forms for name, rows in form.rings.items()}
    return StreamStep(forms=tuple(forms), tensors=tensors, rings=rings, slots=config.tokens)


class Stream:
    """One or several streams of a model, from empty rings on; several go in step.

    Parameters
    ----------
    model : its configuration has ``stream``.
    streams : how many.
    form : of its step, if that is known.

    Raises
    ------
    UserError
        For a model that is no stream.
    """

    def __init__(self, model: IntegerModel, *, streams: int = 1, form: StreamStep | None = None):
        self.model, self.streams = model, streams
        self.form = form or step_of(model)
        self.reset()

    def reset(self) -> None:
        """Begin anew, with empty rings."""
        form = self.form
        #: Steps since the reset.
        self.steps = 0
        #: Every tensor of the last step by name, int64 [streams, rows, features].
        self.values: dict[str, np.ndarray] = {}
        self._rings = {
            name: np.zeros((self.streams, rows, form.tensors[name].features), np.int64)
            for name, rows in form.rings.items()
        }
        self._before: np.ndarray | None = None

    @property
    def left(self) -> int:
        """Steps until no forecast depends on empty rings, or on what came before a reset."""
        return max(0, self.model.config.tokens_seen - self.steps)

    @property
    def ages(self) -> np.ndarray:
        """How many steps ago each slot of a ring was written, int64 [slots]; ``slots`` if never."""
        slots = self.form.slots
        ages = (self.steps - 1 - np.arange(slots)) % slots
        return np.where(ages < self.steps, ages, slots)

    def step(self, patch) -> np.ndarray:
        """Take a patch, integers [streams, patch, channels]; return results as those of a window.

        They are int64 [streams, rows, features]. Raises :class:`UserError` for what is no patch.
        """
        x, spec = np.asarray(patch), self.form.tensors["input"]
        if x.shape != (self.streams, *spec.shape):
            raise UserError(f"patch must have shape {(self.streams, *spec.shape)}, not {x.shape}")
        if x.dtype.kind not in "iu":
            raise UserError(f"patch must be integers, not {x.dtype}")
        if x.min() < spec.low or x.max() > spec.high:
            raise UserError(
                f"patch must be within {spec.low}..{spec.high}, not {x.min()}..{x.max()}"
            )
        slot, self.steps = self.steps % self.form.slots, self.steps + 1
        self.values = {"input": x.astype(np.int64)}
        self._keep("input", slot)
        last = self.values["input"][:, -1:]
        state = {AGES: self.ages, BEFORE: last if self._before is None else self._before}
        for form in self.form.forms:
            name = form.operation.y
            self.values[name] = self._run(form, state)
            self._keep(name, slot)
        self._before = last
        return self.values[self.model.results.name]

    def _run(self, form: StepForm, state: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return what an operation makes of the step's values and the rings that it reads."""
        values = {**self.values, **state}
        for name in form.rings:
            values[name] = self._in_order(name) if form.ordered else self._rings[name]
        return form.operation.run(values, self.form.seen(form))

    def _in_order(self, name: str) -> np.ndarray:
        """Return the rows of a ring from the oldest to the newest."""
        ring, slots = self._rings[name], self.form.slots
        each = ring.shape[1] // slots
        return np.roll(ring, -(self.steps % slots) * each, axis=1)

    def _keep(self, name: str, slot: int) -> None:
        """Put a tensor's newest rows into its ring, if it has one."""
        if name in self._rings:
            rows = self.values[name]
            each = rows.shape[1]
            self._rings[name][:, slot * each : (slot + 1) * each] = rows


def predict(model: IntegerModel, x, *, progress: Progress = silent) -> np.ndarray:
    """Return forecasts [N, outputs] of windows [N, steps, channels] by steps, standardised floats.

    A window that begins a patch after another one goes on with its stream, which takes one step;
    others begin anew. The forecasts are those of :func:`bitformer.model.reference.predict`.
    ``progress`` counts windows. Raises :class:`UserError` for a model that is no stream.
    """
    form = step_of(model)
    q, patch = model.quantize_input(x), model.config.patch
    found = np.zeros((len(q), model.results.size), np.int64)
    known: dict[bytes, Stream] = {}
    for number, window in enumerate(q):
        stream = known.pop(window[:-patch].tobytes(), None)
        patches = window[None, None, -patch:]
        if stream is None:
            stream = Stream(model, form=form)
            patches = window.reshape(-1, 1, patch, window.shape[1])
        for one in patches:
            found[number] = stream.step(one).ravel()
        known[window[patch:].tobytes()] = stream
        progress(number + 1, len(q), "windows")
    return model.dequantize_output(found)
