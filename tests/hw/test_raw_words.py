# amaranth: UnusedElaboratable=no
"""``train --raw``: from the ADC's words in a file to words out of the accelerator."""

import csv
import json
import math
import random

import numpy as np
import pytest

import bitformer
from bitformer.boards.build.firmware import header
from bitformer.hw.scaling import scaling_data
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.errors import UserError
from bitformer.sim.run import simulate
from bitformer.study.trials import source_of

SMALL = {
    "name": "small",
    "window": 12,
    "horizon": 3,
    "patch": 4,
    "d_model": 4,
    "ffn": 4,
    "subtract_last": True,
}
#: Of the column ``volt``, at word 0 and at word 4095.
LOW, HIGH = -1.25, 3.75


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file of words of 12 bits, the same in volts, and a configuration."""
    folder, chance = tmp_path_factory.mktemp("raw"), random.Random(1)
    with (folder / "adc.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["code", "volt", "other"])
        for n in range(240):
            wave = math.sin(2 * math.pi * n / 24)
            code = round(1400 + 500 * wave + 30 * chance.gauss(0, 1))
            volt = LOW + code * (HIGH - LOW) / 4095
            rows.writerow([code, f"{volt:.9f}", round(2500 - 300 * wave)])
    (folder / "small.json").write_text(json.dumps(SMALL))
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """Models of the words, of the volts, and of both inputs."""

    def train(name, **options):
        run = bitformer.Training.run(
            str(folder / "adc.csv"),
            config=str(folder / "small.json"),
            to=folder / name,
            epochs=1,
            qat_epochs=1,
            batch=32,
            raw=12,
            **options,
        )
        return run.model

    return {
        "code": train("code", target="code"),
        "volt": train("volt", target="volt", sensor_range=(LOW, HIGH)),
        "both": train(
            "both",
            target="volt",
            inputs=["other", "volt"],
            sensor_range={"volt": (LOW, HIGH)},
        ),
    }


def columns_of(folder):
    with (folder / "adc.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def words_out(streams, model, words):
    """What the accelerator hands out for words as they are."""
    dut = Accelerator(design=bitformer.lower(model).lowered)
    count = len(words) * model.config.horizon
    hear, taken = streams.hear(dut.o, count, 1.0, 1, 20_000)
    streams.run(dut, hear, background=[streams.tell(dut.i, words.ravel().tolist(), 1.0, 2)])
    return np.array(taken).reshape(len(words), -1)


@pytest.mark.parametrize("name", ["code", "volt", "both"])
def test_words_of_the_file_go_straight_into_the_accelerator(streams, folder, trained, name):
    model, columns = trained[name], columns_of(folder)
    inputs = ["other", "code"] if name == "both" else ["code"]
    codes = np.stack([columns[one] for one in inputs], axis=1).astype(int)
    ends = [239, 238]
    windows = np.stack([codes[end - 12 : end] for end in ends])
    found = words_out(streams, model, windows)
    assert found.min() >= 0
    assert found.max() < 4096

    # Python, from the file, in the column's units
    python = model.forecast(str(folder / "adc.csv"), windows=3)
    expected = python.values[[1, 0]]
    in_units = found if name == "code" else LOW + found * (HIGH - LOW) / 4095
    assert np.abs(in_units - expected).max() < (1e-9 if name == "code" else 1e-6)
    assert np.abs(expected - expected.mean()).max() > 1e-3


def test_units_and_words_give_the_same_model(folder, trained):
    """The volts of a file are the words of the other, so their models are one."""
    code, volt = trained["code"].integer, trained["volt"].integer
    assert code.input == volt.input
    assert code.output == volt.output
    assert code.input.exponent == code.output.exponent == -8
    for a, b in zip(code.linears, volt.linears, strict=True):
        assert np.abs(a.weight - b.weight).mean() < 0.2


def test_evaluation_and_simulation_are_of_words(folder, trained):
    model = trained["volt"]
    scores = model.evaluate(str(folder / "adc.csv"))
    simulated = bitformer.lower(model).simulate(samples=2, engine="python")
    assert simulated.bit_exact
    meta = model.integer.meta["dataset"]
    step = (HIGH - LOW) / 4095
    assert math.isclose(meta["target_std"], 256 * step)
    assert math.isclose(meta["target_mean"], LOW + 2048 * step)
    assert scores.dataset.target_std == meta["target_std"]
    # a part of the rows has other statistics, and the words are what they are
    lines = (folder / "adc.csv").read_text().splitlines(keepends=True)
    (folder / "later.csv").write_text("".join([lines[0], *lines[120:]]))
    later = model.evaluate(str(folder / "later.csv"), target="volt", inputs=["volt"])
    assert later.dataset.target_std == meta["target_std"]


def test_the_header_says_words_in_words_out(trained):
    text = header(scaling_data(trained["code"].integer))
    assert "#define BITFORMER_MODEL_UNSIGNED 1\n" in text
    assert "its words go in as they are, and results are such words" in text


def test_new_weights_keep_the_words(folder, trained):
    """Later rows, of another deviation: the words' scale is that of the first run."""
    rows = columns_of(folder)["code"]
    later = np.rint(1400 + (rows - 1400) / 8).astype(int)
    (folder / "quiet.csv").write_text("\n".join(["code", *map(str, later)]) + "\n")
    second = bitformer.Training.run(
        str(folder / "quiet.csv"),
        target="code",
        config=str(folder / "small.json"),
        to=folder / "second",
        qat_epochs=1,
        batch=16,
        raw=12,
        float_run=folder / "code",
        keep_scales=True,
    )
    integer, first = second.model.integer, trained["code"].integer
    assert integer.input == first.input
    assert integer.output == first.output
    assert integer.meta["dataset"]["target_std"] == 256.0
    simulated = simulate(
        bitformer.lower(second.model).lowered, integer.quantize_input(second.dataset.test.x[:1])
    )
    assert simulated.bit_exact


def test_what_no_adc_gives_is_counted_and_no_range_is_advised(folder, trained):
    """A range would move the words: the sentence speaks of the ADC."""
    rows = (folder / "adc.csv").read_text().splitlines()
    code, volt, other = rows[-30].split(",")
    rows[-30] = f"{int(code) + 4096},{volt},{other}"
    (folder / "beyond.csv").write_text("\n".join(rows) + "\n")
    told = []
    scores = trained["code"].evaluate(str(folder / "beyond.csv"), note=told.append)
    (sentence,) = [text for text in told if "clipped" in text]
    assert "--range" not in sentence
    assert sentence.endswith("let the ADC cover what its sensor gives")
    assert any(one.adc_words for one in scores.clipped)


def test_a_marker_of_no_reading_is_no_word(folder):
    """Both remedies of the refusal work."""
    rows = (folder / "adc.csv").read_text().splitlines()
    for line in (30, 80, 120):
        rows[line] = ",".join(["-999", *rows[line].split(",")[1:]])
    (folder / "marked.csv").write_text("\n".join(rows) + "\n")

    def train(name, **options):
        return bitformer.Training.run(
            str(folder / "marked.csv"),
            target="code",
            config=str(folder / "small.json"),
            to=folder / name,
            epochs=1,
            method="ptq",
            raw=12,
            **options,
        )

    with pytest.raises(UserError, match=r"not -999: .* or say with --missing -999 that this is no"):
        train("refused")
    assert train("marked", missing="-999").dataset.train.inputs.min() > -6
    assert train("ranged", sensor_range=(-1000, 3095)).dataset.target_mean == 1048.0


def test_studies_train_without_an_adcs_words(folder):
    config = {**SMALL, "input_bits": 12, "output_bits": 12, "adc_words": True}
    (folder / "words.json").write_text(json.dumps(config))
    text = r"^adc_words of config .* must be false here: .* train the one you choose with --raw$"
    with pytest.raises(UserError, match=text):
        source_of(str(folder / "adc.csv"), str(folder / "words.json"), print, target="code")


def test_a_configuration_may_ask_for_words(folder):
    config = {**SMALL, "input_bits": 12, "output_bits": 12, "adc_words": True}
    (folder / "words.json").write_text(json.dumps(config))
    training = bitformer.Training.run(
        str(folder / "adc.csv"),
        target="code",
        config=str(folder / "words.json"),
        to=folder / "words",
        epochs=1,
        method="ptq",
    )
    assert training.dataset.target_std == 256.0
