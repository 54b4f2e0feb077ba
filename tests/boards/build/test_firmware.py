"""Scaling by firmware, in C and MicroPython, against Python's, bit for bit."""

import ctypes
import dataclasses
import importlib.util
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from firmware_harness import FLAGS, NAMES, micro_of, trained, written
from model_changes import with_tensor

import bitformer
from bitformer.boards.build.design import build_design
from bitformer.boards.catalog import BOARDS
from bitformer.boards.build.firmware import (
    HEADER_FILE,
    SCALING_FILE,
    header,
    write_firmware,
)
from bitformer.hw.lowering.lower import lower
from bitformer.hw.scaling import scaling_data
from bitformer.model.config import NAMED_CONFIGS, TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.forecasts.scaling import scaling_of
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize

SHIM = """
#include "bitformer_model.h"
int word(unsigned channel, double sample, int16_t *word) {
    return bitformer_word(&bitformer_model, channel, (bitformer_real)sample, word);
}
int all_words(unsigned channel, unsigned count, const double *samples, int16_t *words) {
    int clipped = 0;
    for (unsigned k = 0; k < count; k++) {
        int result = word(channel, samples[k], &words[k]);
        if (result < 0)
            return result;
        clipped += result;
    }
    return clipped;
}
void all_units(unsigned count, const int16_t *words, double *units) {
    for (unsigned k = 0; k < count; k++)
        units[k] = (double)bitformer_units(&bitformer_model, words[k]);
}
const char *name(unsigned channel) { return bitformer_model.columns[channel].name; }
const char *target(void) { return bitformer_model.target.name; }
"""
WINDOWS = """
int32_t words(const double *samples, int16_t *words) {
    return bitformer_words(&bitformer_model, samples, words);
}
int32_t push(const double *samples, int16_t *words) {
    return bitformer_push(&bitformer_model, samples, words);
}
void forecast(const int16_t *results, double *units) {
    bitformer_forecast(&bitformer_model, results, units);
}
"""


MODELS = {
    "usual": trained(),
    "words": trained(bits=(16, 16), words=True, exponents=(-13, -12)),
    "few words": trained(bits=(8, 8), words=True, exponents=(-5, -5)),
    "narrow": trained(bits=(4, 4), exponents=(0, 3), zero=-5),
    "wide": trained(bits=(16, 16), exponents=(-12, -40), zero=77),
    "fine": trained(bits=(12, 16), exponents=(-40, -9), target=(-0.1, 1e-9)),
    "coarse": trained(bits=(8, 8), exponents=(40, 40), target=(1e300, 1e290)),
    "absurd": trained(mean=[0.1, 1e300, -1e-300, 7.0], std=[5e-324, 1e-300, 1e-310, 1e308]),
}


def python_words(model, channel, samples):
    """What `quantize_input` makes of samples of a channel."""
    scaling = scaling_of(model)
    rows = np.zeros((len(samples), 4))
    rows[:, channel] = samples
    return model.words(model.quantize_input(scaling.standardised(rows)))[:, channel]


def python_units(model, words):
    return scaling_of(model).in_units(model.dequantize_output(model.numbers(words)))


def result_words(model):
    """All words of a result."""
    return model.words(np.arange(model.output.low, model.output.high + 1))


def samples_of(model, channel, rng, count=4000):
    """Random samples, those that stand half-way between words, their neighbours, and extremes."""
    scaling, spec = scaling_of(model), model.input
    mean, std = float(scaling.mean[channel]), float(scaling.std[channel])
    steps = rng.integers(spec.low - 3, spec.high + 4, count)
    with np.errstate(over="ignore"):
        near = mean + std * 2.0**spec.exponent * (steps + 0.5)
        spread = mean + std * 2.0**spec.exponent * rng.normal(0, spec.high, count)
    bits = rng.integers(0, 1 << 64, count, dtype=np.uint64).view(np.float64)
    largest = sys.float_info.max
    extremes = [0.0, -0.0, 5e-324, largest, -largest, mean, mean + std, 1e308, -1e308]
    found = [near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), spread, bits, extremes]
    found = np.concatenate(found)
    return found[np.isfinite(found)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Compile the header of a model, once each, and load it."""
    folders = {}

    def compiled(name, *flags, source=SHIM + WINDOWS):
        if (name, flags) not in folders:
            folder = tmp_path_factory.mktemp("c")
            written(MODELS[name], folder)
            (folder / "shim.c").write_text(source)
            compiler = shutil.which("gcc") or shutil.which("cc")
            options = [*FLAGS.split(), *flags, "-O2", "-fPIC", "-shared"]
            command = [compiler, *options, "shim.c", "-o", "shim.so"]
            subprocess.run(command, cwd=folder, check=True)
            found = ctypes.CDLL(str(folder / "shim.so"))
            found.word.argtypes = ctypes.c_uint, ctypes.c_double, ctypes.c_void_p
            found.name.restype = found.target.restype = ctypes.c_char_p
            folders[name, flags] = found
        return folders[name, flags]

    return compiled


def c_words(found, channel, samples):
    """The words of samples, and how many were clipped."""
    samples, words = np.ascontiguousarray(samples), np.empty(len(samples), dtype=np.int16)
    pointers = samples.ctypes.data_as(ctypes.c_void_p), words.ctypes.data_as(ctypes.c_void_p)
    return words, found.all_words(channel, len(samples), *pointers)


def c_units(found, words):
    words, units = np.asarray(words).astype(np.int16), np.empty(len(words))
    found.all_units(
        len(words), words.ctypes.data_as(ctypes.c_void_p), units.ctypes.data_as(ctypes.c_void_p)
    )
    return units


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize("name", MODELS)
def test_words_in_c_are_pythons(library, name):
    model, found = MODELS[name], library(name)
    rng = np.random.default_rng(1)
    for channel in range(4):
        samples = samples_of(model, channel, rng, 5000)
        assert len(samples) > 10_000
        words, clipped = c_words(found, channel, samples)
        if model.config.adc_words:
            words = words.view(np.uint16)
        assert (words == python_words(model, channel, samples)).all()
        inner = model.input.high - model.input.low
        assert len(np.unique(words)) > min(inner, 1000) // 2 or name == "absurd"
        ends = np.isin(words, model.words(np.array([model.input.low, model.input.high])))
        assert clipped <= ends.sum()
        assert clipped > 0 or name == "absurd"


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize("name", MODELS)
def test_units_in_c_are_pythons(library, name):
    model = MODELS[name]
    words = result_words(model)
    expected = python_units(model, words)
    assert (c_units(library(name), words) == expected).all()
    assert len(np.unique(expected)) > 1 or name == "coarse"


@pytest.mark.needs("c-compiler")
def test_contraction_changes_nothing(library):
    flags = ("-ffp-contract=fast", "-march=native")
    found, model = library("usual", *flags), MODELS["usual"]
    samples = samples_of(model, 0, np.random.default_rng(2))
    assert (c_words(found, 0, samples)[0] == python_words(model, 0, samples)).all()
    words = result_words(model)
    assert (c_units(found, words) == python_units(model, words)).all()


def clips(model, channel, samples):
    """How many samples round to what the words of the input do not hold."""
    scaling, spec = scaling_of(model), model.input
    z = (samples - scaling.mean[channel]) / scaling.std[channel]
    number = np.floor(z * 2.0**-spec.exponent + 0.5)
    return int(((number < spec.low) | (number > spec.high)).sum())


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize("name", ["usual", "narrow", "wide"])
def test_clipped_samples_are_counted(library, name, tmp_path):
    model, found = MODELS[name], library(name)
    written(model, tmp_path)
    micro = micro_of(tmp_path)
    scaling = micro.Scales(scaling_data(model))
    samples = samples_of(model, 0, np.random.default_rng(3))
    samples = samples[np.abs(samples) < 1e100]
    expected = clips(model, 0, samples)
    assert c_words(found, 0, samples)[1] == expected > 100
    for sample in samples.tolist():
        scaling.row([sample, 0.0, 0.0, 0.0])
    others = sum(clips(model, n, np.zeros(len(samples))) for n in (1, 2, 3))
    assert scaling.clipped == expected + others


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize("sample", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_word(library, sample):
    found, word = library("usual"), ctypes.c_int16(-77)
    assert found.word(0, sample, ctypes.byref(word)) == -1
    assert word.value == -77
    window = np.zeros((24, 4))
    window[23, 3] = sample
    words = np.full(96, 5, dtype=np.int16)
    pointer = words.ctypes.data_as(ctypes.c_void_p)
    assert found.words(window.ctypes.data_as(ctypes.c_void_p), pointer) == -1
    words[:] = 5
    row = np.array([0.0, 0.0, 0.0, sample])
    assert found.push(row.ctypes.data_as(ctypes.c_void_p), pointer) == -1
    assert (words == 5).all()


@pytest.mark.needs("c-compiler")
def test_windows_and_forecasts_in_c(library):
    model, found = MODELS["usual"], library("usual")
    rng, scaling = np.random.default_rng(4), scaling_of(model)
    rows = scaling.mean + scaling.std * rng.normal(size=(40, 4))
    expected = model.quantize_input(scaling.standardised(rows))
    words = np.empty(24 * 4, dtype=np.int16)
    pointer = words.ctypes.data_as(ctypes.c_void_p)
    assert found.words(rows[:24].copy().ctypes.data_as(ctypes.c_void_p), pointer) == 0
    assert (words == expected[:24].ravel()).all()
    for end in range(25, 41):
        row = rows[end - 1].copy()
        assert found.push(row.ctypes.data_as(ctypes.c_void_p), pointer) == 0
        assert (words == expected[end - 24 : end].ravel()).all()
    far = np.array([1e9, scaling.mean[1], -1e9, scaling.mean[3]])
    assert found.push(far.ctypes.data_as(ctypes.c_void_p), pointer) == 2
    assert words[-4:].tolist() == [511, 0, -512, 0]
    results = np.array([-512, -1, 0, 1, 2, 511], dtype=np.int16)
    units = np.empty(6)
    found.forecast(
        results.ctypes.data_as(ctypes.c_void_p), units.ctypes.data_as(ctypes.c_void_p)
    )
    assert (units == python_units(model, results)).all()


@pytest.mark.needs("c-compiler")
def test_floats_are_off_by_one_at_most_and_rarely(library):
    source = SHIM  # the windows' functions are of doubles
    model, found = MODELS["usual"], library("usual", "-DBITFORMER_REAL=float", source=source)
    rng, scaling = np.random.default_rng(5), scaling_of(model)
    samples = scaling.mean[0] + scaling.std[0] * rng.normal(size=100_000)
    off = c_words(found, 0, samples)[0] - python_words(model, 0, samples)
    assert np.abs(off).max() <= 1
    assert 0 < np.count_nonzero(off) < 20
    words = result_words(model)
    expected = python_units(model, words)
    assert np.abs(c_units(found, words) - expected).max() < 2**-23 * np.abs(expected).max()


@pytest.mark.needs("c-compiler")
def test_names_and_facts_in_c(library):
    found, model = library("usual"), MODELS["usual"]
    assert [found.name(k).decode() for k in range(4)] == NAMES
    assert found.target().decode() == NAMES[2]
    text = header(scaling_data(model))
    assert text.isascii()
    for line in ("WINDOW 24", "CHANNELS 4", "HORIZON 6", "INPUT_BITS 10", "RESULT_BITS 10"):
        assert f"#define BITFORMER_MODEL_{line}\n" in text
    bytes_of_hash = ", ".join(f"0x{byte:02x}" for byte in model_hash(model))
    assert f"#define BITFORMER_MODEL_HASH {{{bytes_of_hash}}}\n" in text


@pytest.mark.needs("cpp-compiler")
@pytest.mark.parametrize("standard", ["c++11", "c++17"])
def test_header_is_cpp_as_well(tmp_path, standard):
    compiler = shutil.which("g++") or shutil.which("c++")
    written(MODELS["usual"], tmp_path)
    (tmp_path / "a.cpp").write_text('#include "bitformer.h"\n' + SHIM)
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-std={standard}"]
    subprocess.run([compiler, *flags, "a.cpp"], cwd=tmp_path, check=True)


@pytest.mark.needs("c-compiler")
def test_the_guides_program_compiles(tmp_path):
    guide = (Path(__file__).parents[3] / "docs" / "firmware.md").read_text()
    section = guide.split("## In C\n")[1].split("\n`bitformer_push`")[0]
    lines = [line[4:] for line in section.splitlines()]
    includes = [line for line in lines if line.startswith("#include")]
    body = [line for line in lines if line not in includes]
    assert len(includes) == 2
    program = [
        *includes,
        "extern bitformer_port port;",
        "extern bitformer_registers facts;",
        "extern uint8_t buffer[BITFORMER_FRAME(BITFORMER_REGISTERS)];",
        "void read_sensors(double *sample);",
        "unsigned hour(void);",
        "unsigned weekday(void);",
        "void run(void);",
        "void run(void) {",
        *body,
        "}",
    ]
    written(MODELS["usual"], tmp_path)
    (tmp_path / "main.c").write_text("\n".join(program) + "\n")
    compiler = shutil.which("gcc") or shutil.which("cc")
    subprocess.run([compiler, *FLAGS.split(), "-c", "main.c"], cwd=tmp_path, check=True)


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


def test_an_untrained_model_has_no_scales(tmp_path):
    model = initialize(NAMED_CONFIGS["tiny"], samples=8)
    written(model, tmp_path)
    data = json.loads((tmp_path / SCALING_FILE).read_text())
    assert "columns" not in data and "target" not in data
    assert data["input"]["bits"] == 16 and data["window"] == 24
    text = (tmp_path / HEADER_FILE).read_text()
    assert "untrained" in text and "#define BITFORMER_MODEL_SCALED 0" in text
    assert "bitformer_column" not in text
    micro = micro_of(tmp_path)
    with pytest.raises(micro.ScalesError, match=r"^an untrained model has no scales$"):
        micro.Scales(data)


def test_data_of_a_trained_model():
    model = MODELS["narrow"]
    data = scaling_data(model)
    assert data == {
        "format": 1,
        "name": "tiny",
        "model": model_hash(model).hex(),
        "window": 24,
        "channels": 4,
        "horizon": 6,
        "calendar": [],
        "words": 96,
        "ahead": 1,
        "step_seconds": None,
        "input": {"bits": 4, "exponent": 0, "zero": 0, "low": -8, "high": 7, "unsigned": False},
        "output": {"bits": 4, "exponent": 3, "zero": -5, "low": -8, "high": 7, "unsigned": False},
        "columns": [
            {"name": name, "mean": mean, "std": std}
            for name, mean, std in zip(
                NAMES, [20.173, -1e-3, 0.0, 123456.789], [3.1415926, 0.1, 1.0, 9876.54321], strict=True
            )
        ],
        "target": {"name": NAMES[2], "mean": 20.173, "std": 3.1415926},
    }
    assert "#define BITFORMER_MODEL_STEP_SECONDS 0\n" in header(scaling_data(model))


def test_a_forecast_begins_some_steps_after_a_window():
    for ahead in (1, 24):
        data = scaling_data(trained(ahead=ahead))
        assert data["ahead"] == ahead
        assert f"#define BITFORMER_MODEL_AHEAD {ahead}\n" in header(data)


@pytest.mark.parametrize(
    ("step", "seconds", "text"),
    [
        ({"step": 3600.0, "step_unit": "even", "dated": True}, 3600.0, "3600"),
        ({"step": 0.25, "step_unit": "even", "dated": True}, 0.25, "0.25"),
        ({"step": 1.0, "step_unit": "even", "dated": False}, None, "0"),
        ({"step": 86400.0, "step_unit": "business", "dated": True}, None, "0"),
        ({"step": 1.0, "step_unit": "row", "dated": True}, None, "0"),
    ],
)
def test_the_step_is_in_seconds_or_unknown(step, seconds, text):
    data = scaling_data(trained(**step))
    assert data["step_seconds"] == seconds
    assert f"#define BITFORMER_MODEL_STEP_SECONDS {text}\n" in header(data)


def test_scales_are_finite():
    model = trained(target=(1.0, 1.0))
    model.meta["dataset"]["target_std"] = math.inf
    with pytest.raises(UserError, match="target_std of dataset must be 1 numbers"):
        header(scaling_data(model))


@pytest.mark.parametrize("link", ["spi", "elastic"])
def test_a_build_holds_what_firmware_needs(tmp_path, link):
    model, board = MODELS["usual"], BOARDS["elastic-node-v5"]
    design = lower(model, part=board.part)
    plan = build_design(design, board, directory=tmp_path / "plan", link=link)
    assert json.loads((plan / SCALING_FILE).read_text()) == scaling_data(model)
    assert (plan / HEADER_FILE).read_text() == header(scaling_data(model))
    there = {path.name for path in plan.iterdir()}
    assert {"bitformer_scale.h", "bitformer_micro.py"} <= there
    assert ("bitformer.h" in there) == (link == "spi")
    assert "scaling.json" in (plan / "README.txt").read_text()


@pytest.mark.parametrize(
    ("calendar", "words", "numbers", "more"),
    [
        (("hour", "weekday"), False, "the hour (0 to 23), then the weekday (0 for Monday).", None),
        (("weekday",), True, "last step: the weekday (0 for Monday).", 512),
        ((), False, None, None),
    ],
)
def test_the_boards_readme_says_how_the_time_is_sent(tmp_path, calendar, words, numbers, more):
    shape = {"window": 4, "horizon": 2, "d_model": 4, "ffn": 4, "inputs": 3}
    bits = {"subtract_last": True, "input_bits": 10, "output_bits": 10, "adc_words": words}
    config = TransformerConfig(name="timed", calendar=calendar, **shape, **bits)
    design, board = lower(initialize(config)), BOARDS["elastic-node-v5"]
    plan = build_design(design, board, directory=tmp_path / "plan", link="spi")
    text = (plan / "README.txt").read_text()
    paragraph = text[text.find("The model takes the time") :].split("\n\n")[0]
    assert numbers is None or max(map(len, paragraph.splitlines())) <= 98
    said = " ".join(text.split())
    assert (numbers is None) == ("window's last step" not in said)
    if numbers is not None:
        assert numbers in said
        assert "zeros up to a multiple of 3, the window's channels: 15 words in all." in said
        assert "bitformer_time() of bitformer_scale.h" in said
    assert ("each of them is 512 more" in said) == (more == 512)


def test_verilog_has_it_beside_it(tmp_path):
    model = MODELS["usual"]
    bitformer.lower(bitformer.Model(model)).elaborate(tmp_path / "verilog")
    assert (tmp_path / "verilog" / HEADER_FILE).read_text() == header(scaling_data(model))
    assert "bitformer.h" not in {path.name for path in (tmp_path / "verilog").iterdir()}
