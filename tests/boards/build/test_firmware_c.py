"""Scaling by firmware in C, against Python's, bit for bit, and the header as compilers take it."""

import ctypes
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from firmware_harness import FLAGS, NAMES, micro_of, written
from scaling_harness import (
    CLASSIFIER,
    DETECTOR,
    MODELS,
    python_units,
    python_words,
    result_words,
    samples_of,
)

from bitformer.boards.build.firmware import header
from bitformer.hw.scaling import scaling_data
from bitformer.model.forecasts.scaling import scaling_of
from bitformer.model.identity import model_hash

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
    found.forecast(results.ctypes.data_as(ctypes.c_void_p), units.ctypes.data_as(ctypes.c_void_p))
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


GUIDE = (Path(__file__).parents[3] / "docs" / "firmware.md").read_text()
#: What the guide's programs leave to their reader.
READERS = """
extern bitformer_port port;
extern bitformer_registers facts;
extern uint8_t buffer[BITFORMER_FRAME(BITFORMER_REGISTERS)];
void read_sensors(double *sample);
unsigned hour(void);
unsigned weekday(void);
void show(const char *name);
void set_alarm(int up);
void run(void);
"""


def guides(start, stop):
    """Return the lines of a program between two places in the guide, and what it includes."""
    part = GUIDE.split(start)[1].split(stop)[0]
    code = part.split("```c\n")[1].split("```")[0].splitlines()
    includes = [line for line in code if line.startswith("#include")]
    return [line for line in code if line not in includes], includes


WHOLE, INCLUDES = guides("## In C\n", "\n`bitformer_push`")
#: The windows of the guide's whole program, for its parts.
DECLARED = WHOLE[: next(n for n, line in enumerate(WHOLE) if line.startswith("for"))]


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize(
    ("model", "body"),
    [
        (MODELS["usual"], WHOLE),
        (CLASSIFIER, [*DECLARED, *guides("**Classes.**", "**Flags.**")[0]]),
        (
            DETECTOR,
            [
                *DECLARED,
                "enum { CHANNEL = 1 };",
                "int16_t judged[BITFORMER_MODEL_JUDGED];",
                "for (;;) {",
                *guides("**Flags.**", "**Exactness.**")[0],
                "}",
            ],
        ),
    ],
    ids=["whole", "classes", "flags"],
)
def test_the_guides_programs_compile(tmp_path, model, body):
    assert len(INCLUDES) == 2
    assert sum("bitformer_infer(" in line for line in body) == 1
    used = [*INCLUDES, READERS, "void run(void) {", *body]
    used += ["(void)sample, (void)forecast;", "}"]  # a part does not use all that is declared
    written(model, tmp_path)
    (tmp_path / "main.c").write_text("\n".join(used) + "\n")
    compiler = shutil.which("gcc") or shutil.which("cc")
    command = [compiler, *FLAGS.split(), "-Wno-unreachable-code", "-c", "main.c"]
    subprocess.run(command, cwd=tmp_path, check=True)


CLASSES = """
#include "bitformer_model.h"
#include "bitformer.h"
int32_t number(int16_t word);
const char *called(int32_t number);
int classes(void);
int32_t number(int16_t word) { return bitformer_class(&bitformer_model, &word); }
const char *called(int32_t which) { return bitformer_class_name(&bitformer_model, which); }
int classes(void) { return BITFORMER_MODEL_CLASSES + (BITFORMER_REJECTED == -1 ? 0 : 100); }
"""


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize(
    ("model", "labels"),
    [(CLASSIFIER, CLASSIFIER.meta["classes"]), (MODELS["usual"], [])],
    ids=["classifier", "forecaster"],
)
def test_classes_in_c(tmp_path, model, labels):
    """All words of a result: numbers of classes have names, and all others are rejected."""
    written(model, tmp_path)
    (tmp_path / "shim.c").write_text(CLASSES)
    compiler = shutil.which("gcc") or shutil.which("cc")
    command = [compiler, *FLAGS.split(), "-fPIC", "-shared", "shim.c", "-o", "shim.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    found = ctypes.CDLL(str(tmp_path / "shim.so"))
    found.called.restype = ctypes.c_char_p
    found.number.argtypes = [ctypes.c_int16]
    assert found.classes() == len(labels)
    words = (-32768, -1, *range(len(labels) + 2), 32767)
    expected = [word if 0 <= word < len(labels) else -1 for word in words]
    assert [found.number(word) for word in words] == expected
    assert [found.called(n) for n in range(len(labels))] == [name.encode() for name in labels]
    assert [found.called(n) for n in (-1, len(labels), 1 << 20)] == [None] * 3
