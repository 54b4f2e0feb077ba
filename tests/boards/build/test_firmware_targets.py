"""Results of several targets in units, by firmware in C and MicroPython: each target's own."""

import copy
import ctypes
import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from firmware_harness import FLAGS, NAMES, micro_of, trained, written

from bitformer.boards.build.firmware import HEADER_FILE, SCALING_FILE, header
from bitformer.hw.scaling import scaling_data
from bitformer.model.config import NAMED_CONFIGS
from bitformer.model.forecasts.scaling import scaling_of
from bitformer.model.initialize import initialize

#: Names and scales of three targets, the second of which is no input.
SCALES = [(NAMES[2], 0.0, 1.0), ("load, kW", 1234.5, 98.76), (NAMES[0], -0.1, 1e-9)]
TARGETS = [
    {"name": name, "mean": mean, "std": std, "channel": channel}
    for (name, mean, std), channel in zip(SCALES, (2, None, 0), strict=True)
]
SHIM = """
#include "bitformer_model.h"
static int16_t results[BITFORMER_MODEL_RESULTS];
static double units[BITFORMER_MODEL_RESULTS];
int count(void) { return BITFORMER_MODEL_RESULTS; }
void forecast(const int16_t *given, double *found) {
    for (int k = 0; k < BITFORMER_MODEL_RESULTS; k++)
        results[k] = given[k];
    bitformer_forecast(&bitformer_model, results, units);
    for (int k = 0; k < BITFORMER_MODEL_RESULTS; k++)
        found[k] = units[k];
}
double unit(unsigned target, int16_t word) {
    return bitformer_units_of(&bitformer_model, target, word);
}
const char *name(unsigned target) { return bitformer_model.target_columns[target].name; }
const char *first(void) { return bitformer_model.target.name; }
"""


@pytest.fixture(scope="module")
def model():
    config = NAMED_CONFIGS["tiny"].replace(
        inputs=4, targets=3, horizon=5, subtract_last=False, output_bits=10
    )
    dataset = trained().meta["dataset"] | {
        "target": ", ".join(one["name"] for one in TARGETS),
        "target_mean": 0.0,
        "target_std": 1.0,
        "targets": TARGETS,
    }
    return replace(initialize(config, samples=8), meta={"dataset": dataset})


@pytest.fixture(scope="module")
def words(model):
    rng = np.random.default_rng(3)
    return rng.integers(model.output.low, model.output.high, (20, 15), endpoint=True)


@pytest.fixture(scope="module")
def expected(model, words):
    """By the rule of docs/firmware.md, word by word."""
    spec = model.output
    deviations = (words - spec.zero) * 2.0**spec.exponent
    return np.concatenate(
        [deviations[:, 5 * n : 5 * n + 5] * std + mean for n, (_, mean, std) in enumerate(SCALES)],
        axis=1,
    )


def test_units_are_those_of_each_target(model, words, expected):
    assert (scaling_of(model).in_units(model.dequantize_output(words)) == expected).all()


def test_the_numbers_name_each_target(model, tmp_path):
    written(model, tmp_path)
    data = json.loads((tmp_path / SCALING_FILE).read_text())
    assert data == scaling_data(model)
    assert (data["horizon"], data["results"]) == (5, 15)
    assert data["targets"] == [
        {"name": name, "mean": mean, "std": std} for name, mean, std in SCALES
    ]
    assert "target" not in data
    one = scaling_data(trained())
    assert (one["horizon"], one["results"]) == (6, 6)
    assert "targets" not in one
    assert one["target"]["name"] == NAMES[2]


def test_micropython_is_python(model, words, expected, tmp_path):
    written(model, tmp_path)
    micro = micro_of(tmp_path)
    scales = micro.Scales(json.loads((tmp_path / SCALING_FILE).read_text()))
    assert [scales.units(row) for row in words.tolist()] == expected.tolist()
    by_name = scales.by_target(words[0].tolist())
    assert list(by_name) == [name for name, _, _ in SCALES]
    assert by_name["load, kW"] == expected[0, 5:10].tolist()
    alone = micro.Scales(scaling_data(trained()))
    assert list(alone.by_target([0] * 6)) == [NAMES[2]]


def compiled(folder):
    compiler = shutil.which("gcc") or shutil.which("cc")
    (folder / "shim.c").write_text(SHIM)
    command = [compiler, *FLAGS.split(), "-O2", "-fPIC", "-shared", "shim.c", "-o", "shim.so"]
    subprocess.run(command, cwd=folder, check=True)
    found = ctypes.CDLL(str(folder / "shim.so"))
    found.unit.restype, found.unit.argtypes = ctypes.c_double, (ctypes.c_uint, ctypes.c_int16)
    found.name.restype = found.first.restype = ctypes.c_char_p
    return found


def c_forecast(found, rows):
    units = np.empty(rows.shape)
    for given, own in zip(rows.astype(np.int16), units, strict=True):
        given = np.ascontiguousarray(given)
        found.forecast(*(one.ctypes.data_as(ctypes.c_void_p) for one in (given, own)))
    return units


@pytest.mark.needs("c-compiler")
def test_c_is_python(model, words, expected, tmp_path):
    written(model, tmp_path)
    found = compiled(tmp_path)
    assert found.count() == 15
    assert (c_forecast(found, words) == expected).all()
    assert [found.name(n).decode() for n in range(3)] == [name for name, _, _ in SCALES]
    assert found.first().decode() == SCALES[0][0]
    for target in range(3):
        assert found.unit(target, int(words[0, 5 * target])) == expected[0, 5 * target]
    text = (tmp_path / HEADER_FILE).read_text()
    for line in ("HORIZON 5", "TARGETS 3", "RESULTS 15"):
        assert f"#define BITFORMER_MODEL_{line}\n" in text


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize("places", [(1, 0, 2), (0, 2, 1)])
def test_targets_that_change_places_are_found(model, words, expected, tmp_path, places):
    written(model, tmp_path)
    data = copy.deepcopy(scaling_data(model))
    data["targets"] = [data["targets"][n] for n in places]
    (tmp_path / HEADER_FILE).write_text(header(data))
    wrong = c_forecast(compiled(tmp_path), words)
    micro = micro_of(tmp_path).Scales(data)
    assert [micro.units(row) for row in words.tolist()] == wrong.tolist()
    same = [(wrong[:, 5 * n : 5 * n + 5] == expected[:, 5 * n : 5 * n + 5]).all() for n in range(3)]
    assert same == [place == n for n, place in enumerate(places)]


@pytest.mark.needs("cpp-compiler")
def test_header_is_cpp_as_well(model, tmp_path):
    written(model, tmp_path)
    (tmp_path / "a.cpp").write_text(SHIM)
    compiler = shutil.which("g++") or shutil.which("c++")
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-std=c++17"]
    subprocess.run([compiler, *flags, "a.cpp"], cwd=tmp_path, check=True)
