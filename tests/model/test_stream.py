"""Streams: steps with rings, windows and torch give the same numbers, whenever a stream begins."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from design_strategies import several, streams
from hypothesis import given, reject
from hypothesis import strategies as st

from bitformer.model.calibrate import calibrate
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.export import export
from bitformer.model.initialize import initialize
from bitformer.model.ir import SlidingAttend, SlidingScores
from bitformer.model.recent import RECENT
from bitformer.model.reference import run
from bitformer.model.restore import restored
from bitformer.model.stream import Stream, StreamSteps, as_steps, predict
from bitformer.model.transformer import Transformer

torch.set_num_threads(1)  # many workers, tiny tensors

SMALL = TransformerConfig(
    name="small",
    causal=True,
    stream=True,
    position="relative",
    window=8,
    patch=2,
    horizon=3,
    d_model=8,
    heads=2,
    ffn=8,
    layers=2,
    subtract_last=True,
    linear_path=True,
    input_bits=12,
    output_bits=12,
)


def numbers(model, steps, *, streams=1, seed=0):
    """Patches of a walk that now and then leaves the range, [steps, streams, patch, channels]."""
    rng, spec = np.random.default_rng(seed), model.input
    size = steps * model.config.patch, streams, spec.features
    walk = rng.normal(0, spec.high / 8, size).cumsum(axis=0) + rng.normal(0, spec.high / 8, size)
    found = np.clip(walk.round(), spec.low, spec.high).astype(np.int64)
    return found.reshape(steps, model.config.patch, streams, -1).swapaxes(1, 2)


def as_window(patches):
    """Patches [steps, streams, patch, channels] as windows [streams, rows, channels]."""
    steps, streams, patch, channels = patches.shape
    return patches.swapaxes(0, 1).reshape(streams, steps * patch, channels)


def newest(model, stream, name, whole):
    """Of a tensor over a window, what a step has of it: its last rows; logits by slots."""
    step = stream.values[name]
    if isinstance(model.writers.get(name), SlidingScores):
        heads, slots = step.shape[1:]
        found = np.full_like(step, model.tensors[name].low)
        keys = whole.shape[2]
        for slot, age in enumerate(stream.ages):
            if age < slots:
                found[:, :, slot] = whole[:, -heads:, keys - 1 - age]
        return found
    return whole[:, whole.shape[1] - step.shape[1] :]


def differing(model, stream, values):
    """Names of tensors whose newest rows in windows are not those of the stream's step."""
    steps, patch = values[model.steps.name], stream.form.tensors[model.steps.name].size
    copies = steps.reshape(len(steps), -1, patch)
    values = {**values, RECENT: np.pad(copies, [(0, 0), (0, 0), (0, patch % 2)])}
    return {
        name
        for name, step in stream.values.items()
        if not np.array_equal(newest(model, stream, name, values[name]), step)
    }


def equal_windows(model, patches, stream=None):
    """Steps at which a stream and the window that ends there differ, once the rings are full."""
    seen, stream = model.config.tokens_seen, stream or Stream(model, streams=patches.shape[1])
    found = []
    for step, patch in enumerate(patches):
        stream.step(patch)
        if stream.left:
            continue
        window = as_window(patches[step + 1 - seen : step + 1])
        if not np.array_equal(run(model, window)["output"], stream.values["output"]):
            found.append(step)
    return found


def trained(config, seed):
    """A model some steps into training with rounding, and its integers."""
    torch.manual_seed(seed)
    model = Transformer(config)
    x = 0.3 * torch.randn(16, config.rows_seen, config.inputs).cumsum(dim=1)
    y = torch.randn(16, config.outputs)
    model(x)
    calibrate(model, x, y)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(2):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    try:
        return model.eval(), export(model)
    except UserError:
        reject()  # so small a model can want a scale that the accelerator does not have


def check(config, seed):
    """In torch, which sees all patches so far at once, as in a step; windows once all is there."""
    model, integer = trained(config, seed)
    seen = config.tokens_seen
    patches = numbers(integer, seen + config.tokens + 2, streams=3, seed=seed)
    stream = Stream(integer, streams=3)
    for step, patch in enumerate(patches):
        forecast = stream.step(patch)
        trace: dict[str, torch.Tensor] = {}
        so_far = as_window(patches[: step + 1]) * 2.0**integer.input.exponent
        with torch.no_grad():
            model(torch.from_numpy(so_far), trace)
        assert not differing(integer, stream, {n: one.numpy() for n, one in trace.items()})
        assert stream.left == max(0, seen - 1 - step)
        if not stream.left:
            window = as_window(patches[step + 1 - seen : step + 1])
            assert np.array_equal(run(integer, window)["output"], forecast)
    with torch.no_grad():
        again = restored(integer)(torch.from_numpy(so_far), trace)
    assert not differing(integer, stream, {n: one.numpy() for n, one in trace.items()})
    assert again.shape == (3, config.outputs)


CASES = {"config": streams(), "seed": st.integers(0, 100)}


@several(25)
@given(**CASES)
def test_every_tensor_of_a_step_is_that_of_torch(**case):
    check(**case)


@pytest.mark.slow
@several(300)
@given(**CASES)
def test_every_tensor_of_steps_of_many_models_is_that_of_torch(**case):
    check(**case)


@pytest.mark.parametrize("name", ["etth1-96-24-stream", "grid-12-32-4-stream"])
def test_a_long_stream_with_a_reset_in_the_middle(name):
    """Windows cut out of it anywhere give the same; after a reset, as from the beginning."""
    model = initialize(named_config(name), seed=3)
    patches = numbers(model, 10_000 if name.startswith("grid") else 400)
    seen, stream, found = model.config.tokens_seen, Stream(model), []
    for step, patch in enumerate(patches):
        if step == len(patches) // 2:
            stream.reset()
            assert stream.left == seen
        found.append(stream.step(patch))
    half = len(patches) // 2
    cut = {seen - 1, seen, half - 1, half + seen - 1, len(patches) - 1}
    cut |= set(np.random.default_rng(0).integers(half + seen, len(patches), 40).tolist())
    for step in cut:
        window = as_window(patches[step + 1 - seen : step + 1])
        assert np.array_equal(run(model, window)["output"], found[step])
    anew = Stream(model)
    assert all(np.array_equal(anew.step(patches[half + k]), found[half + k]) for k in range(60))


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"layers": 1}, 8),
        ({"layers": 2}, 11),
        ({"layers": 1, "pooling": "last"}, 5),
        ({"layers": 2, "pooling": "mean", "subtract_last": False}, 10),
        ({"layers": 3, "window": 2}, 2),
        ({"layers": 1, "window": 2, "pooling": "last", "subtract_last": False}, 1),
    ],
    ids=str,
)
def test_a_forecast_depends_on_so_many_patches_and_no_more(changes, seen):
    config = SMALL.replace(linear_path=False, **changes)
    assert (config.tokens_seen, config.rows_seen) == (seen, 2 * seen)
    model = initialize(config, seed=1)
    patches = numbers(model, seen + 1, streams=200)

    def last(changed):
        stream = Stream(model, streams=200)
        return [stream.step(patch) for patch in changed][-1]

    other = patches.copy()
    other[0] = patches[0, ::-1]
    assert np.array_equal(last(patches), last(other))
    other = patches.copy()
    # of the patch in front, which is subtracted, the last step alone matters
    other[1, :, -1] = other[1, ::-1, -1]
    assert not np.array_equal(last(patches), last(other))


class _RingOffByOne(Stream):
    def _keep(self, name, slot):
        super()._keep(name, (slot + (name == "layers.1.k")) % self.form.slots)


class _StaleKey(Stream):
    def _keep(self, name, slot):
        if not (name == "layers.0.v" and self.steps % 7 == 3):
            super()._keep(name, slot)


class _HeadOutOfOrder(Stream):
    def _in_order(self, name):
        found = super()._in_order(name)
        return np.roll(found, 1, axis=1) if name == "layers.1.norm2" else found


class _PatchTooOld(Stream):
    """The linear path reads a ring that is a patch behind."""

    def _in_order(self, name):
        found = super()._in_order(name)
        return np.roll(found, 1, axis=1) if name == RECENT else found


class _StalePatch(Stream):
    def _keep(self, name, slot):
        if not (name == RECENT and self.steps % 7 == 3):
            super()._keep(name, slot)


class _OldLast(Stream):
    def step(self, patch):
        before = self._before
        found = super().step(patch)
        self._before = self._before if before is None else before
        return found


MUTANTS = [_RingOffByOne, _StaleKey, _HeadOutOfOrder, _PatchTooOld, _StalePatch, _OldLast]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_a_wrong_ring_changes_is_seen(mutant):
    model = initialize(SMALL, seed=1)
    patches = numbers(model, 30)
    assert not equal_windows(model, patches)
    assert equal_windows(model, patches, mutant(model))


def test_a_token_too_old_is_seen():
    """A mask that is a token too wide, in windows, is not what a ring holds."""
    model = initialize(SMALL, seed=1)

    def wider(op):
        if isinstance(op, SlidingScores):
            return replace(op, bias=np.append(op.bias, op.bias[:, -1:], axis=1))
        return replace(op, reach=op.reach + 1) if isinstance(op, SlidingAttend) else op

    wide = replace(model, operations=tuple(map(wider, model.operations)))
    patches = numbers(model, 30)
    assert equal_windows(wide, patches, Stream(model))


def test_windows_a_row_apart_go_on_with_their_streams(monkeypatch):
    model = initialize(SMALL, seed=1)
    config, steps = model.config, []
    x = np.random.default_rng(0).normal(size=(40, 1)).cumsum(axis=0)
    windows = np.stack([x[n : n + config.rows_seen] for n in range(40 - config.rows_seen)])
    taken = Stream.step
    monkeypatch.setattr(Stream, "step", lambda self, x: steps.append(1) or taken(self, x))
    whole = model.dequantize_output(run(model, model.quantize_input(windows))["output"])
    assert np.array_equal(predict(model, windows), whole.reshape(len(windows), -1))
    # as many streams as phases of a patch begin, all others go on
    assert len(steps) == config.patch * config.tokens_seen + len(windows) - config.patch
    assert predict(model, windows[:0]).shape == (0, 3)


@pytest.mark.parametrize("phases", [1, 2, 3, 7])
def test_windows_go_to_phases_in_turn(phases):
    """Wherever their patches go, the step that ends a window forecasts what the window does."""
    model = initialize(SMALL, seed=1)
    seen, rng = model.config.rows_seen, np.random.default_rng(1)
    x = numbers(model, 20).reshape(-1, 1)
    starts = [*rng.permutation(len(x) - seen)[:6], 2, 4, 6]
    windows = np.stack([x[start : start + seen] for start in starts])
    patches, ends = as_steps(model, windows, phases=phases)
    taken = StreamSteps(model, patches, phases=phases).values(patches)["output"]
    assert np.array_equal(taken[ends], run(model, windows)["output"])
    assert len({*ends.tolist()}) == len(windows)
    # phases share the work: none has more steps than all but the longest stream of another
    assert len(patches) <= phases * (len(windows) // phases + 3) * model.config.tokens_seen


def test_after_a_reset_the_first_phase_takes_the_next_patch():
    model = initialize(SMALL, seed=1)
    patches = numbers(model, 11)[:, 0]
    steps = StreamSteps(model, patches, [7], phases=3)
    found = np.concatenate([steps.values(part)["output"] for part in (patches[:5], patches[5:])])
    for own in [*(range(first, 7, 3) for first in range(3)), *(range(n, 11, 3) for n in (7, 8, 9))]:
        stream = Stream(model)
        for number in own:
            assert np.array_equal(found[number], stream.step(patches[number][None])[0])


def test_a_stream_is_the_same_from_a_file(tmp_path):
    model = initialize(SMALL, seed=1)
    save_model(model, tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.config == SMALL
    patches = numbers(model, 20)
    one, other = Stream(model), Stream(again)
    assert all(np.array_equal(one.step(patch), other.step(patch)) for patch in patches)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (np.zeros((1, 3, 1), int), r"^patch must have shape \(1, 2, 1\), not \(1, 3, 1\)$"),
        (np.zeros((1, 2, 1)), r"^patch must be integers, not float64$"),
        (np.full((1, 2, 1), 5000), r"^patch must be within -2048\.\.2047, not 5000\.\.5000$"),
    ],
)
def test_what_is_no_patch_is_refused(patch, message):
    stream = Stream(initialize(SMALL, seed=1))
    with pytest.raises(UserError, match=message):
        stream.step(patch)
    assert stream.steps == 0


def test_a_model_that_is_no_stream_is_refused():
    with pytest.raises(UserError, match=r"^stream must be true in config tiny to run by steps, no"):
        Stream(initialize(named_config("tiny"), samples=8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"causal": False}, r"^causal must be true with stream, as no token comes back for what"),
        ({"block": "mlp", "causal": False}, r"^causal must be true with stream"),
        ({"block": "mixer"}, r"^causal must be false with block mixer, not true: a mask is one of"),
        ({"position": "learned"}, r"^position must be relative with stream, as a token has an"),
        ({"stream": False}, r"^position must be sinusoidal or learned without stream, not relati"),
        ({"task": "classify"}, r"^task must be forecast with stream, as steps give forecasts"),
        ({"calendar": ("hour",)}, r"^calendar must be empty with stream, as the time is that of"),
        ({"window": 200, "layers": 3}, r"^window / patch must be fewer than 100 tokens with stre"),
        ({"asymmetric": True}, r"^asymmetric must be false with stream, not true: rows that are"),
        ({"stream": "yes"}, r"^stream must be one of \(False, True\), not 'yes'$"),
    ],
    ids=str,
)
def test_a_stream_that_there_is_not(changes, message):
    with pytest.raises(UserError, match=message):
        SMALL.replace(**changes)


def test_a_causal_encoder_beside_a_decoder_is_refused():
    config = named_config("etth1-48-24-ed")
    with pytest.raises(UserError, match=r"^causal must be false with a decoder, which reads the"):
        config.replace(causal=True)
