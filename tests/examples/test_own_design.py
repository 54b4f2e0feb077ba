# amaranth: UnusedElaboratable=no
"""The alarm of examples/own_design.py: right about every forecast, to the cycle, and Verilog."""

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

import bitformer
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_design.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("own_design", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def design():
    return bitformer.lower(bitformer.Model(initialize(named_config("tiny"))))


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(3).normal(size=(4, 24, 1))


def alarms(dut, windows, rate=1.0):
    """(cycle, alarm) of each forecast; the cycle in which each window's first number was taken."""
    found, begins = [], []
    chance = random.Random(0)

    async def send(ctx):
        for window in windows:
            for place, number in enumerate(window.ravel().tolist()):
                while chance.random() >= rate:
                    await ctx.tick()
                ctx.set(dut.i.payload, number)
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
                ctx.set(dut.i.valid, 0)
                if place == 0:
                    begins.append(cycle - 1)  # the watch has counted the edge that took it

    cycle = 0

    async def watch(ctx):
        nonlocal cycle
        for _ in range(20_000):
            if ctx.get(dut.o_done):
                found.append((cycle, ctx.get(dut.o_alarm)))
            if len(found) == len(windows):
                return
            await ctx.tick()
            cycle += 1
        raise AssertionError("every forecast must come in time")

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(watch)
    simulator.add_testbench(send, background=True)
    simulator.run()
    return found, begins


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_alarm_is_the_references(example, design, windows, rate):
    forecasts = design.model.predict(windows)
    peaks = np.sort(forecasts.max(axis=1))
    above = float(peaks[1] + peaks[2]) / 2
    threshold = example.threshold_of(design.model, above)
    dut = example.ForecastAlarm(design=design, threshold=threshold)
    integers = design.model.integer.quantize_input(windows)
    found, begins = alarms(dut, integers, rate)
    assert [alarm for _, alarm in found] == (forecasts > above).any(axis=1).tolist()
    assert {alarm for _, alarm in found} == {0, 1}
    if rate == 1.0:
        assert found[0][0] - begins[0] == design.latency


def test_threshold_is_exact_and_one_less_is_noticed(example, design, windows):
    """A forecast at the threshold raises no alarm; the mutant, a step lower, does."""
    peak = float(design.model.predict(windows[:1]).max())
    integers = design.model.integer.quantize_input(windows[:1])
    exact = example.threshold_of(design.model, peak)
    for threshold, alarm in ((exact, 0), (exact - 1, 1)):
        dut = example.ForecastAlarm(design=design, threshold=threshold)
        assert alarms(dut, integers)[0][0][1] == alarm


def test_script_writes_verilog_from_an_empty_folder(design, tmp_path):
    design.model.save(tmp_path / "m.safetensors")
    command = [sys.executable, "-P", EXAMPLE, "m.safetensors", "--above", "0.5"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"an alarm {design.latency} cycles after" in done.stdout
    source = (tmp_path / "forecast_alarm.v").read_text()
    assert "module forecast_alarm(" in source
    for port in ("i__payload", "i__valid", "i__ready", "o_alarm", "clk", "rst"):
        assert port in source.split("forecast_alarm(", 1)[1].split(")", 1)[0]
