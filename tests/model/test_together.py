"""Trainings whose steps are taken together: each is, bit for bit, what it is alone."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from design_strategies import configs, several
from hypothesis import given, reject
from made_classes import make_classes
from train_harness import SHORT, TERNARY, TINY, WITH_PATH, comparable, files, interrupt_after

from bitformer.model import together, trainer
from bitformer.model import train as module
from bitformer.model.calendar import ROWS
from bitformer.model.config import TransformerConfig
from bitformer.model.errors import TrainingDivergedError, UserError
from bitformer.model.precision import Precision
from bitformer.model.products import affine_of_each
from bitformer.model.run_store import RunStore
from bitformer.model.stages import without_training
from bitformer.model.train import train, train_together
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer

CPU = torch.device("cpu")
BINARY = Precision(weights=1, activations=8)
POWERS = Precision(weights=4, activations=4, scheme="power-of-two")
torch.set_num_threads(1)  # many workers, tiny tensors


@pytest.fixture(scope="session")
def data_of(small_dataset):
    """:func:`data`, to be called with a configuration."""
    return lambda config: data(config, small_dataset)


def data(config, make):
    """Windows for ``config``, at times that go through every row of its tables."""
    sizes = {name: getattr(config, name) for name in ("window", "horizon", "inputs")}
    found = make(**sizes, rows=40)
    if not config.calendar:
        return found
    length = len(found.train.target)
    times = np.stack([np.arange(length) * 5 % ROWS[name] for name in config.calendar], axis=1)
    parts = {
        name: dataclasses.replace(getattr(found, name), calendar=config.calendar, times=times)
        for name in ("train", "val", "test")
    }
    return dataclasses.replace(found, **parts)


def trainers(config, dataset, count=3, **settings):
    settings = {"epochs": 1, "qat_epochs": 1, "batch": 16, **settings}
    made = [TrainSettings(seed=seed, **settings) for seed in range(count)]
    return [Trainer(config, dataset, one.fitted(len(dataset.train)), CPU) for one in made]


def everything(run):
    """All that a run saves, as plain data."""

    def plain(value):
        if isinstance(value, torch.Tensor):
            return value.tolist()
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    return plain(run.state_dict())


def check(config, dataset, **settings):
    """Train three seeds to the end, alone and together."""
    alone, joined = (trainers(config, dataset, **settings) for _ in range(2))
    while not alone[0].finished:
        if alone[0].stage_over:
            for one in (*alone, *joined):
                one.next_stage()
            continue
        kinds = {together.company(one) for one in joined}
        assert len(kinds) == 1
        for one in alone:
            one.run_epoch()
        if None in kinds:
            for one in joined:
                one.run_epoch()
        else:
            assert together.run_epoch(joined) == [None] * 3
        assert [everything(one) for one in joined] == [everything(one) for one in alone]
    assert len({repr(everything(one)["model"]) for one in alone}) == 3
    return kinds


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"calendar": ("hour", "weekday"), "block": "mixer", "activation": "gelu"},
        {"norm": "batch", "pooling": "mean", "linear_path": False, "position": "sinusoidal"},
        {"decoder_layers": 1, "linear_path": False, "subtract_last": False, "horizon": 8},
        {
            "weight_scales": "tensor",
            "pre_norm": True,
            "default": Precision(weights=1, activations=8),
        },
        {
            "default": Precision(weights=4, activations=4, scheme="power-of-two"),
            "calendar": ("hour",),
        },
        {"precision": {"FFN": Precision(weights=32, activations=32)}},
    ],
    ids=lambda change: "-".join(map(str, change)) or "tiny",
)
def test_seeds_together_are_what_they_are_alone(change, data_of):
    """Weights, averages, optimizers and errors, after each epoch with rounding and without."""
    config = WITH_PATH.replace(**change)
    augment = None if "calendar" in change else "noise=0.1,scale=0.1"
    assert check(config, data_of(config), distill=0.25, augment=augment) != {None}


def test_augmented_classes_together_are_what_they_are_alone():
    config = TransformerConfig(
        name="c", task="classify", window=12, inputs=2, horizon=3, patch=4, d_model=8, ffn=16
    )
    augment = "noise=0.1,scale=0.1,offset=0.1,shift=2"
    assert check(config, make_classes(rows=60), distill=0.25, augment=augment) != {None}


@pytest.mark.slow
@several(12)
@given(configs(floats=True, tasks=("forecast",)))
def test_any_model(data_of, config):
    try:
        check(config, data_of(config))
    except (TrainingDivergedError, UserError):
        reject()


def test_who_diverges_leaves_the_others_alone(small_dataset):
    """In the middle of an epoch, and when validated; the others end as if alone."""
    alone, joined = (trainers(TINY, small_dataset(), batch=16) for _ in range(2))
    for runs in (alone, joined):
        with torch.no_grad():
            runs[1].model.linears["input"].weight[0, 0] = math.nan
    for one in (alone[0], alone[2]):
        one.run_epoch()
    with pytest.raises(TrainingDivergedError) as raised:
        alone[1].run_epoch()
    errors = together.run_epoch(joined)
    assert [str(one) for one in errors] == ["None", str(raised.value), "None"]
    for at in (0, 2):
        assert everything(joined[at]) == everything(alone[at])
    assert joined[1].epoch == alone[1].epoch == 0
    assert everything(joined[1])["model"].keys() == everything(alone[1])["model"].keys()


def test_who_diverges_when_validated_is_told(small_dataset, monkeypatch):
    joined, error = trainers(TINY, small_dataset()), trainer._error
    monkeypatch.setattr(
        trainer,
        "_error",
        lambda model, windows: math.nan if model is joined[1].model else error(model, windows),
    )
    first, second, third = together.run_epoch(joined)
    assert (first, third) == (None, None)
    assert isinstance(second, TrainingDivergedError)
    assert [one.epoch for one in joined] == [1, 0, 1]


def test_all_may_diverge(small_dataset):
    joined = trainers(TINY, small_dataset(), 2)
    for one in joined:
        with torch.no_grad():
            one.model.linears["input"].bias.fill_(math.inf)
    assert all(isinstance(one, TrainingDivergedError) for one in together.run_epoch(joined))


def test_only_runs_that_differ_in_their_seed_go_together(small_dataset):
    dataset = small_dataset()
    first, second = trainers(TINY, dataset, 2)
    assert together.company(first) == together.company(second) is not None
    others = [
        *trainers(TERNARY, dataset, 1),
        *trainers(TINY, dataset, 1, lr=1e-3),
        *trainers(TINY, small_dataset(), 1),
    ]
    second.run_epoch()
    assert together.company(first) not in {together.company(one) for one in (second, *others)}
    first.run_epoch()
    assert together.company(first) == together.company(second)
    second.next_stage()
    assert together.company(first) != together.company(second)


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (TINY, {"ranges": "minmax"}),
        (TINY, {"ranges": "moving-average"}),
        (TINY.replace(asymmetric=True), {}),
    ],
    ids=["minmax", "moving", "zero points"],
)
def test_what_cannot_be_joined_runs_alone(config, settings, small_dataset):
    dataset = small_dataset()
    (one,) = trainers(config, dataset, 1, **settings)
    one.stages = (without_training(one.stage), *one.stages[1:])
    one.next_stage()
    assert together.company(one) is None


def test_runs_together_write_what_each_writes_alone(small_dataset, tmp_path, monkeypatch):
    """Every file, byte for byte: one is interrupted before, one is finished, and all once more."""
    dataset = small_dataset()
    alone = [
        train(TINY, dataset, run_dir=tmp_path / f"alone {seed}", seed=seed, **SHORT)
        for seed in range(3)
    ]
    settings = {name: value for name, value in SHORT.items() if name != "progress"}
    runs = [{**settings, "seed": seed, "run_dir": tmp_path / f"run {seed}"} for seed in range(3)]
    train(TINY, dataset, progress=False, **runs[2])
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train(TINY, dataset, progress=False, **runs[0])
    steps, original = [], together.run_epoch

    def counted(trainers):
        steps.append([one.place for one in trainers])
        if len(steps) == 2:
            raise KeyboardInterrupt
        return original(trainers)

    monkeypatch.setattr(module, "run_epoch", counted)
    with pytest.raises(KeyboardInterrupt):
        train_together(TINY, dataset, runs)
    joined = train_together(TINY, dataset, runs)
    # the one that is behind caught up first; then both went together
    assert steps == [[(0, 2)] * 2, [(1, 0)] * 2, [(1, 0)] * 2, [(1, 1)] * 2]
    assert list(map(comparable, joined)) == list(map(comparable, alone))
    for one, other in zip(joined, alone, strict=True):
        (one.run_dir / ".bitformer-lock").touch()  # the caller holds what it is in
        assert files(one.run_dir) == files(other.run_dir)


def test_a_run_that_diverges_is_returned(small_dataset, tmp_path):
    """Its record says why, and the other's result is as ever."""
    settings = {name: value for name, value in SHORT.items() if name != "progress"}
    runs = [{**settings, "seed": 0, "run_dir": tmp_path / f"{lr}", "lr": lr} for lr in (1e30, 5e-3)]
    error, result = train_together(TINY, small_dataset(), runs)
    assert isinstance(error, TrainingDivergedError)
    assert RunStore(tmp_path / "1e+30").read_record()["failure"] == str(error)
    alone = train(TINY, small_dataset(), run_dir=tmp_path / "alone", **SHORT)
    assert comparable(result) == comparable(alone)


@pytest.mark.parametrize("inputs", [1, 2, 7, 24])
@pytest.mark.parametrize("outputs", [1, 3, 16])
@pytest.mark.parametrize(("batch", "rows"), [(16, 1), (33, 4), (1, 1)])
@pytest.mark.parametrize("times", [0, 3])
def test_products_of_several_are_those_of_each(inputs, outputs, batch, rows, times):
    """Whatever a BLAS does with small matrices and vectors; gradients, too."""
    random = torch.Generator().manual_seed(1)
    shapes = (3, batch, rows, inputs), (3, outputs, inputs), (3, *([times] * bool(times)), outputs)
    given = [torch.randn(shape, generator=random) for shape in shapes]
    time = torch.arange(3 * batch).view(3, batch) % times if times else None
    gradient = torch.randn(3, batch, rows, outputs, generator=random)

    def alone(x, weight, bias, at):
        if at is None:
            return torch.nn.functional.linear(x, weight, bias)
        return torch.nn.functional.linear(x, weight) + bias[at, None]

    found = []
    for several_at_once in (True, False):
        leaves = [one.clone().requires_grad_() for one in given]
        if several_at_once:
            y = affine_of_each(*leaves, time)
        else:
            each = [*zip(*leaves, [None] * 3 if time is None else time, strict=True)]
            y = torch.stack([alone(*one) for one in each])
        found.append((y, *torch.autograd.grad(y, leaves, gradient)))
    assert all(map(torch.equal, *found))
