"""What is changed of training windows: how it is said, and what it comes to."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from class_harness import load, strides
from hypothesis import given
from hypothesis import strategies as st
from made_classes import make_classes
from train_harness import SHORT, TINY, comparable, files, interrupt_after

from bitformer.model.augmentation import Augmentation
from bitformer.model.augmented_windows import AugmentedWindows, augmented_windows
from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.errors import UserError
from bitformer.model.float_run import float_model
from bitformer.model.torch_predict import predict
from bitformer.model.train import train
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer

torch.set_num_threads(1)  # many workers, tiny tensors

CPU = torch.device("cpu")
CLASSES = TransformerConfig(
    name="c", task="classify", window=12, inputs=2, horizon=3, patch=4, d_model=8, ffn=16
)
ALL = "noise=0.1,scale=0.2,offset=0.3,shift=2"


@pytest.fixture(scope="module")
def classes():
    return make_classes(rows=80)


def drawn(dataset: Dataset, asked: str, seed: int = 0, times: int = 1):
    """All training windows, in order, so many times over."""
    windows = augmented_windows(asked, dataset, CPU)
    generator = torch.Generator().manual_seed(seed)
    which = torch.arange(len(dataset.train)).repeat(times)
    x, y = windows.drawn(which, generator)
    return x.numpy(), y.numpy(), which.numpy()


# What is said


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("noise=0.1", {"noise": 0.1}),
        (" shift=2 , NOISE=.5,", {"noise": 0.5, "shift": 2.0}),
        ({"scale": 1, "offset": "0.25"}, {"scale": 1.0, "offset": 0.25}),
        ("noise=0", {}),
    ],
)
def test_a_text_or_a_mapping_says_it(asked, found):
    assert Augmentation.of(asked) == Augmentation(**found)


@given(
    st.fixed_dictionaries(
        {}, optional={name: st.floats(0, 1) for name in ("noise", "scale", "offset", "shift")}
    )
)
def test_a_setting_is_one_text_however_it_was_said(asked):
    text = str(Augmentation(**asked))
    if not text:
        assert not any(asked.values())
        return
    again = Augmentation.of(text)
    for name in ("noise", "scale", "offset", "shift"):
        assert getattr(again, name) == pytest.approx(asked.get(name, 0.0), rel=1e-11)
    settings = TrainSettings(augment=asked)
    assert settings.augment == text == TrainSettings(augment=text).augment


def test_nothing_is_no_augmentation():
    assert TrainSettings(augment="noise=0").augment is None
    assert TrainSettings(augment=None).augment is None
    assert TrainSettings(augment="shift=1.50,noise=1e-1").augment == "noise=0.1,shift=1.5"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("blur=1", "augment must name noise, scale, offset, shift, not blur: say for example"),
        ("=1", "augment must name noise, scale, offset, shift, not '=1'"),
        ("noise", "augment must have a number for noise, not ''"),
        ("noise=much", "augment must have a number for noise, not 'much'"),
        ({"noise": True}, "augment must have a number for noise, not True"),
        ({"noise": None}, "augment must have a number for noise, not None"),
        ("noise=1,noise=2", "augment must have noise once, not twice"),
        ("noise=-0.1", "augment must have noise from 0 to 4, not -0.1"),
        ("noise=nan", "augment must have noise from 0 to 4, not nan"),
        ("scale=inf", "augment must have scale from 0 to 1, not inf"),
        ("shift=65", "augment must have shift from 0 to 64, not 65"),
        ("", "augment must say what changes, not ''"),
        ({}, "augment must say what changes, not {}"),
        (3, "augment must be a text such as noise=0.1, not 3"),
    ],
)
def test_what_is_no_augmentation_is_refused(asked, message):
    with pytest.raises(UserError) as error:
        TrainSettings(augment=asked)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


# What it comes to


def test_noise_is_of_each_value(classes):
    x, y, which = drawn(classes, "noise=0.25", times=20)
    added = x - classes.train.x[which].astype(np.float32)
    assert added.std() == pytest.approx(0.25, rel=0.02)
    assert added.mean() == pytest.approx(0, abs=0.005)
    # no value's is another's
    rows = added.reshape(-1, added.shape[1] * added.shape[2])
    off = np.corrcoef(rows.T) - np.eye(rows.shape[1])
    assert abs(off).max() < 0.15
    assert np.array_equal(y, classes.train.y[which])


def test_a_scale_is_of_a_whole_window(classes):
    x, y, which = drawn(classes, "scale=0.2", times=20)
    factor = x / classes.train.x[which]
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1, :1], factor.shape), rtol=1e-4)
    logs = np.log(factor[:, 0, 0])
    assert logs.std() == pytest.approx(0.2, rel=0.05)
    assert logs.mean() == pytest.approx(0, abs=0.02)
    assert np.array_equal(y, classes.train.y[which]), "a class is no number to be scaled"


def test_a_forecast_has_the_scale_of_its_window(small_dataset):
    data = small_dataset(inputs=2)
    x, y, which = drawn(data, "scale=0.2", times=3)
    factor = x[:, 0, 0] / data.train.x[which][:, 0, 0]
    assert factor.std() > 0.1
    np.testing.assert_allclose(y, data.train.y[which] * factor[:, None], rtol=1e-3, atol=1e-5)
    noisy = drawn(data, "noise=0.2")
    assert np.array_equal(noisy[1], data.train.y.astype(np.float32))


def test_an_offset_is_of_a_column_of_a_window(classes):
    x, y, which = drawn(classes, "offset=0.3", times=20)
    added = x - classes.train.x[which]
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-5)
    assert added[:, 0].std() == pytest.approx(0.3, rel=0.05)
    assert abs(np.corrcoef(added[:, 0].T)[0, 1]) < 0.1
    assert np.array_equal(y, classes.train.y[which])


def starts(dataset: Dataset, x: np.ndarray) -> np.ndarray:
    """Where among all rows each window began, by its values, which are all different."""
    rows = dataset.stretches.rows.astype(np.float32)
    first = {tuple(row): at for at, row in enumerate(rows)}
    found = np.array([first[tuple(window[0])] for window in x])
    steps = dataset.stretches.every * np.arange(x.shape[1])
    assert np.array_equal(rows[found[:, None] + steps], x)
    return found


def test_a_shift_goes_as_far_as_it_says_and_no_further_than_the_stretch(classes):
    x, y, which = drawn(classes, "shift=3", times=30)
    moved = starts(classes, x) - classes.train.begin[which]
    assert set(moved.tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    low, high = classes.stretches.limits(classes.train.begin, 12)[1:]
    found = starts(classes, x)
    assert (found >= low[which]).all()
    assert (found <= high[which]).all()
    assert np.array_equal(y[:, 0], classes.train.label[which])
    free = (classes.train.begin - low >= 3) & (high - classes.train.begin >= 3)
    shares = np.bincount(moved[free[which]] + 3) / free[which].sum()
    assert shares == pytest.approx([1 / 7] * 7, abs=0.03)


def test_a_shift_reaches_rows_that_are_left_out(tmp_path):
    data = load(strides(tmp_path, rows=120), files="{group}_{label}.csv", every=3, stride=2)
    rows = data.stretches.rows
    rows += 1e-4 * np.arange(rows.size).reshape(rows.shape)  # all different
    x, _, which = drawn(data, "shift=1", times=9)
    moved = starts(data, x) - data.stretches.place[data.train.begin][which]
    assert set(moved.tolist()) == {-3, -2, -1, 0, 1, 2, 3}


def test_each_epoch_and_seed_draws_anew(classes):
    first, again, other = (drawn(classes, ALL, seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    windows = augmented_windows(ALL, classes, CPU)
    which = torch.arange(5)
    generator = torch.Generator().manual_seed(0)
    assert not torch.equal(windows.drawn(which, generator)[0], windows.drawn(which, generator)[0])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = windows.drawn(torch.arange(len(classes.train)))[0]
    assert np.array_equal(own.numpy(), first), "torch's own numbers are those of a generator"


# In training


def test_only_training_windows_change(classes, tmp_path):
    """The validation error is that of windows as they are, and so is what scales are taken from."""
    settings = SHORT | {"augment": ALL, "batch": 16}
    run = train(CLASSES, classes, run_dir=tmp_path, **settings)
    plain = train(CLASSES, classes, run_dir=tmp_path / "plain", **SHORT | {"batch": 16})
    assert run.settings["augment"] == ALL
    assert run.history != plain.history
    scores = predict(float_model(tmp_path, CLASSES).float(), classes.val.x)
    logs = torch.from_numpy(scores).log_softmax(1).numpy()
    error = -logs[np.arange(len(logs)), classes.val.label].mean()
    assert run.float_val == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("task", ["classify", "forecast"])
def test_a_resumed_run_is_the_unbroken_one(task, classes, small_dataset, monkeypatch, tmp_path):
    config, data, asked = {
        "classify": (CLASSES, classes, ALL),
        "forecast": (TINY, small_dataset(), "noise=0.1,scale=0.1"),
    }[task]
    settings = SHORT | {"augment": asked, "distill": 0.5}
    whole = train(config, data, run_dir=tmp_path / "whole", **settings)
    for epochs in (1, 3):  # once in floats, and once with rounding
        with monkeypatch.context() as patch:
            interrupt_after(patch, epochs)
            with pytest.raises(KeyboardInterrupt):
                train(config, data, run_dir=tmp_path / "broken", **settings)
    again = train(config, data, run_dir=tmp_path / "broken", **settings)
    assert comparable(again) == comparable(whole)
    assert files(tmp_path / "broken") == files(tmp_path / "whole")


def test_the_teacher_sees_the_windows_that_are_learned_from(small_dataset):
    data = small_dataset()
    settings = TrainSettings(epochs=1, qat_epochs=1, batch=32, distill=0.5, augment="noise=0.3")
    run = Trainer(TINY, data, settings, CPU)
    run.run_epoch()
    run.next_stage()
    batch = torch.arange(8)
    seen = run.draw(batch, torch.Generator().manual_seed(5))
    assert not torch.equal(seen.x, run.x[batch])
    assert run.taught is None
    assert not seen.taught.requires_grad
    with torch.no_grad():
        again, clean = run.teacher(seen.x), run.teacher(run.x[batch])
    assert torch.equal(seen.taught, again)
    assert float((clean - again).abs().max()) > 1e-3


def test_a_run_before_there_was_augmentation_goes_on(small_dataset, tmp_path):
    data, run = small_dataset(), tmp_path / "run"
    first = train(TINY, data, run_dir=run, **SHORT)
    record = json.loads((run / "run.json").read_text())
    assert record["settings"].pop("augment", "missing") is None
    (run / "run.json").write_text(json.dumps(record))
    assert comparable(train(TINY, data, run_dir=run, **SHORT)) == comparable(first)
    with pytest.raises(UserError, match="difference in settings"):
        train(TINY, data, run_dir=run, **SHORT | {"augment": "noise=0.1"})


# What means nothing is refused


@pytest.mark.parametrize(
    ("asked", "change", "message"),
    [
        ("shift=1", {}, "augment must not have shift with task forecast"),
        ("offset=1", {}, "augment must not have offset with task forecast"),
        ("noise=1", {"adc": True}, "augment must be left out with --raw"),
        ("scale=0.1", {"sense": True}, "augment must not have scale where x0 is no input"),
    ],
)
def test_forecasters_refuse_what_means_nothing(asked, change, message, small_dataset, tmp_path):
    config, data = TINY.replace(subtract_last=False), small_dataset()
    if "adc" in change:
        config = config.replace(adc_words=True, input_bits=12, output_bits=12)
    if "sense" in change:
        data = dataclasses.replace(data, target_channel=None)
    with pytest.raises(UserError) as error:
        train(config, data, run_dir=tmp_path / "run", augment=asked, **SHORT)
    assert str(error.value).startswith(message)
    assert not (tmp_path / "run").exists(), "refused before there is a run"


def test_classifiers_refuse_what_means_nothing(classes, tmp_path):
    differences = CLASSES.replace(subtract_last=True)
    with pytest.raises(UserError, match=r"^augment must not have offset with subtract_last"):
        train(differences, classes, run_dir=tmp_path, augment="offset=0.1", **SHORT)
    loose = dataclasses.replace(classes, stretches=None)
    with pytest.raises(UserError, match=r"^augment must not have shift with made"):
        train(CLASSES, loose, run_dir=tmp_path, augment="shift=1", **SHORT)


def test_a_mutant_that_leaves_the_stretch_is_noticed(classes, monkeypatch):
    own = AugmentedWindows.__init__

    def free(self, *args):
        own(self, *args)
        self._low = (self._low - 1).clamp(min=0)

    monkeypatch.setattr(AugmentedWindows, "__init__", free)
    with pytest.raises(AssertionError):
        test_a_shift_goes_as_far_as_it_says_and_no_further_than_the_stretch(classes)
