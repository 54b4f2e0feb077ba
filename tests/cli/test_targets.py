# amaranth: UnusedElaboratable=no
"""Two targets of a user's file, all the way: training, forecasts, hardware, shell, firmware."""

import csv
import importlib.util
import json

import numpy as np
import pytest
from byte_line import ByteShell, ByteTransport
from link_harness import compiled_once
from pins_harness import SimulatedUart

from bitformer.boards.host.client import Client
from bitformer.boards.host.forecaster import Forecaster
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.shell.shell import UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.checkpoint import load_model
from bitformer.model.forecasts.recent import recent_windows

ROWS, HORIZON, BAUD = 300, 4, 10_000
TARGETS = ("temp", "load")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    rng = np.random.default_rng(0)
    hours = np.arange(ROWS)
    load = 1000 + 300 * np.sin(hours / 24 * 6.283) + rng.normal(0, 30, ROWS)
    temp = 15 + 5 * np.cos(hours / 24 * 6.283) + rng.normal(0, 0.5, ROWS)
    path = tmp_path_factory.mktemp("file") / "two.csv"
    rows = [
        f"2024-01-{1 + k // 24:02} {k % 24:02}:00,{load[k]:.3f},{temp[k]:.4f},room" for k in hours
    ]
    path.write_text("\n".join(["date,load,temp,name", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.json"
    small = {"name": "small", "window": 12, "patch": 4, "horizon": HORIZON, "d_model": 4, "ffn": 6}
    path.write_text(json.dumps(small | {"subtract_last": True}))
    return path


@pytest.fixture(scope="module")
def trained(file, config, tmp_path_factory):
    """What ``train`` said, as JSON, of two targets named one by one, and its folder."""
    from click.testing import CliRunner

    from bitformer.cli.main import cli

    run = tmp_path_factory.mktemp("runs") / "run"
    options = ["--epochs", "1", "--qat-epochs", "1", "--time", "date", "--config", str(config)]
    named = ["--target", "temp", "--target", "load", "--inputs", "load,temp"]
    said = CliRunner().invoke(
        cli, ["train", "--data", str(file), *named, *options, "-o", str(run), "--json"]
    )
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout), run


@pytest.fixture(scope="module")
def path(trained):
    return trained[1] / "model.safetensors"


@pytest.fixture(scope="module")
def model(path):
    return load_model(path)


def test_training_says_each_target(trained):
    data, run = trained
    assert (data["config"]["targets"], data["config"]["target_channels"]) == (2, [1, 0])
    assert data["data"]["target"] == "temp, load"
    assert [one["target"] for one in data["by_target"]] == ["temp", "load"]
    temp, load = (one["test_rmse"]["integer"] for one in data["by_target"])
    assert 0.3 < temp < 10 < load < 400
    source = json.loads((run / "source.json").read_text())
    assert (source["target"], source["inputs"]) == (["temp", "load"], ["load", "temp"])


@pytest.mark.parametrize("target", ["temp,load", "all"])
def test_targets_may_be_a_list(bitformer, file, config, tmp_path, target):
    names = ("--target", target, "--inputs", "load,temp")
    options = ("--epochs", 1, "--qat-epochs", 1, "--time", "date", "--config", config)
    said = bitformer("train", "--data", file, *names, *options, "-o", tmp_path / "run")
    assert said.code == 0, said.err
    order = "temp, load" if target != "all" else "load, temp"
    assert f"Config small forecasts 2 targets here: {order}" in said.err
    first = order.split(", ")[0]
    assert f"\n{first}: The integer model " in said.out
    # a heading may take several lines
    assert {"RMSE", "MAE", "all,", first} <= {*said.out.split()}


def test_scores_are_said_of_all_and_of_each(bitformer, path):
    said = bitformer("evaluate", path)
    assert said.code == 0
    assert "\nload: small (integer) " in said.out
    # a heading may take several lines
    assert {"RMSE", "all,", "temp", "load"} <= {*said.out.split()}
    said = bitformer("evaluate", path, "--json")
    each = said.data["by_target"]
    errors = [one["test_mse"]["small (integer)"] for one in each]
    assert said.data["test_mse"]["small (integer)"] == pytest.approx(np.mean(errors))
    assert [one["target"] for one in each] == list(TARGETS)
    assert each[0]["interval_coverage"].keys() == {"50", "80", "95"}


def test_forecasts_name_their_target(bitformer, path, file, model, tmp_path):
    table = tmp_path / "f.csv"
    said = bitformer("predict", path, "--windows", 2, "--csv", table)
    assert said.code == 0
    for target in TARGETS:
        assert f"Forecast of {target}, after line {ROWS + 1}" in said.out
    said = bitformer("predict", path, "--windows", 2, "--json")
    assert said.data["targets"] == list(TARGETS)
    forecasts = dict(zip(TARGETS, said.data["forecasts"], strict=True))
    assert all(np.shape(one["forecast"]) == (2, HORIZON) for one in forecasts.values())
    assert np.min(forecasts["load"]["forecast"]) > 700
    assert 0 < np.min(forecasts["temp"]["forecast"]) < np.max(forecasts["temp"]["forecast"]) < 40
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert list(rows[0]) == ["target", "time", "step", "forecast", "low", "high", "truth", "line"]
    assert [row["target"] for row in rows] == ["temp"] * 2 * HORIZON + ["load"] * 2 * HORIZON
    for target in TARGETS:
        written = [float(row["forecast"]) for row in rows if row["target"] == target]
        assert written == np.ravel(forecasts[target]["forecast"]).tolist()
    # the file has the truth of all but one step of the older window
    assert [one["error"]["values"] for one in forecasts.values()] == [1, 1]


def test_a_file_may_lack_a_target_that_is_an_input_of_another_name(bitformer, path, file, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(file.read_text().replace("load,temp", "power,degrees", 1))
    names = ("--inputs", "power,degrees")
    said = bitformer("predict", path, "--data", other, *names, "--json")
    own = bitformer("predict", path, "--json")
    assert said.data["targets"] == ["degrees", "power"]
    ours, theirs = ([one["forecast"] for one in found.data["forecasts"]] for found in (said, own))
    assert ours == theirs
    said = bitformer("predict", path, "--data", other, *names, "--target", "power")
    assert said.code == 2
    assert "Error: Data must have 2 target(s) for this model, not 1: name with --target" in said.err
    said = bitformer("evaluate", path, "--data", other, *names, "--json")
    assert [one["target"] for one in said.data["by_target"]] == ["degrees", "power"]


def test_a_picture_for_each_target(bitformer, path, tmp_path):
    pytest.importorskip("matplotlib")
    said = bitformer("predict", path, "--plot", tmp_path / "f.png", "--json")
    assert said.data["plot"] == [str(tmp_path / f"f-{n}.png") for n in (1, 2)]
    assert all((tmp_path / f"f-{n}.png").stat().st_size > 1000 for n in (1, 2))


def test_what_a_model_is(bitformer, path):
    said = bitformer("info", path)
    assert f"{HORIZON} output(s) for each of 2 targets" in said.out
    sentence = "forecasts 4 steps of each of temp, load, one after the other, from the next row on"
    assert sentence in said.out
    answer = bitformer("info", path, "--json").data["answer"]
    assert (answer["numbers"], answer["targets"]) == (HORIZON, list(TARGETS))


def test_a_build_says_what_comes_out(built):
    facts = json.loads((built / "bitformer.json").read_text())
    assert facts["answer"]["targets"] == list(TARGETS)
    assert "of each of temp, load, one after the other" in (built / "README.txt").read_text()


def test_the_hardware_is_exact(bitformer, path, model):
    said = bitformer("simulate", path, "--samples", 2, "--engine", "python", "--json")
    assert said.code == 0
    assert said.data["latency_cycles"][0] == lower(model).latency
    assert (said.data["bit_exact"], said.data["interval_cycles"]) == (True, [lower(model).interval])


def in_units(model, dataset, results):
    """Integers of results in the units of both targets, by the rule of docs/firmware.md."""
    spec, found = model.output, []
    for n, one in enumerate(dataset["targets"]):
        own = results[:, n * HORIZON : (n + 1) * HORIZON]
        found.append((own - spec.zero) * 2.0**spec.exponent * one["std"] + one["mean"])
    return found


def newest(model, file):
    """The newest standardised window of the file, and its rows in units."""
    from bitformer.model.forecasts.new_rows import read_new_rows

    rows = read_new_rows(model, str(file), reading={}, with_target=False)
    recent = recent_windows(rows, window=12, horizon=HORIZON)
    return recent.x, rows.cleaned.values[-12:, :2]


@pytest.fixture(scope="module")
def built(path, tmp_path_factory):
    from click.testing import CliRunner

    from bitformer.cli.main import cli

    folder = tmp_path_factory.mktemp("built") / "board"
    options = ["--board", "cmod-s7", "--link", "uart", "--plan-only", "-o", str(folder)]
    said = CliRunner().invoke(cli, ["build", str(path), *options])
    assert said.exit_code == 0, said.output
    return folder


def check_shell(client, model, path, file, built, bitformer):
    """A shell's answers in units, by three hosts, are what ``predict`` says."""
    x, samples = newest(model, file)
    windows = model.quantize_input(x)
    results = reference.run(model, windows)[model.output.name].reshape(1, -1)
    wanted = in_units(model, model.meta["dataset"], results)
    # the host in Python
    heard = Forecaster(client, model).predict(x)
    for part, (one, units) in zip(
        np.split(heard, 2, axis=1),
        zip(model.meta["dataset"]["targets"], wanted, strict=True),
        strict=True,
    ):
        assert (part * one["std"] + one["mean"] == units).all()
    # what the command says
    said = bitformer("predict", path, "--json")
    assert [one["forecast"] for one in said.data["forecasts"]] == [one.tolist() for one in wanted]
    # a board's own program, with the numbers of the build
    spec = importlib.util.spec_from_file_location("micro", built / "bitformer_micro.py")
    micro = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(micro)
    scales = micro.Scales(json.loads((built / "scaling.json").read_text()))
    window = scales.window(samples.tolist())
    assert window == windows.ravel().tolist()
    answer = client.infer(windows.ravel().tolist())
    by_name = scales.by_target(list(answer))
    assert by_name == {name: one[0].tolist() for name, one in zip(TARGETS, wanted, strict=True)}


def test_a_shell_answers_in_the_units_of_each_target(model, path, file, built, bitformer):
    design = lower(model, part="xc7s25")
    shell = ByteShell(accelerator=Accelerator(design=design))
    patience = 2 * design.latency + 10_000
    with Client(ByteTransport(shell, patience=patience), retries=0) as client:
        check_shell(client, model, path, file, built, bitformer)


@pytest.fixture(scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_a_uart_answers_by_its_pins(cache, model, path, file, built, bitformer):
    accelerator = Accelerator(design=lower(model, part="xc7s25"))
    shell = UartShell(accelerator=accelerator, clock_hz=8 * BAUD, baud=BAUD, gap_bits=40)
    with Client(UartTransport(SimulatedUart(shell, timeout=0.5))) as client:
        check_shell(client, model, path, file, built, bitformer)
        assert client.self_test() is None


def test_mistakes_are_one_sentence(bitformer, file, config, tmp_path):
    named = ("--target", "temp,load", "--time", "date", "--config", config, "-o", tmp_path / "run")
    for options, sentence in (
        (("--raw", 12), "raw takes one target, not 2 (temp, load): name one of them, as --target"),
        (("--range", "0,50"), "range must name its column where there are several targets, temp"),
        (("--target", "load"), "Column 'temp,load' is not in"),
    ):
        said = bitformer("train", "--data", file, *named, *options)
        assert said.code == 2
        assert f"Error: {sentence}" in said.err
