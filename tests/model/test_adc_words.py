"""Data scaled so that a model's integers are an ADC's words."""

import math
import re

import numpy as np
import pytest

from bitformer.model.adc_words import in_adc_words, rescaled
from bitformer.model.config import NAMED_CONFIGS
from bitformer.model.data.datasets import load_dataset
from bitformer.model.errors import UserError
from bitformer.model.sensor_range import with_range

CONFIG = NAMED_CONFIGS["tiny"].replace(window=12, horizon=3, patch=4)


def dataset_of(tmp_path, inputs=None, target="code", **columns):
    path = tmp_path / "adc.csv"
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(f"{value!r}" for value in map(float, row)) for row in rows]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return load_dataset(str(path), window=12, horizon=3, target=target, inputs=inputs)


def wave(middle, size, count=200, seed=0):
    """Words around a middle, with a deviation of about ``size``."""
    noise = np.random.default_rng(seed).normal(0, 0.2, count)
    return np.rint(middle + size * (math.sqrt(2) * np.sin(np.arange(count) / 3) + noise))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_a_word_is_a_step_of_a_power_of_two(tmp_path, bits):
    size = (1 << bits) / 10
    words = wave(0.4 * (1 << bits), size)
    config, found, notes = in_adc_words(CONFIG, dataset_of(tmp_path, code=words), bits)
    assert (config.input_bits, config.output_bits, config.adc_words) == (bits, bits, True)
    assert found.target_mean == found.mean[0] == 1 << (bits - 1)
    assert found.target_std == found.std[0] == 2.0 ** round(math.log2(size))
    assert found.range == {"code": (0.0, (1 << bits) - 1)}
    assert notes == []
    shift = math.log2(found.target_std)
    assert (found.train.inputs[:, 0] * 2**shift + (1 << (bits - 1)) == words).all()
    assert (found.test.target * 2**shift + (1 << (bits - 1)) == words).all()
    assert abs(found.train.target.std() - 1) < 0.5


def test_units_become_words_by_a_range(tmp_path):
    words = wave(1700, 300)
    volts = 0.5 + words * (3.0 / 4095)
    data = with_range(dataset_of(tmp_path, target="volt", volt=volts), (0.5, 3.5))
    _, found, _ = in_adc_words(CONFIG, data, 12)
    step = 3.0 / 4095
    assert math.isclose(found.target_mean, 0.5 + 2048 * step)
    assert math.isclose(found.target_std, 256 * step)
    back = found.train.inputs[:, 0] * 256 + 2048
    assert np.abs(back - words).max() < 1e-9


def test_inputs_share_the_targets_step(tmp_path):
    columns = {"code": wave(1000, 60), "other": wave(3000, 200, seed=1), "wide": wave(2000, 600)}
    data = dataset_of(tmp_path, inputs=list(columns), **columns)
    _, found, notes = in_adc_words(CONFIG.replace(inputs=3), data, 12)
    assert found.std.tolist() == [64.0] * 3
    assert found.mean.tolist() == [2048.0] * 3
    (note,) = notes
    assert note.startswith("wide varies by 6")
    assert "and code by 6" in note
    assert "share one scale" in note


def test_a_target_that_is_no_input_has_its_own_step(tmp_path):
    columns = {"code": wave(1000, 500), "a": wave(3000, 30), "b": wave(2000, 60)}
    data = dataset_of(tmp_path, inputs=["a", "b"], **columns)
    config = CONFIG.replace(inputs=2, subtract_last=False)
    _, found, _ = in_adc_words(config, data, 12)
    assert found.std.tolist() == [64.0, 64.0]
    assert found.target_std == 512.0


@pytest.mark.parametrize("wrong", [20.5, -1.0, 4096.0, 1e300])
def test_what_is_no_word_is_refused(tmp_path, wrong):
    words = wave(1000, 100)
    words[150] = wrong
    sentence = (
        "Column 'code' must hold an ADC's words, integers from 0 to 4095, for --raw 12, not"
        f" {wrong:g}: name its values at word 0 and at word 4095 with --range LOW,HIGH,"
        f" or say with --missing {wrong:g} that this is no reading"
    )
    with pytest.raises(UserError, match=rf"^{re.escape(sentence)}$"):
        in_adc_words(CONFIG, dataset_of(tmp_path, code=words), 12)


def test_the_remedy_names_the_column(tmp_path):
    columns = {"code": wave(1000, 100), "volt, rms": wave(1000, 100) / 7}
    columns = {"code": columns["code"], "volt": columns["volt, rms"]}
    data = dataset_of(tmp_path, inputs=["code", "volt"], **columns)
    config = CONFIG.replace(inputs=2)
    with pytest.raises(UserError, match=r"with --range 'volt=LOW,HIGH', or say"):
        in_adc_words(config, data, 12)
    in_adc_words(config, with_range(data, {"volt": (0, 585)}), 12)


@pytest.mark.parametrize("bits", [7, 17])
def test_an_adc_has_8_to_16_bits(tmp_path, bits):
    with pytest.raises(UserError, match=rf"^--raw must be 8 to 16 bits, not {bits}$"):
        in_adc_words(CONFIG, dataset_of(tmp_path, code=wave(100, 10)), bits)


def test_a_few_words_are_worth_a_sentence(tmp_path):
    _, _, notes = in_adc_words(CONFIG, dataset_of(tmp_path, code=wave(1000, 3)), 12)
    (note,) = notes
    assert note.startswith("code varies by 3")
    assert "an amplifier" in note


def test_scales_of_another_run_are_kept(tmp_path):
    like = {"mean": [2048.0], "std": [512.0], "target_mean": 2048.0, "target_std": 512.0}
    data = dataset_of(tmp_path, code=wave(1000, 30))
    _, found, _ = in_adc_words(CONFIG, data, 12, like=like)
    assert (found.std[0], found.target_std) == (512.0, 512.0)


def test_kept_words_keep_their_range(tmp_path):
    data = with_range(dataset_of(tmp_path, code=wave(1000, 30)), (0, 100))
    like = {"mean": [50.0], "std": [1.0], "target_mean": 50.0, "target_std": 1.0}
    with pytest.raises(UserError, match=r"^range of code must be 1,99 as in the run whose scales"):
        in_adc_words(CONFIG, data, 12, like={**like, "range": {"code": [1.0, 99.0]}})
    in_adc_words(CONFIG, data, 12, like={**like, "range": {"code": [0.0, 100.0]}})


def test_other_scales_change_no_value(tmp_path):
    values = np.random.default_rng(1).normal(1e-7, 1e-9, 200)
    data = dataset_of(tmp_path, target="small", small=values)
    scales = {"mean": [0.5], "std": [0.25], "target_mean": 0.5, "target_std": 0.25}
    found = rescaled(data, scales)
    assert np.abs(found.train.inputs[:, 0] * 0.25 + 0.5 - values).max() < 1e-15
    assert (found.val.x == found.val.x).all()
    assert found.mean.tolist() == [0.5]
