"""The integer model of a stream by steps: a patch in, a forecast out, nothing old computed twice.

What a step needs of older ones lies in rings, where the newest takes the oldest one's slot: keys
and values of each attention, the rows that the head reads, and the step before the patch. A stream
begins with empty rings: keys that are not there do not count, rows that are not there are 0, and
what is subtracted of the first patch is its own last step. After :attr:`Stream.left` steps no
number depends on that any more: forecasts are those of :func:`bitformer.model.reference.run` for
the window that ends there, bit for bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitformer.model.errors import UserError
from bitformer.model.ir import IntegerModel
from bitformer.model.operations.operation import StepForm
from bitformer.model.operations.rings import AGES, BEFORE
from bitformer.model.progress import Progress, silent
from bitformer.model.recent import kept_patches
from bitformer.model.tensor import Tensor

__all__ = [
    "MOST_PHASES",
    "StepModel",
    "Stream",
    "StreamStep",
    "StreamSteps",
    "as_steps",
    "predict",
    "step_of",
]

#: Streams that may take steps in turn: the steps of a patch, or so many sensors.
MOST_PHASES = 64


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
        form = op.at_step(own, model.tensors[op.y], config.tokens_seen)
        added = [form]
        if model.steps.name in form.rings:
            added = [*kept_patches(form, own)]
        forms += added
        tensors |= {one.operation.y: one.y for one in added}
    rings = {name: rows for form in forms for name, rows in form.rings.items()}
    return StreamStep(forms=tuple(forms), tensors=tensors, rings=rings, slots=config.tokens)


@dataclass(frozen=True, kw_only=True, eq=False)
class StepModel(IntegerModel):
    """A step of a stream as a model of its own, for hardware: a window of it is a patch.

    Tensors of which rings hold rows have all of these. It follows from ``source``, which was
    checked.

    Parameters
    ----------
    source : the model of the stream.
    forms : of each operation its form, by the tensor that it writes.
    rings : rows of each ring, by its tensor.
    phases : streams that take steps in turn, each with rings of its own.
    """

    source: IntegerModel
    forms: Mapping[str, StepForm]
    rings: Mapping[str, int]
    phases: int = 1

    def __post_init__(self):
        """Check nothing: a row that is written is one of a ring's."""

    @property
    def identified(self) -> IntegerModel:
        return self.source

    @classmethod
    def of(cls, model: IntegerModel, *, phases: int = 1) -> "StepModel":
        """Return the step of a stream; raise :class:`UserError` for a model that is none."""
        step = step_of(model)
        if not 1 <= phases <= MOST_PHASES:
            raise UserError(f"phases must be from 1 to {MOST_PHASES}, not {phases}")
        # a ring of one row is that row
        rings = {n: rows for n, rows in step.rings.items() if rows > step.tensors[n].rows}
        tensors = {n: replace(one, rows=rings.get(n, one.rows)) for n, one in step.tensors.items()}
        return cls(
            config=model.config,
            tensors=tensors,
            operations=tuple(form.operation for form in step.forms),
            meta=model.meta,
            source=model,
            forms={form.operation.y: form for form in step.forms},
            rings=rings,
            phases=phases,
        )


class Stream:
    """One or several streams of a model, from empty rings on; several go in step.

    Parameters
    ----------
    model : its configuration has ``stream``.
    streams : how many.

    Raises
    ------
    UserError
        For a model that is no stream.
    """

    def __init__(self, model: IntegerModel, *, streams: int = 1):
        self.model, self.streams = model, streams
        self.form = step_of(model)
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


class StreamSteps:
    """The steps of a stream from a reset on, with every tensor of each, some at a time.

    Parameters
    ----------
    model : of the stream.
    patches : integers [N, patch, channels].
    resets : numbers of patches before which it is reset.
    phases : streams that take the patches in turn, the first one after a reset.

    Raises
    ------
    UserError
        For a model that is no stream, or what are no patches of it.
    """

    def __init__(
        self,
        model: IntegerModel,
        patches: np.ndarray,
        resets: Sequence[int] = (),
        *,
        phases: int = 1,
    ):
        self._streams = [Stream(model) for _ in range(phases)]
        self._resets, self._taken, self._turn = frozenset(resets), 0, 0
        for extreme in (patches.min(axis=0), patches.max(axis=0)):
            self._streams[0].step(extreme[None])  # refuses what is no patch
        self._reset()

    def _reset(self) -> None:
        """Begin anew: all rings are empty, and the first stream takes the next patch."""
        self._turn = 0
        for stream in self._streams:
            stream.reset()

    def values(self, patches: np.ndarray) -> dict[str, np.ndarray]:
        """Return every tensor of the next steps, int64 [steps, rows, features], by name."""
        found = []
        for patch in patches:
            if self._taken in self._resets:
                self._reset()
            stream = self._streams[self._turn]
            stream.step(patch[None])
            self._taken, self._turn = self._taken + 1, (self._turn + 1) % len(self._streams)
            found.append(stream.values)
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def as_steps(
    model: IntegerModel, windows: np.ndarray, *, phases: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return patches of a stream, and the number of the step that ends each of some windows.

    ``windows`` are integers [N, steps, channels]; the patches are [M, patch, channels]. A window
    that begins a patch after another one takes a step more; others take all of their patches, with
    which rings hold nothing else. Of several ``phases``, which take the patches in turn, each has
    some of the windows; where one has nothing more to do, its last patch comes again.
    """
    patch = model.config.patch
    chains: list[list[int]] = []
    ends: dict[bytes, int] = {}
    for number, window in enumerate(windows):
        place = ends.pop(window[:-patch].tobytes(), len(chains))
        if place == len(chains):
            chains.append([])
        chains[place].append(number)
        ends[window[patch:].tobytes()] = place
    each = len(windows[0]) // patch if len(windows) else 0
    turns: list[list[np.ndarray]] = [[] for _ in range(phases)]
    places = np.zeros(len(windows), np.int64)
    taken = [0] * phases
    for chain in chains:
        turn = taken.index(min(taken))
        first = windows[chain[0]]
        turns[turn] += [first.reshape(each, patch, -1), windows[chain[1:], -patch:]]
        steps = taken[turn] + each - 1 + np.arange(len(chain))
        places[chain] = steps * phases + turn
        taken[turn] += each - 1 + len(chain)
    patches = np.zeros((max(taken), phases, patch, model.input.features), np.int64)
    for turn, own in enumerate(turns):
        if own:
            patches[: taken[turn], turn] = np.concatenate(own)
            patches[taken[turn] :, turn] = patches[taken[turn] - 1, turn]
    return patches.reshape(-1, *patches.shape[2:]), places


def predict(model: IntegerModel, x, *, progress: Progress = silent) -> np.ndarray:
    """Return forecasts [N, outputs] of windows [N, steps, channels] by steps, standardised floats.

    They go through one stream as :func:`as_steps` says, and the forecasts are those of
    :func:`bitformer.model.reference.predict`. ``progress`` counts steps. Raises :class:`UserError`
    for a model that is no stream.
    """
    stream = Stream(model)
    patches, places = as_steps(model, model.quantize_input(x))
    found = np.zeros((len(patches), model.results.size), np.int64)
    for number, patch in enumerate(patches):
        found[number] = stream.step(patch[None]).ravel()
        progress(number + 1, len(patches), "steps")
    return model.dequantize_output(found[places])
