# amaranth: UnusedElaboratable=no
"""The Elastic Node's own protocol, spoken by a host byte by byte to a simulated shell."""

import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from elastic_node import ElasticNode
from link_harness import compiled_once
from pins_harness import SimulatedSpi

from bitformer.boards.host.client import LinkError
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.elastic.address_map import V1, V2, ElasticMap
from bitformer.boards.shell.elastic.shell import ElasticShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize

pytestmark = pytest.mark.needs("compiler")

INPUTS, RESULTS, WORK = 6, 3, 700
RISING = ElasticMap(phase=0)
#: Nothing of it begins at a power of two.
ODD = ElasticMap(model_id=35, start=61, data=75, base=0x0105)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


def bus_to(shell):
    return SimulatedSpi(shell, ratio=8.0, falls=bool(shell.addresses.phase))


def make_shell(serial, addresses=V2, bits=8, ramb18=0):
    accelerator = serial.WindowSums(inputs=INPUTS, results=RESULTS, bits=bits, slow=WORK)
    contract = Contract(inputs=INPUTS, results=RESULTS, model_hash=b"the name", ramb18=ramb18)
    return ElasticShell(
        accelerator=accelerator, clock_hz=100_000_000, contract=contract, addresses=addresses
    )


def node_of(bus, shell):
    return ElasticNode(
        bus,
        bus.busy,
        addresses=shell.addresses,
        input_bits=shell.input_bits,
        result_bits=shell.result_bits,
    )


@pytest.fixture(scope="module")
def compiled(serial):
    shell = make_shell(serial)
    with bus_to(shell) as bus:
        yield shell, bus


@pytest.fixture
def bus(compiled):
    """The bus right after configuration."""
    bus = compiled[1]
    bus.restart()
    bus.ratio, bus.phase, bus.lead = 8.0, 0.0, 8.0
    return bus


@pytest.fixture
def node(compiled, bus):
    return node_of(bus, compiled[0])


def windows(count, bits=8, seed=1):
    rng = random.Random(seed)
    half = 1 << bits - 1
    return [[rng.randrange(-half, half) for _ in range(INPUTS)] for _ in range(count)]


@pytest.mark.parametrize("addresses", [V1, V2, RISING, ODD], ids=["v1", "v2", "rising", "odd"])
@pytest.mark.parametrize(("bits", "ramb18"), [(8, 0), (12, 1)])
def test_windows(serial, addresses, bits, ramb18):
    shell = make_shell(serial, addresses, bits, ramb18)
    assert shell.endpoint.memory.placement == ("block" if ramb18 else "distributed")
    with bus_to(shell) as bus:
        node = node_of(bus, shell)
        for window in windows(4, bits):
            assert node.infer(window, RESULTS) == serial.window_sums(window, RESULTS)
        assert node.model_id() == b"the name" + bytes(8) == shell.model_id
        first = addresses.base + addresses.model_id
        around = node.read(first - 1, 1) + node.read(first, 1) + node.read(first + 16, 1)
        assert around == b"\0t\0"


def test_a_byte_in_and_a_byte_out(serial):
    accelerator = serial.WindowSums(inputs=1, results=1, bits=8, result_bits=8)
    shell = ElasticShell(
        accelerator=accelerator,
        clock_hz=100_000_000,
        contract=Contract(inputs=1, results=1, model_hash=b"one byte"),
        addresses=V2,
    )
    with bus_to(shell) as bus:
        node = node_of(bus, shell)
        assert [node.infer([number], 1) for number in (-7, 100)] == [[-7], [100]]


def answer(bus, first=18, count=2 * RESULTS):
    """As the published stub reads: a transfer for each byte, twice, of which the second counts."""
    data = bytearray()
    for place in range(0x100 + first, 0x100 + first + count):
        for _ in range(2):
            byte = bus.transfer(bytes([0x40, place >> 8, place & 0xFF, 0]))[3]
        data.append(byte)
    return bytes(data)


@pytest.mark.parametrize("stop", [0, 1])  # a published stub stops with a 1
def test_bytes_of_the_published_stub(serial, bus, stop):
    for window in windows(3):
        bus.transfer(bytes([0x80, 0, 4, 0]))
        bus.transfer(bytes([0x80, 1, 18]) + serial.pack(window, 1))
        bus.transfer(bytes([0x80, 1, 16, 1]))
        polls = 0
        while bus.busy():
            polls += 1
        assert 50 < polls < 100
        bus.transfer(bytes([0x80, 1, 16, stop]))
        assert serial.unpack(answer(bus), 2) == serial.window_sums(window, RESULTS)
        bus.transfer(bytes([0x80, 0, 4, 1]))


@pytest.mark.parametrize("ratio", [8, 8.3, 9.9, 33])
@pytest.mark.parametrize("phase", [0.0, 0.01, 0.5, 0.99])
def test_clock_of_any_phase_up_to_the_ratio(serial, bus, node, ratio, phase):
    bus.ratio, bus.lead = ratio, 4 + ratio / 2
    for number, window in enumerate(windows(5, seed=2)):
        bus.phase = phase + number * 0.07
        assert node.infer(window, RESULTS) == serial.window_sums(window, RESULTS)


def test_clock_beyond_what_can_be_seen_fails(serial, bus, node):
    bus.ratio = 1.7  # the mutant of the test above
    (window,) = windows(1)
    assert node.infer(window, RESULTS) != serial.window_sums(window, RESULTS)


def test_leds_and_reset_are_kept(node):
    assert node.read(0x0003, 2) == bytes(2)
    node.write(0x0003, b"\xfa")
    node.hold(True)
    assert node.read(0x0003, 2) == b"\x0a\x01"


def test_other_addresses_are_zero_and_take_nothing(serial, node):
    first, second = windows(2)
    node.infer(first, RESULTS)
    node.write(0x0112, serial.pack(second, 1))  # held: not taken
    node.hold(False)
    for address in (0x0000, 0x0005, 0x0111, 0x0112 + INPUTS, 0x0200, 0x0212, 0x1112, 0xFFFE):
        node.write(address, b"\x55")
    assert node.read(0x0000, 3) == bytes(3)
    assert node.read(0x0110, 2) == bytes(2)
    for address in (0x0112 + 2 * RESULTS, 0x0212, 0x1112, 0xFFFF):
        assert node.read(address, 1) == b"\0"
    assert node.read(0x0100, 16) == b"the name" + bytes(8)
    # nothing of it is in the window that was written first
    node.write(0x0110, b"\1")
    while node._busy():
        pass
    assert serial.unpack(node.read(0x0112, 2 * RESULTS), 2) == serial.window_sums(first, RESULTS)


@pytest.mark.parametrize("command", [0x00, 0x01, 0x7F, 0xC0, 0xFF])
def test_other_commands_do_nothing(serial, bus, node, command):
    (window,) = windows(1)
    node.hold(False)
    node.write(0x0112, serial.pack(window, 1))
    assert bus.transfer(bytes([command, 1, 18, *[0x55] * 9])) == bytes(12)
    bus.transfer(bytes([command, 1, 16, 1]))
    assert not bus.busy()
    node.write(0x0110, b"\1")
    while bus.busy():
        pass
    assert serial.unpack(node.read(0x0112, 2 * RESULTS), 2) == serial.window_sums(window, RESULTS)


@pytest.mark.parametrize("bits", [0, 1, 5, 7, 8, 9, 15, 16, 21, 23, 24, 25, 31, 32, 50, 71])
def test_transfer_that_is_cut_off(serial, bus, node, bits):
    """Whole bytes count, the rest does not; what follows is as if nothing had been."""
    old, new, other = windows(3, seed=4)
    node.infer(old, RESULTS)
    node.hold(False)
    bus.transfer(bytes([0x80, 1, 18]) + serial.pack(new, 1), bits=bits)
    bus.transfer(bytes([0x40, 1, 18, 0, 0]), bits=bits % 40)
    node.write(0x0110, b"\1")
    while bus.busy():
        pass
    taken = max(0, bits // 8 - 3)
    mixed = new[:taken] + old[taken:]
    assert serial.unpack(node.read(0x0112, 2 * RESULTS), 2) == serial.window_sums(mixed, RESULTS)
    assert node.infer(other, RESULTS) == serial.window_sums(other, RESULTS)
    # a start whose byte is cut off starts nothing
    node.hold(False)
    bus.transfer(bytes([0x80, 1, 16, 1]), bits=31)
    assert not bus.busy()


@pytest.mark.parametrize("end", ["stop", "reset"])
@pytest.mark.parametrize("wait", [0, 7, 40, 600])
def test_ended_inference_leaves_nothing(serial, bus, node, end, wait):
    first, second = windows(2, seed=5)
    node.hold(False)
    node.write(0x0112, serial.pack(first, 1))
    node.write(0x0110, b"\1")
    bus.idle(wait)
    node.write(*((0x0110, b"\0") if end == "stop" else (0x0004, b"\1")))
    assert not bus.busy()
    assert node.infer(second, RESULTS) == serial.window_sums(second, RESULTS)


@pytest.mark.parametrize("end", ["stop", "reset"])
def test_ended_inference_that_has_half_a_window(serial, end):
    """The accelerator takes a number a cycle, and the line needs some hundred for a command."""
    count = 900
    contract = Contract(inputs=count, results=1, model_hash=b"the name")
    shell = ElasticShell(
        accelerator=serial.WindowSums(inputs=count, results=1),
        clock_hz=100_000_000,
        contract=contract,
        addresses=V2,
    )
    first, second = ([n] * count for n in (1, 2))
    with bus_to(shell) as bus:
        node = node_of(bus, shell)
        node.hold(False)
        node.write(0x0112, serial.pack(first, 1))
        node.write(0x0110, b"\1")
        assert bus.busy()
        node.write(*((0x0110, b"\0") if end == "stop" else (0x0004, b"\1")))
        assert not bus.busy()
        assert node.infer(second, 1) == serial.window_sums(second, 1)


def test_writes_to_the_data_while_busy_are_ignored(serial, bus, node):
    first, second = windows(2, seed=6)
    node.hold(False)
    node.write(0x0112, serial.pack(first, 1))
    node.write(0x0110, b"\1")
    bus.idle(8)
    node.write(0x0112, serial.pack(second, 1))
    assert bus.busy()
    while bus.busy():
        pass
    for _ in range(2):  # the window that was written first is still there
        assert serial.unpack(node.read(0x0112, 2 * RESULTS), 2) == serial.window_sums(
            first, RESULTS
        )
        node.write(0x0110, b"\0")
        node.write(0x0110, b"\1")
        while bus.busy():
            pass


def test_busy_that_never_falls_is_told(bus, compiled, monkeypatch):
    monkeypatch.setattr("elastic_node._PATIENCE", 0.0)
    node = ElasticNode(bus, lambda: True, addresses=compiled[0].addresses)
    with pytest.raises(LinkError, match=r"must end an inference, and its busy pin stays high"):
        node.infer([0] * INPUTS, RESULTS)


@pytest.mark.parametrize("after", range(6))
def test_bus_that_is_lost_is_a_sentence(after):
    uses = iter(range(after))

    def used(*data):
        if next(uses, None) is None:
            raise OSError(5, "gone")
        return list(data[0]) if data else False

    bus = SimpleNamespace(xfer2=used)
    with pytest.raises(LinkError, match=r"^The Elastic Node must stay connected, and was lost: "):
        ElasticNode(bus, used).infer([0], 1)


def test_integers_beyond_the_bits_go_as_the_nearest():
    sent = []
    bus = SimpleNamespace(xfer2=lambda data: sent.append(bytes(data)) or data)
    node = ElasticNode(bus, lambda: False, input_bits=5)
    node.infer([10**30, -(10**30), 16, -3], 1)
    assert sent[2] == bytes([0x80, 1, 18, 15, 0xF0, 15, 0xFD])
    with pytest.raises(LinkError, match=r"^Window must hold integers, and holds nan$"):
        node.infer([0, float("nan")], 1)


def check_model(model, x, **lowering):
    """The forecasts over the line are the integer reference's."""
    shell = ElasticShell(
        accelerator=Accelerator(design=lower(model, **lowering)), clock_hz=100_000_000
    )
    with bus_to(shell) as bus:
        node = node_of(bus, shell)
        assert node.model_id() == model_hash(model) + bytes(8)
        sent = model.quantize_input(x)
        results = [node.infer(w.ravel().tolist(), model.output.size) for w in sent]
    assert np.array_equal(model.dequantize_output(np.array(results)), reference.predict(model, x))


def test_small_model():
    config = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)
    model = initialize(config, samples=16)
    check_model(model, np.random.default_rng(0).normal(size=(5, *model.input.shape)), lanes=2)


@pytest.mark.slow
def test_a_classifier_answers_with_its_class():
    """One number, where a forecast's stand."""
    config = TransformerConfig(name="small", window=4, horizon=3, d_model=4, ffn=6, task="classify")
    model = initialize(config, samples=16)
    *before, last = model.operations
    model = replace(model, operations=(*before, replace(last, margin=20)))
    x = np.random.default_rng(0).normal(size=(6, *model.input.shape))
    assert {*reference.predict(model, x)[:, 0]} >= {3}
    check_model(model, x, lanes=2)


@pytest.mark.slow
@pytest.mark.needs("etth1")
def test_windows_of_etth1():
    config = named_config("etth1-96-24")
    dataset = load_dataset("etth1", window=config.window, horizon=config.horizon)
    x = dataset.test.take(np.linspace(0, len(dataset.test) - 1, 20).astype(int)).x
    check_model(initialize(config), x)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start": 18}, r"the start at 18 must lie behind the data, 1 byte\(s\) from 18 on"),
        ({"model_id": 4}, r"the start at 16 must lie behind the model's name, 16 byte\(s\) from 4"),
        ({"data": 65_535}, r"the data must end below address 65280, and ends at 65536"),
        ({"base": 4}, r"base must be above 4, not 4"),
        ({"phase": 2}, r"phase must be 0 or 1, not 2"),
    ],
)
def test_addresses_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ElasticMap(**fields)


def test_windows_too_long_for_the_first_stub(serial):
    accelerator = serial.WindowSums(inputs=101, results=1)
    contract = Contract(inputs=101, results=1)
    with pytest.raises(ValueError, match=r"the start at 100 must lie behind the data, 101 byte"):
        ElasticShell(accelerator=accelerator, clock_hz=1_000_000, contract=contract, addresses=V1)


def test_new_weights_refused():
    config = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)
    design = lower_reloadable(initialize(config, samples=16), lanes=2)
    with pytest.raises(ValueError, match=r"Link must be a framed one to load new weights"):
        ElasticShell(accelerator=Accelerator(design=design), clock_hz=1_000_000)
