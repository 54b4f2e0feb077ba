"""The time behind a window's samples: what firmware puts there is what Python does."""

import ctypes
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from firmware_harness import FLAGS, micro_of, trained, written

from bitformer.model.calendar import clock_at
from bitformer.model.errors import UserError
from bitformer.model.forecasts.scaling import scaling_of

BOTH = ("hour", "weekday")
MODELS = {
    "none": trained(),
    "hour": trained(calendar=("hour",)),
    "weekday": trained(calendar=("weekday",), bits=(6, 8), exponents=(0, -5)),
    "both": trained(calendar=BOTH),
    "words": trained(calendar=BOTH, bits=(12, 12), words=True, exponents=(-9, -9)),
    "16-bit words": trained(calendar=BOTH, bits=(16, 16), words=True, exponents=(-13, -12)),
}
TIMES = [(0, 0), (23, 6), (5, 1), (17, 6), (12, 3)]
SHIM = """
#include "bitformer_model.h"
unsigned size(void) { return BITFORMER_MODEL_WORDS; }
unsigned takes(void) { return BITFORMER_MODEL_HOUR | BITFORMER_MODEL_WEEKDAY << 1; }
int32_t window(const double *samples, unsigned hour, unsigned weekday, int16_t *words) {
    if (bitformer_words(&bitformer_model, samples, words) < 0)
        return -2;
    return bitformer_time(&bitformer_model, hour, weekday, words);
}
"""


def windows(model, count=1):
    """Samples in units, and the words that Python makes of them at a time."""
    scaling = scaling_of(model)
    rng = np.random.default_rng(0)
    samples = scaling.mean + scaling.std * rng.normal(0, 1, (count, *model.input.shape))

    def words(hour, weekday):
        numbers = {"hour": hour, "weekday": weekday}
        clock = np.array([[numbers[name] for name in model.config.calendar]], dtype=np.int64)
        x = model.quantize_input(scaling.standardised(samples), clock)
        return model.words(x).ravel().tolist()

    return samples, words


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize("name", MODELS)
def test_words_in_c_are_pythons(tmp_path, name):
    model = MODELS[name]
    written(model, tmp_path)
    (tmp_path / "shim.c").write_text(SHIM)
    compiler = shutil.which("gcc") or shutil.which("cc")
    command = [compiler, *FLAGS.split(), "-O2", "-fPIC", "-shared", "shim.c", "-o", "shim.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    shim = ctypes.CDLL(str(tmp_path / "shim.so"))
    assert shim.size() == model.window_size
    calendar = model.config.calendar
    assert shim.takes() == ("hour" in calendar) + 2 * ("weekday" in calendar)
    samples, expected = windows(model)
    found = np.full(model.window_size + 1, 77, np.int16)  # and what is behind

    def put(hour, weekday):
        samples_at, words_at = (a.ctypes.data_as(ctypes.c_void_p) for a in (samples, found))
        return shim.window(samples_at, hour, weekday, words_at)

    for hour, weekday in TIMES:
        assert put(hour, weekday) == 0
        words = found[:-1].view(np.uint16) if model.config.adc_words else found[:-1]
        assert words.tolist() == expected(hour, weekday)
        assert found[-1] == 77
    for hour, weekday in ((24, 0), (0, 7), (2**32 - 1, 2**32 - 1)):
        assert put(3, 3) == 0
        before = found.tolist()
        wrong = ("hour" in calendar and hour > 23) or ("weekday" in calendar and weekday > 6)
        assert put(hour, weekday) == (-1 if wrong else 0)
        assert (found.tolist() == before) == (wrong or not calendar)


@pytest.mark.parametrize("name", MODELS)
def test_words_in_micropython_are_pythons(tmp_path, name):
    model = MODELS[name]
    written(model, tmp_path)
    micro = micro_of(tmp_path)
    scales = micro.Scales(json.loads((tmp_path / "scaling.json").read_text()))
    samples, expected = windows(model)
    rows = samples[0].tolist()
    for hour, weekday in TIMES:
        assert scales.window(rows, hour=hour, weekday=weekday) == expected(hour, weekday)
    for name, wrong in (("hour", 24), ("hour", -1), ("weekday", 7), ("weekday", None)):
        given = {"hour": 0, "weekday": 0, name: wrong}
        if name not in model.config.calendar:
            assert scales.time(**given) == scales.time(0, 0)
            continue
        with pytest.raises(micro.ScalesError, match=f"takes the {name}, 0 to .*, not {wrong}"):
            scales.time(**given)


def test_the_numbers_of_a_time():
    monday = datetime(2026, 11, 30, 7, 45)
    assert clock_at(BOTH, monday).tolist() == [[7, 0]]
    assert clock_at(("weekday",), [monday, monday - timedelta(days=1)]).tolist() == [[0], [6]]
    # as it is written, wherever the clock stands
    assert clock_at(("hour",), monday.replace(tzinfo=UTC)).tolist() == [[7]]
    late = datetime(2026, 11, 29, 23, 59, 31)
    assert clock_at(BOTH, late).tolist() == [[0, 0]]
    assert clock_at(BOTH, late - timedelta(seconds=2)).tolist() == [[23, 6]]
    assert clock_at(BOTH, late, step=60.0).tolist() == [[23, 6]]
    assert clock_at(BOTH, late.replace(second=46), step=60.0).tolist() == [[0, 0]]
    assert clock_at((), [monday, monday]).shape == (2, 0)
    with pytest.raises(UserError, match="time must be a datetime for each window, not '7:45'"):
        clock_at(BOTH, ["7:45"])


DETECTORS = {
    "a row": trained(task="detect", horizon=4, linear_path=False),
    "filled up": trained(task="detect", horizon=3, calendar=BOTH, linear_path=False),
    "two rows": trained(task="detect", horizon=6, calendar=("hour",), linear_path=False),
}
JUDGE = """
#include "bitformer_model.h"
unsigned size(void) { return BITFORMER_MODEL_WORDS + 1000u * BITFORMER_MODEL_JUDGED; }
int32_t window(const double *samples, const int16_t *judged, int16_t *words) {
    if (bitformer_words(&bitformer_model, samples, words) < 0)
        return -2;
    bitformer_judge(&bitformer_model, judged, words);
    return bitformer_time(&bitformer_model, 17, 3, words);
}
"""


@pytest.mark.needs("c-compiler")
@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_judged_stands_behind_the_time(tmp_path, name):
    """In C and in MicroPython as in Python."""
    model, rng = DETECTORS[name], np.random.default_rng(1)
    count, scaling = model.results.features, scaling_of(model)
    samples = scaling.mean + scaling.std * rng.normal(0, 1, model.input.shape)
    came = rng.normal(0, 1, (1, count))
    clock = np.array([[{"hour": 17, "weekday": 3}[n] for n in model.config.calendar]])
    timed = clock if model.config.calendar else None
    found = model.quantize_input(scaling.standardised(samples)[None], timed, came)
    expected = model.words(found).ravel().tolist()
    judged = model.quantize_input(np.zeros((1, *model.input.shape)), timed, came)
    first = (model.input.rows + model.config.clock_rows) * model.input.features
    judged = judged.ravel()[first : first + count].tolist()
    assert len({*judged}) > 1

    written(model, tmp_path)
    (tmp_path / "shim.c").write_text(JUDGE)
    compiler = shutil.which("gcc") or shutil.which("cc")
    command = [compiler, *FLAGS.split(), "-Wno-missing-prototypes", "-fPIC", "-shared"]
    subprocess.run([*command, "shim.c", "-o", "shim.so"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "shim.so"))
    assert library.size() == len(expected) + 1000 * count
    words = (ctypes.c_int16 * len(expected))(*[99] * len(expected))
    plain = np.ascontiguousarray(samples, dtype=np.float64)
    pointer = plain.ctypes.data_as(ctypes.c_void_p)
    assert library.window(pointer, (ctypes.c_int16 * count)(*judged), words) >= 0
    assert list(words) == expected

    micro = micro_of(tmp_path)
    scales = micro.Scales(json.loads((tmp_path / "scaling.json").read_text()))
    hour = {"hour": 17, "weekday": 3}
    assert scales.window(samples.tolist(), **hour, judged=judged) == expected
    with pytest.raises(micro.ScalesError, match=f"^the model judges {count} integers$"):
        scales.window(samples.tolist(), **hour)
