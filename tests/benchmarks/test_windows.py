"""The script that compares a million windows: a few hundred, broken off and gone on with."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.sim.run import simulate

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def windows(monkeypatch):
    """The scripts' folder is where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import windows

    return windows


def invoke(windows, *arguments):
    return CliRunner().invoke(windows.main, [*map(str, arguments), "--json"])


@pytest.mark.needs("compiler")
def test_a_run_that_was_broken_off_goes_on(windows, monkeypatch, tmp_path):
    results, compared, ran = tmp_path / "windows.jsonl", windows.compared, []
    settings = ("random-layer", "--windows", 400, "--batch", 100, "--results", results)

    def until(limit):
        def run(*arguments, batch, **options):
            if len(ran) == limit:
                raise KeyboardInterrupt
            ran.append(batch)
            return compared(*arguments, batch=batch, **options)

        monkeypatch.setattr(windows, "compared", run)

    until(2)
    assert invoke(windows, *settings).exit_code == 1
    with results.open("a") as file:
        file.write('{"key": "cut o')
    until(10)
    done = invoke(windows, *settings)
    assert done.exit_code == 0, done.output
    assert ran == [0, 1, 2, 3]
    found = json.loads(done.stdout)["all"]
    assert (found["windows"], found["under_back_pressure"]) == (400, 100)
    assert found["differences"] == []
    interval = lower(windows.make("random-layer")).interval
    assert found["cycles"] > 400 * interval
    until(0)
    again = invoke(windows, *settings)
    assert json.loads(again.stdout) == json.loads(done.stdout)


def test_a_wrong_bit_is_told(windows, monkeypatch, tmp_path):
    def faulty(design, x, **options):
        model = design.model
        steps = replace(model.steps, zero=model.steps.zero + 1)
        mutant = replace(design, model=replace(model, tensors={**model.tensors, steps.name: steps}))
        options |= {"engine": "python", "accelerator": Accelerator(design=mutant)}
        return simulate(design, x, **options)

    monkeypatch.setattr(windows, "simulate", faulty)
    results = tmp_path / "windows.jsonl"
    done = invoke(windows, "random-layer", "--windows", 2, "--batch", 2, "--results", results)
    assert done.exit_code == 1
    (text,) = json.loads(done.stdout)["all"]["differences"]
    assert text.startswith("delta")


def test_windows_are_shared_out(windows):
    names = tuple(windows.SHARES)
    for count in (1, 99, 600, 1_000_000):
        assert sum(windows.shared(count, names).values()) == count
    assert windows.shared(1_000_000, names)["random-mean"] == 320_000
    assert list(windows.batches(25, 10)) == [(0, 10), (1, 10), (2, 5)]


def test_windows_are_of_all_kinds(windows):
    model = windows.make("random-mean")
    x = windows.samples(model, 400, 0, 0)
    spec = model.input
    ends = np.isin(x, (spec.low, spec.high)).all(axis=(1, 2))
    constant = (x == x[:, :1, :1]).all(axis=(1, 2))
    assert 20 < constant.sum() < 100
    assert constant.sum() + 20 < ends.sum() < 200
    assert (x.min(), x.max()) == (spec.low, spec.high)
    assert np.array_equal(x, windows.samples(model, 400, 0, 0))
    assert not np.array_equal(x, windows.samples(model, 400, 0, 1))
