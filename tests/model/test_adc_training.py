"""Training on an ADC's words that lie far from their middle, without a last value subtracted."""

import math

import numpy as np
import pytest
import torch

import bitformer
from bitformer.model.config import TransformerConfig
from bitformer.model.export import load_run
from bitformer.model.reference import predict
from bitformer.model.torch_predict import predict as predict_in_torch
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer
from bitformer.model.transformer import Transformer

CONFIG = TransformerConfig(
    name="small", window=12, horizon=3, patch=4, d_model=8, ffn=8, linear_path=True
)


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """A run on words around 400 of 4095, 52 deviations from the middle, beside words around 300."""
    folder, chance = tmp_path_factory.mktemp("off"), np.random.default_rng(1)
    steps = np.arange(400)
    code = np.rint(400 + 40 * np.sin(2 * np.pi * steps / 24) + chance.normal(0, 4, 400))
    other = np.rint(300 + 40 * np.cos(2 * np.pi * steps / 24) + chance.normal(0, 4, 400))
    rows = [f"{a:.0f},{b:.0f}" for a, b in zip(code, other, strict=True)]
    (folder / "off.csv").write_text("\n".join(["code,other", *rows]) + "\n")
    return bitformer.Training.run(
        str(folder / "off.csv"),
        target="code",
        inputs="code,other",
        config=CONFIG,
        to=folder / "run",
        raw=12,
        epochs=12,
        qat_epochs=2,
        batch=16,
    )


def test_words_far_from_the_middle_are_learned(training):
    assert training.dataset.target_std == 32.0
    assert training.dataset.train.y.mean() < -50
    scores = training.evaluation
    assert scores.models["integer"] ** 0.5 * 32 < 9  # words; repeating the last has 20 or more
    assert training.rounding_failure is None


def test_the_integer_model_is_the_rounded_one(training):
    model, _ = load_run(training.folder)
    x = training.dataset.test.x
    assert np.array_equal(predict(training.model.integer, x), predict_in_torch(model, x))
    assert {"input.center", "path.center"} <= model.state_dict().keys()
    assert math.isclose(float(model.linears["input"].center[0]), -51.5, abs_tol=0.5)


def test_each_way_of_training_begins_where_the_words_lie(training):
    config, settings = training.config, TrainSettings(epochs=4, qat_epochs=1).fitted(100)
    trainer = Trainer(config, training.dataset, settings, torch.device("cpu"))
    first = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    assert trainer.stages[1].anew
    trainer.next_stage()
    again = trainer.model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_its_own_rows_are_scored_as_in_training(training, tmp_path):
    """By the windows of each part, though an ADC's scales are any rows'."""
    notes = []
    found = training.model.evaluate(note=notes.append)
    assert [len(found.dataset.test), *found.models.values()] == [
        len(training.dataset.test),
        training.evaluation.models["integer"],
    ]
    assert not any("are scored, by the scales" in one for one in notes)
    rows = (training.folder.parent / "off.csv").read_text().splitlines()
    (tmp_path / "turned.csv").write_text("\n".join([rows[0], *rows[:0:-1]]) + "\n")
    found = training.model.evaluate(str(tmp_path / "turned.csv"), note=notes.append)
    assert len(found.dataset.test) == 400 - 12 - 3 + 1
    assert any("All 386 windows of " in one for one in notes)


def test_others_have_no_center():
    for changes in ({"adc_words": False}, {"subtract_last": True}):
        words = {"input_bits": 12, "output_bits": 12, "adc_words": True, **changes}
        model = Transformer(CONFIG.replace(**words))
        assert not [name for name in model.state_dict() if name.endswith("center")]
        before = {name: value.clone() for name, value in model.state_dict().items()}
        model.center(torch.full((2, 12, 1), -50.0), torch.full((2, 3), -50.0))
        assert all(torch.equal(before[name], v) for name, v in model.state_dict().items())
