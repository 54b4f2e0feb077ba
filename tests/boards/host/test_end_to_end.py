# amaranth: UnusedElaboratable=no
"""From windows of data through driver, line, shell and accelerator to forecasts."""

import numpy as np
import pytest
from link_harness import compiled_once, ends
from pins_harness import SimulatedSpi, SimulatedUart

from bitformer.boards.catalog import BOARDS
from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.forecaster import Forecaster
from bitformer.boards.host.transport import SpiTransport, UartTransport
from bitformer.boards.shell.contract import contract_of
from bitformer.boards.shell.shell import SpiShell, UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.numerics import round_half_up
from bitformer.model.precision import Precision
from bitformer.model.stream import Stream

pytestmark = pytest.mark.needs("compiler")

BAUD = 10_000
STREAM = {
    "causal": True,
    "position": "relative",
    "window": 6,
    "patch": 2,
    "d_model": 4,
    "heads": 2,
    "ffn": 6,
    "subtract_last": True,
    "default": Precision(weights=4, activations=8),
}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


def session(design, link):
    """A client whose shell is simulated: a bit every 8 cycles, or the fastest SPI."""
    accelerator = Accelerator(design=design)
    if link == "uart":
        shell = UartShell(accelerator=accelerator, clock_hz=8 * BAUD, baud=BAUD, gap_bits=40)
        return Client(UartTransport(SimulatedUart(shell, timeout=0.5)))
    shell = SpiShell(accelerator=accelerator, clock_hz=100_000_000)
    # the time-out is one of the wall's clock, and the simulator's time has nothing to do with it
    return Client(SpiTransport(SimulatedSpi(shell), timeout=60))


def quantized(model, patch):
    """A patch in integers."""
    spec = model.input
    return round_half_up(patch, spec.exponent, spec.low, spec.high)


def check(design, x, link):
    model = design.model
    with session(design, link) as client:
        forecast = Forecaster(client, model).predict(x)
        assert np.array_equal(forecast, reference.predict(model, x))
        facts = client.read()
        windows = model.quantize_input(x)
        results = reference.run(model, windows)[model.output.name]
        assert facts.input_ends == ends(windows.ravel().tolist(), model.input.bits)
        assert facts.result_ends == ends(results.ravel().tolist(), model.output.bits)
        assert client.self_test() is None
        assert facts.counters[1:] == (0,) * 7
        assert client.resent == 0
        # a number of two bytes goes in or out every other cycle
        more = facts.inputs * (facts.input_bytes - 1) + facts.results * (facts.result_bytes - 1)
        assert facts.latency == design.latency
        assert 0 <= facts.cycles - design.latency <= more
        other = initialize(model.config, seed=9)
        with pytest.raises(LinkError, match=r"Model on the board must be this one"):
            Forecaster(client, other)


@pytest.mark.slow
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_tiny(link):
    design = lower(initialize(named_config("tiny")))
    x = np.random.default_rng(0).normal(size=(6, *design.model.input.shape))
    x[1:3] *= 1000
    assert contract_of(design).vectors
    check(design, x, link)


@pytest.mark.slow
@pytest.mark.parametrize("link", ["uart", "spi"])
@pytest.mark.parametrize(
    ("board", "reloadable"),
    [
        ("ulx3s-25f", "uart"),
        ("ulx3s-85f", None),
        ("orangecrab-25f", None),
        ("icebreaker", "uart"),
        ("upduino-v3", None),
    ],
)
def test_twenty_windows_on_boards_of_other_families(board, reloadable, link):
    """The same shells around a design for another family's memories and multipliers."""
    assert link in BOARDS[board].links
    lowered = lower_reloadable if link == reloadable else lower
    # their multipliers are narrow, and only narrow sums take new weights
    config = "grid-6-8-4" if link == reloadable else "tiny"
    design = lowered(initialize(named_config(config)), part=BOARDS[board].part)
    # each family has a way of its own through the shell
    assert contract_of(design).pipelined
    x = np.random.default_rng(0).normal(size=(20, *design.model.input.shape))
    check(design, x, link)


@pytest.mark.slow
@pytest.mark.parametrize(("part", "link"), [("xc7s15", "uart"), ("lfe5u-25f", "spi")])
def test_several_token_rows(part, link):
    """With as many post-processors, and columns of LUTs."""
    design = lower(initialize(named_config("tiny")), part=part, rows=4, posts=2, soft=4)
    assert (design.geometry.rows, design.geometry.posts, design.geometry.weights.soft) == (4, 2, 4)
    x = np.random.default_rng(0).normal(size=(6, *design.model.input.shape))
    x[1:3] *= 1000
    check(design, x, link)


@pytest.mark.slow
@pytest.mark.needs("etth1")
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_fifty_windows_of_etth1(link):
    config = named_config("etth1-96-24")
    dataset = load_dataset("etth1", window=config.window, horizon=config.horizon)
    x = dataset.test.take(np.linspace(0, len(dataset.test) - 1, 50).astype(int)).x
    check(lower(initialize(config)), x, link)


@pytest.mark.slow
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_a_stream_takes_steps(link):
    """From a reset on, as the reference does; then windows, whose shared patches go once."""
    config = TransformerConfig(name="small", stream=True, horizon=3, linear_path=True, **STREAM)
    model = initialize(config, seed=2)
    walk = np.random.default_rng(0).normal(size=(60, 1)).cumsum(axis=0)
    with session(lower(model), link) as client:
        assert client.read().inputs == config.patch
        assert client.read().vectors
        assert client.self_test() is None
        forecaster, stream = Forecaster(client, model), Stream(model)
        assert forecaster.left == config.tokens_seen
        for patch in walk.reshape(-1, config.patch, 1)[:9]:
            wanted = stream.step(quantized(model, patch)[None])
            forecast = forecaster.step(patch)
            assert np.array_equal(forecast, model.dequantize_output(wanted.reshape(1, -1))[0])
            assert forecaster.left == stream.left
        assert forecaster.left == 0
        seen = config.rows_seen
        starts = (0, 2, 4, 1, 6)
        x = np.stack([walk[start : start + seen] for start in starts])
        served = client.read().counters[0]
        assert np.array_equal(forecaster.predict(x), reference.predict(model, x))
        sent = client.read().counters[0] - served
        assert sent <= 2 * config.tokens_seen + 3 + 2  # two chains of windows, and two reads
        with pytest.raises(UserError, match=r"^patch must have shape \(2, 1\), not \(3, 1\)$"):
            forecaster.step(walk[:3])


@pytest.mark.slow
@pytest.mark.parametrize("link", ["uart", "spi"])
def test_a_forecast_at_each_step(link):
    """By phases, as many as a patch has steps: the newest patch goes at each step of the series."""
    config = TransformerConfig(name="small", stream=True, horizon=3, linear_path=True, **STREAM)
    model, phases, seen = initialize(config, seed=2), config.patch, config.rows_seen
    walk = np.random.default_rng(0).normal(size=(40, 1)).cumsum(axis=0)
    with session(lower(model, phases=phases), link) as client:
        assert client.self_test() is None
        forecaster = Forecaster(client, model)
        assert forecaster.phases == phases
        for end in range(config.patch, seen + 4):
            forecast = forecaster.step(walk[end - config.patch : end])
            if end >= seen:
                window = walk[end - seen : end]
                assert np.array_equal(forecast, reference.predict(model, window[None])[0])
                assert forecaster.left <= 1
        assert forecaster.left == 0
        x = np.stack([walk[start : start + seen] for start in (0, 2, 4, 1, 6)])
        assert np.array_equal(forecaster.predict(x), reference.predict(model, x))
