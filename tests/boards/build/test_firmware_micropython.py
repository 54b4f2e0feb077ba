"""Scaling by firmware in MicroPython, against Python's, bit for bit; what it refuses."""

import json
import math

import numpy as np
import pytest
from firmware_harness import micro_of, written
from scaling_harness import CLASSIFIER, MODELS, python_units, result_words, samples_of

from bitformer.boards.build.firmware import SCALING_FILE
from bitformer.hw.scaling import scaling_data
from bitformer.model.forecasts.scaling import scaling_of


@pytest.mark.parametrize("name", MODELS)
def test_micropython_is_python(tmp_path, name):
    model = MODELS[name]
    written(model, tmp_path)
    scaling = micro_of(tmp_path).Scales(json.loads((tmp_path / SCALING_FILE).read_text()))
    rng = np.random.default_rng(6)
    columns = [samples_of(model, channel, rng, 1000) for channel in range(4)]
    rows = np.stack([column[: min(map(len, columns))] for column in columns], axis=1)
    assert rows.size > 6_000
    whole = scaling_of(model).standardised(rows)
    found = [scaling.row(row) for row in rows.tolist()]
    expected = model.words(model.quantize_input(whole))
    assert found == expected.tolist()
    assert scaling.window(rows[:24].tolist()) == expected[:24].ravel().tolist()
    words = result_words(model).tolist()
    assert scaling.units(words) == python_units(model, words).tolist()


def test_micropython_refuses(tmp_path):
    written(MODELS["usual"], tmp_path)
    micro = micro_of(tmp_path)
    scaling = micro.Scales(scaling_data(MODELS["usual"]))
    for sample in (math.nan, math.inf, -math.inf):
        with pytest.raises(micro.ScalesError, match=r"^a sample must be a finite number, not "):
            scaling.row([0.0, 0.0, sample, 0.0])
    with pytest.raises(micro.ScalesError, match=r"^a step has 4 samples$"):
        scaling.row([0.0])
    with pytest.raises(micro.ScalesError, match=r"^a window has 24 rows$"):
        scaling.window([[0.0] * 4] * 23)
    assert scaling.clipped == 0


def test_micropython_names_a_class(tmp_path):
    written(CLASSIFIER, tmp_path)
    micro = micro_of(tmp_path)
    scales = micro.Scales(json.loads((tmp_path / SCALING_FILE).read_text()))
    names = CLASSIFIER.meta["classes"]
    assert [scales.label([n]) for n in range(len(names) + 1)] == [*names, None]
    plain = micro.Scales(scaling_data(MODELS["usual"]))
    with pytest.raises(micro.ScalesError, match=r"^the model is no classifier$"):
        plain.label([0])
