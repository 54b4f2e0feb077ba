"""Awkward files of ``../shared/data/awkward_csv``, and ones like them, from rows to windows."""

import numpy as np
import pytest

from bitformer.model.baselines import baselines
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.sources import SOURCES, find
from bitformer.model.errors import UserError


@pytest.fixture(scope="module")
def load():
    """Loads an awkward file for 48 + 12 rows."""
    folder = find(SOURCES["etth1"]).parents[1] / "awkward_csv"

    def loaded(name: str, **options):
        options = {"window": 48, "horizon": 12, "target": "load", "time": "time"} | options
        return load_dataset(str(folder / name), **options)

    return loaded


pytestmark = pytest.mark.needs("awkward-files")


def series_of(data) -> np.ndarray:
    return data.train.target * data.target_std + data.target_mean


@pytest.mark.parametrize("name", ["lostrows.csv", "everylost.csv"])
def test_lost_rows_are_filled_and_counted(load, name):
    base, lost = series_of(load("base.csv")), load(name)
    found = series_of(lost)
    changed = np.flatnonzero(np.abs(found - base) > 1e-9)
    assert len(found) == 600
    np.testing.assert_allclose(found[changed], base[changed - 1])
    assert len(changed) >= 25
    assert any(note.startswith("30 lost rows, on a step of 1h, took the va") for note in lost.notes)
    assert (len(lost.train), len(lost.val), len(lost.test)) == (301, 109, 109)
    with pytest.raises(
        UserError, match=r"longest stretch 19; --max-fill 1 or --step row \(.* would do"
    ):
        load(name, max_fill=0)


def test_jitter_is_one_step(load):
    data = load("jitter.csv")
    assert (str(data.step), data.period) == ("1min", 1440)
    assert (
        "The clock jitters: rows lie 11 to 110 s apart, and count as one step of 1min" in data.notes
    )
    assert (len(data.train), len(data.val), len(data.test)) == (301, 109, 109)


def test_business_days(load):
    data = load("business.csv", target="Close", time="Date")
    assert str(data.step) == "1b"
    assert (len(data.train), len(data.val), len(data.test)) == (301, 109, 109)
    assert any("--step 1d counts calendar days" in note for note in data.notes)
    by_calendar = load("business.csv", target="Close", time="Date", step="1d")
    assert len(by_calendar.train.target) == 840
    by_row = load("business.csv", target="Close", time="Date", step="row")
    np.testing.assert_array_equal(by_row.train.target, data.train.target)


def test_newest_first(load):
    data, base = load("desc.csv"), load("base.csv")
    np.testing.assert_allclose(series_of(data), series_of(base), atol=1e-9)
    np.testing.assert_array_equal(data.test.first, base.test.first)


def test_the_repeated_hour(load):
    with pytest.raises(
        UserError,
        match=r"line 339 repeats that of line 338: if clocks were set back an hour there, name",
    ):
        load("dst_autumn_naive.csv")


def test_every_third_hour(load):
    data = load("base3h.csv")
    assert (str(data.step), data.period) == ("3h", 8)
    with pytest.raises(UserError, match=r"; --window 88 --horizon 24 would do$"):
        load("base3h.csv", window=96, horizon=48)
    assert len(load("base3h.csv", window=88, horizon=24).val) > 0


def test_a_value_that_repeats(load):
    note = (
        "load is -999 in 17 rows, the first in line 7, and 14.102 to 26.059 in all others: if it"
        " stands for a missing value, --missing -999 reads it as one"
    )
    assert note in load("sentinel.csv").notes


@pytest.mark.parametrize(("name", "text"), [("spike.csv", r"1e\+06"), ("huge.csv", r"1e\+200")])
def test_a_value_that_swallows_the_scale(load, name, text):
    with pytest.raises(
        UserError, match=rf"load is {text} in line 102, .* --missing {text} reads it"
    ):
        load(name)


def test_a_spike_in_the_test_part_is_warned_of(load, tmp_path):
    path = tmp_path / "late.csv"
    rows = [f"{i},{i % 24}" for i in range(600)]
    rows[550] = "550,1e6"
    path.write_text("\n".join(["t,a", *rows]))
    data = load_dataset(str(path), window=24, horizon=2, target="a", time="t")
    assert any(note.startswith("a is 1e+06 in line 552, and 0 to 23 else") for note in data.notes)
    assert data.target_std == pytest.approx(np.std(np.arange(360) % 24))
    assert all(np.isfinite(error) for error in baselines(data).values() if error is not None)


METRO = {"target": "value", "time": "timestamp"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("machine_temperature_system_failure", "line 10151 goes back behind that of line 10150"),
        ("ec2_request_latency_system_failure", "line 559 repeats that of line 558"),
    ],
)
def test_the_remedy_for_times_out_of_order(name, message):
    path = str(find(SOURCES["etth1"]).parents[1] / "nab" / f"{name}.csv")
    with pytest.raises(UserError, match=rf"{message}: --repeats first, last or mean"):
        load_dataset(path, window=48, horizon=12, **METRO)
    data = load_dataset(path, window=48, horizon=12, repeats="mean", **METRO)
    assert str(data.step) == "5min"
    assert any("rows had a time that another has: the mean" in note for note in data.notes)
