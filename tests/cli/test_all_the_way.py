# amaranth: UnusedElaboratable=no
"""Every named configuration goes from ``init`` to forecasts over a simulated shell's line.

The names come from the registry: a new one is in. The shell runs in Amaranth's simulator, behind
bytes, for three of them in the default suite; the slow tests compile it, too, behind the pins of an
SPI bus and a UART. A decoder from a user's file goes from ``init`` to Verilog.
"""

import json
import random
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from byte_line import ByteShell, ByteTransport
from link_harness import LossyUart, compiled_once
from pins_harness import SimulatedSpi, SimulatedUart

from bitformer.boards.build.fit import TooLargeError, check_fit
from bitformer.boards.catalog import find_board
from bitformer.boards.host.client import Client
from bitformer.boards.host.forecaster import Forecaster
from bitformer.boards.host.transport import SpiTransport, UartTransport
from bitformer.boards.shell.contract import DEFAULT_VECTORS, contract_of
from bitformer.boards.shell.shell import SpiShell, UartShell
from bitformer.cli.demo import BOARD
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import ir, reference
from bitformer.model.calendar import ROWS
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import NAMED_CONFIGS, TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize

BAUD = 10_000
#: Of the family that is made on demand, the smallest published one and the largest.
GRID = ("grid-6-8-4", "grid-24-64-8")
#: A stream has no shell.
WINDOWS = tuple(name for name, config in NAMED_CONFIGS.items() if not config.stream)
#: Run in the default suite; the others are slow.
DEFAULT = ("tiny", "etth1-96-24", GRID[0])
#: A decoder whose output has three rows, and an input two channels.
DECODER = named_config("tiny").replace(
    name="decoder", decoder_layers=1, horizon=12, inputs=2, linear_path=False
)
#: Cycles of an inference that Amaranth's simulator follows tensor by tensor within seconds.
QUICK = 5_000


def windows(model, count):
    return np.random.default_rng(1).normal(size=(count, *model.input.shape))


def check_host(client, model, x, clock=None):
    """What a host hears is the reference's forecast, and the shell says what it is; gives both."""
    if clock is None and model.config.calendar:
        rows = [ROWS[number] for number in model.config.calendar]
        clock = np.random.default_rng(0).integers(0, rows, (len(x), len(rows)))
    forecaster = Forecaster(client, model)
    heard = forecaster.predict(x, clock)
    assert np.array_equal(heard, reference.predict(model, x, clock))
    facts = client.registers
    assert (facts.inputs, facts.results) == (model.window_size, model.output.size)
    assert facts.model_hash == model_hash(model)
    return forecaster, heard


def refusal(design):
    """Why the default board is too small for the design; empty if it is not."""
    shell = SpiShell(accelerator=Accelerator(design=design), clock_hz=100_000_000)
    try:
        check_fit(find_board(BOARD), shell)
    except TooLargeError as error:
        return str(error)
    return ""


def check_plan(bitformer, path, design, tmp_path):
    """The build plan, or the sentence that says why there is none; True if there is one."""
    said = bitformer("build", path, "--board", BOARD, "--plan-only", "-o", tmp_path / "plan")
    if refused := refusal(design):
        assert said.code == 2
        assert said.err.splitlines()[-1].startswith(f"Error: {refused}; ")
        return False
    assert said.code == 0
    facts = json.loads((tmp_path / "plan" / "bitformer.json").read_text())
    assert facts["model"] == model_hash(design.model).hex()
    assert facts["latency_cycles"] == design.latency
    verilog = "".join(file.read_text() for file in (tmp_path / "plan").glob("*.v"))
    assert f"module {facts['name']}(" in verilog
    return True


def byte_client(design, contract=None):
    shell = ByteShell(accelerator=Accelerator(design=design), contract=contract)
    return Client(ByteTransport(shell, patience=2 * design.latency + 10_000), retries=0)


@pytest.mark.parametrize(
    "name",
    [
        name if name in DEFAULT else pytest.param(name, marks=pytest.mark.slow)
        for name in (*WINDOWS, GRID[0])
    ],
)
def test_every_named_config_goes_all_the_way(name, bitformer, tmp_path):
    path = tmp_path / "m.safetensors"
    assert bitformer("init", name, "-o", path).code == 0
    model = load_model(path)
    design = lower(model, part=find_board(BOARD).part)
    if design.latency <= QUICK:
        said = bitformer("simulate", path, "--samples", 1, "--engine", "python", "--json")
        assert (said.code, said.data["latency_cycles"]) == (0, [design.latency])
    if check_plan(bitformer, path, design, tmp_path):
        with byte_client(design) as client:
            check_host(client, model, windows(model, 1))


@pytest.fixture(scope="module")
def decoder():
    return lower(initialize(DECODER))


@pytest.fixture(scope="module")
def decoder_client(decoder):
    with byte_client(decoder) as client:
        yield client


def test_decoder_with_several_output_rows(decoder, decoder_client, bitformer, tmp_path):
    path, model = tmp_path / "m.safetensors", decoder.model
    assert (model.output.rows, model.output.features) == (3, 4)
    save_model(model, path)
    assert bitformer("simulate", path, "--samples", 1, "--engine", "python").code == 0
    assert check_plan(bitformer, path, decoder, tmp_path)
    check_host(decoder_client, model, windows(model, 2))
    assert decoder_client.self_test() is None


def test_the_time_comes_over_the_line(bitformer, tmp_path):
    """Windows go with their time, those that the chip replays, too."""
    small = {"window": 4, "horizon": 2, "d_model": 4, "ffn": 4, "inputs": 3, "subtract_last": True}
    words = {"input_bits": 10, "output_bits": 10, "adc_words": True}
    config = TransformerConfig(name="timed", calendar=("hour", "weekday"), **small, **words)
    path, design = tmp_path / "m.safetensors", lower(initialize(config))
    model = design.model
    save_model(model, path)
    assert check_plan(bitformer, path, design, tmp_path)
    x, clock = windows(model, 2), np.array([[23, 6], [4, 1]])
    with byte_client(design) as client:
        forecaster, heard = check_host(client, model, x, clock)
        assert client.self_test() is None
        times = [datetime(2026, 11, 29, 23, 10), datetime(2026, 12, 1, 4)]
        assert np.array_equal(forecaster.predict(x, time=times), reference.predict(model, x, clock))
        stopped = reference.predict(model, x, np.zeros_like(clock))
        assert not np.array_equal(heard, stopped)
        with pytest.raises(UserError, match=r"time must be given .* hour, weekday: .* datetime"):
            forecaster.predict(x)
        with pytest.raises(UserError, match="time must be left out beside clock"):
            forecaster.predict(x, clock, time=times)
        with pytest.raises(UserError, match=r"clock must have shape \(2, 2\), not \(1, 2\)"):
            forecaster.predict(x, time=times[0])


@pytest.fixture(scope="module")
def classifier():
    """A model that rejects some windows, with names of its classes."""
    small = {"window": 4, "horizon": 4, "d_model": 4, "ffn": 4, "inputs": 3}
    config = TransformerConfig(name="classes", task="classify", **small)
    meta = {"classes": ["calm", "walk", "run", "fall"]}
    model = replace(initialize(config), meta=meta)
    x = model.quantize_input(windows(model, 8))
    scores = np.sort(reference.run(model, x)[model.results.name][:, 0], axis=1)
    *before, last = model.operations
    margin = 1 + int(np.median(scores[:, -1] - scores[:, -2]))
    return replace(model, operations=(*before, replace(last, margin=margin)))


def check_classes(client, model):
    """The host gives the names of the reference's classes, and the chip counts those of none."""
    x, labels = windows(model, 8), (*model.meta["classes"], None)
    forecaster, heard = check_host(client, model, x)
    answers = heard[:, 0].astype(int).tolist()
    assert len({*answers}) > 2
    rejected = answers.count(4)
    assert 0 < forecaster.rejected == rejected < 8
    assert forecaster.classify(x) == [labels[number] for number in answers]
    assert client.self_test() is None
    facts = client.read()
    assert (facts.rejected, facts.result_ends) == (2 * rejected, 0)
    assert facts.counters[1:] == (0,) * 7


def test_a_classifier_answers_over_the_line(classifier, bitformer, tmp_path):
    path, design = tmp_path / "m.safetensors", lower(classifier, part=find_board(BOARD).part)
    save_model(classifier, path)
    said = bitformer("simulate", path, "--samples", 1, "--engine", "python", "--json")
    assert said.code == 0
    assert said.data["cycles_as_predicted"]
    assert said.data["tensors"][-1] == "answer"
    assert check_plan(bitformer, path, design, tmp_path)
    scaling = json.loads((tmp_path / "plan" / "scaling.json").read_text())
    assert (scaling["classes"], scaling["horizon"]) == (classifier.meta["classes"], 1)
    header = (tmp_path / "plan" / "bitformer_model.h").read_text()
    assert "#define BITFORMER_MODEL_CLASSES 4\n" in header
    with byte_client(lower(classifier, lanes=2)) as client:
        check_classes(client, classifier)


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_a_classifier_answers_by_its_pins(classifier, link, cache):
    with pin_client(lower(classifier, lanes=2), link) as client:
        check_classes(client, classifier)


@pytest.fixture(scope="module")
def detector():
    """A model whose flag is up for some windows, and its windows with what is judged."""
    small = {"window": 4, "horizon": 3, "d_model": 4, "ffn": 4, "inputs": 3}
    model = initialize(TransformerConfig(name="flags", task="detect", **small))
    rng = np.random.default_rng(1)
    x, judged = rng.normal(size=(8, 4, 3)), rng.normal(size=(8, 3))
    *before, judge = model.operations
    for threshold in np.geomspace(1, judge.score_bound(model.tensors), 60).astype(int).tolist():
        judge = replace(judge, smoothing=1, threshold=threshold)
        model = replace(model, operations=(*before, judge))
        if 2 < reference.predict(model, x, None, judged).sum() < 6:
            return model, x, judged
    raise AssertionError("some windows must be above a threshold")


def check_flags(client, model, x, judged):
    """Flags are the reference's, go on where they were, and begin anew behind a self-test."""
    forecaster, sent = Forecaster(client, model), slice(0, 5)
    expected = reference.predict(model, x, None, judged)
    assert client.self_test() is None
    heard = [forecaster.predict(x[part], judged=judged[part]) for part in (sent, slice(5, 8))]
    assert np.array_equal(np.concatenate(heard), expected)
    facts = client.read()
    assert (facts.rejected, facts.results) == (expected.sum(), 1)
    assert client.self_test() is None
    assert np.array_equal(forecaster.predict(x, judged=judged), expected)
    assert facts.counters[1:] == (0,) * 7


def test_a_detector_flags_over_the_line(detector, bitformer, tmp_path):
    (model, *data), path = detector, tmp_path / "m.safetensors"
    save_model(model, path)
    said = bitformer("simulate", path, "--samples", 2, "--engine", "python", "--json")
    assert said.code == 0
    assert said.data["cycles_as_predicted"]
    assert check_plan(bitformer, path, lower(model, part=find_board(BOARD).part), tmp_path)
    with byte_client(lower(model, lanes=2)) as client:
        check_flags(client, model, *data)


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_a_detector_flags_by_its_pins(detector, link, cache):
    model, *data = detector
    with pin_client(lower(model, lanes=2), link) as client:
        check_flags(client, model, *data)


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_a_detector_on_a_bad_line_judges_each_window_once(detector, cache):
    """Requests are damaged and sent again, and answers are lost."""
    model, x, judged = detector
    shell = UartShell(
        accelerator=Accelerator(design=lower(model, lanes=2)),
        clock_hz=8 * BAUD,
        baud=BAUD,
        gap_bits=40,
    )
    port = SimulatedUart(shell, timeout=0.5)
    lossy = LossyUart(port, random.Random(3), 0.3)
    client = Client(UartTransport(lossy, clock=lambda: 0.0), retries=30)
    expected = reference.predict(model, x, None, judged)
    assert np.array_equal(Forecaster(client, model).predict(x, judged=judged), expected)
    assert client.resent > 3
    port.close()


def test_a_model_without_a_calendar_takes_no_time(decoder, decoder_client):
    forecaster = Forecaster(decoder_client, decoder.model)
    with pytest.raises(UserError, match="time must be left out for a model without a calendar"):
        forecaster.predict(windows(decoder.model, 1), time=datetime(2026, 1, 1))


def test_results_counted_by_features_alone_are_caught(decoder, decoder_client, monkeypatch):
    """The mutant: what the chip promises, and what the host expects, are of one row only."""
    model = decoder.model
    whole = contract_of(decoder)
    with pytest.raises(ValueError, match=r"must have 48 inputs and 4 results, not 48 and 12"):
        replace(whole, results=model.output.features)
    # without golden vectors the chip is built, and gives one row of three
    one_row = replace(whole, results=model.output.features, vectors=())
    with byte_client(decoder, one_row) as client, pytest.raises(ValueError, match="broadcast"):
        check_host(client, model, windows(model, 1))
    predictor = Forecaster(decoder_client, model)
    monkeypatch.setattr(ir.Tensor, "size", property(lambda self: self.features))
    with pytest.raises(ValueError, match="broadcast"):
        predictor.predict(windows(model, 1))


@pytest.fixture(scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


def pin_client(design, link):
    """A client whose shell is compiled: a bit every 8 cycles, or the fastest SPI."""
    accelerator = Accelerator(design=design)
    if link == "uart":
        shell = UartShell(accelerator=accelerator, clock_hz=8 * BAUD, baud=BAUD, gap_bits=40)
        # an answer comes when the inference is over, or those of all golden vectors
        timeout = 0.5 + DEFAULT_VECTORS * design.latency / shell.clock_hz
        return Client(UartTransport(SimulatedUart(shell, timeout=timeout)), retries=0)
    shell = SpiShell(accelerator=accelerator, clock_hz=100_000_000)
    return Client(SpiTransport(SimulatedSpi(shell), timeout=60), retries=0)


@pytest.mark.slow
@pytest.mark.needs("compiler")
@pytest.mark.parametrize("link", ["spi", "uart"])
@pytest.mark.parametrize("name", [*WINDOWS, *GRID])
def test_every_named_config_goes_all_the_way_by_its_pins(name, link, bitformer, tmp_path, cache):
    path = tmp_path / "m.safetensors"
    assert bitformer("init", name, "-o", path, "--seed", 1).code == 0
    model = load_model(path)
    design = lower(model, part=find_board(BOARD).part)
    said = bitformer("simulate", path, "--samples", 3, "--engine", "native", "--json")
    assert (said.code, said.data["engine"]) == (0, "native")
    if check_plan(bitformer, path, design, tmp_path):
        with pin_client(design, link) as client:
            check_host(client, model, windows(model, 4))
            assert client.self_test() is None
            assert client.read().counters[1:] == (0,) * 7


def test_decoder_from_a_file_to_verilog(bitformer, tmp_path):
    """An encoder and a decoder pass through the commands that need no data."""
    config = {"name": "both", "window": 8, "patch": 2, "horizon": 4, "d_model": 4, "ffn": 6}
    (tmp_path / "both.json").write_text(json.dumps({**config, "decoder_layers": 1}))
    model = tmp_path / "both.safetensors"
    assert bitformer("init", tmp_path / "both.json", "-o", model).code == 0
    info = bitformer("info", model, "--json").data
    assert {"decoder.layers.0.cross.k", "decoder.embedding"} <= {
        row["output"] for row in info["operations"]
    }
    estimate = bitformer("estimate", model, "--layers", "--json").data
    layers = {layer["layer"]: layer for layer in estimate["layers"]}
    # the forecast's rows, and causal scores of 1 and 2 keys by 4 features
    assert layers["output"]["rows"] == 2
    assert layers["decoder.layers.0.scores"]["rows"] == 2
    said = bitformer("simulate", model, "--samples", "2", "--json").data
    assert said["bit_exact"]
    assert said["latency_cycles"][0] == estimate["latency_cycles"]
    written = bitformer("elaborate", model, "-o", tmp_path / "verilog", "--json")
    assert written.code == 0
