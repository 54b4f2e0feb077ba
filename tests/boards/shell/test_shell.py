# amaranth: UnusedElaboratable=no
"""Both shells, from pin to pin, in Amaranth's simulator; test_links.py has what takes long."""

import pytest
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.boards.protocol import Command, Feature, Frame, Reason, encode, find_frame
from bitformer.boards.shell.contract import Contract, contract_of
from bitformer.boards.shell.counters import COUNTERS
from bitformer.boards.shell.framed.endpoint import Endpoint
from bitformer.boards.shell.shell import SpiShell, UartShell
from bitformer.hw.families.ice40 import ICE40UP
from bitformer.hw.golden import golden_vectors
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.memory import StoreSpec
from bitformer.model.config import named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize

BAUD = 10_000


@pytest.fixture
def make(serial):
    def make(*, divisor=8, bits=8, gap_bits=20, inputs=3, results=2):
        accelerator = serial.WindowSums(inputs=inputs, results=results, bits=bits)
        return UartShell(
            accelerator=accelerator,
            clock_hz=divisor * BAUD,
            baud=BAUD,
            gap_bits=gap_bits,
            contract=Contract(inputs=inputs, results=results),
        )

    return make


def infer(serial, window, size=1, sequence=0xFEDCBA03):
    payload = serial.pack(window, size)
    return encode(Frame(sequence=sequence, command=Command.INFER, payload=payload))


@pytest.mark.parametrize("bits", [4, 8, 15])
@pytest.mark.parametrize("divisor", [8, 11])
def test_bytes_to_bytes(serial, make, bits, divisor):
    shell = make(bits=bits, divisor=divisor)
    low = -(1 << bits - 1)
    window = (low, ~low, 5)
    heard = serial.talk(shell, [infer(serial, window, -(-shell.input_bits // 8))])
    frame, rest = find_frame(heard)
    assert (frame.sequence, frame.command, rest) == (0xFEDCBA03, 0x82, b"")
    assert serial.unpack(frame.payload, 2) == serial.window_sums(window, 2)


def test_pause_within_a_frame_is_borne_up_to_the_gap(serial, make):
    good = infer(serial, (1, 2, 3))
    heard = serial.talk(make(), [good[:10], ("idle", 15), good[10:]])
    assert find_frame(heard)[0].command == 0x82
    heard = serial.talk(make(), [good[:10], ("idle", 30), good[10:], ("idle", 300), good])
    first, rest = find_frame(heard)
    assert first.payload == bytes([Reason.TRUNCATED])
    second, rest = find_frame(rest)  # what came while the first was said
    assert second.payload == bytes([Reason.OVERRUN])
    assert find_frame(rest)[0].command == 0x82


@pytest.mark.parametrize("step", [("broken", 0x11), ("break", 30)])
def test_broken_byte_is_refused(serial, make, step):
    good = infer(serial, (1, 2, 3))
    heard = serial.talk(make(), [good[:9], step, ("idle", 140), good])
    frame, rest = find_frame(heard)
    assert frame.payload == bytes([Reason.LINE])
    assert find_frame(rest)[0].command == 0x82


def test_properties(serial, make):
    shell = make(divisor=9, gap_bits=33)
    assert (shell.divisor, shell.gap_bits, shell.baud) == (9, 33, BAUD)
    assert shell.clock_hz == 9 * BAUD
    assert shell.endpoint.registers.features == Feature.NONE
    assert make(gap_bits=None).gap_bits == BAUD // 20
    spi = SpiShell(accelerator=serial.WindowSums(inputs=1, results=1), clock_hz=60_000_000)
    assert spi.highest_sck_hz == 10_000_000
    assert spi.endpoint.registers.features == Feature.SPI


@pytest.mark.parametrize(("bits", "sizes"), [(4, (1, 2)), (8, (1, 2)), (9, (2, 2))])
def test_sizes(make, bits, sizes):
    shell = make(bits=bits)
    assert (shell.input_bits, shell.result_bits) == (bits, 16)
    facts = shell.endpoint.registers
    assert (facts.input_bits, facts.result_bits) == (bits, 16)
    assert (facts.input_bytes, facts.result_bytes) == sizes


@pytest.fixture(scope="module")
def model():
    return initialize(named_config("tiny"))


def test_contract_of_a_design(model):
    design = lower(model)
    contract = contract_of(design, vectors=3)
    assert contract.model_hash == model_hash(model)
    assert (contract.inputs, contract.results) == (24, 6)
    assert contract.latency == design.latency
    assert contract.vectors == tuple((tuple(x), tuple(y)) for x, y in golden_vectors(model, 3))
    # a part whose block RAM is all taken keeps the shell's memory in LUTs
    taken = sum(store.ramb18 for store in estimate(design).stores)
    assert contract.ramb18 == 20 - taken > 0
    assert contract_of(lower(initialize(named_config("grid-24-64-8")))).ramb18 == 0


@pytest.mark.parametrize(("ramb18", "deepest"), [(0, 0), (1, 2048), (2, 4096), (4, 8192)])
def test_memory_takes_no_more_block_ram_than_there_is(serial, ramb18, deepest):
    contract = Contract(ramb18=ramb18)
    if deepest:
        assert contract.memory(deepest).placement == "block"
    assert contract.memory(deepest + 1) == StoreSpec(
        name="shell", depth=deepest + 1, width=8, placement="distributed"
    )
    # a window of 1200 bytes and two golden vectors
    vectors = (((0,) * 1200, (0,)),) * 2
    large = Contract(inputs=1200, ramb18=ramb18, vectors=vectors)
    shell = SpiShell(accelerator=serial.WindowSums(inputs=1, results=1), clock_hz=1, contract=large)
    assert shell.endpoint.memory.placement == ("block" if ramb18 > 1 else "distributed")


def test_without_memories_in_luts_all_is_block_ram():
    """However little is left: what does not fit is refused, and makes no thousands of registers."""
    contract = Contract(family=ICE40UP, ramb18=0)
    assert contract.memory(100).placement == "block"
    shapes = {"input_shape": signed(8), "result_shape": signed(8)}
    endpoint = Endpoint(contract=contract, clock_hz=1_000_000, **shapes)
    assert endpoint.memories == (endpoint.memory, COUNTERS)
    assert COUNTERS.placement == "block"
    assert Endpoint(contract=Contract(), clock_hz=1_000_000, **shapes).memories == (
        Contract().memory(endpoint.memory.depth),
    )


def test_contract_counts_all_rows():
    config = named_config("tiny").replace(decoder_layers=1, horizon=12, inputs=2, linear_path=False)
    model = initialize(config)
    assert (model.input.shape, model.output.shape) == ((24, 2), (3, 4))
    contract = contract_of(lower(model))
    assert (contract.inputs, contract.results) == (48, 12)
    assert [(len(x), len(y)) for x, y in contract.vectors] == [(48, 12)] * 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": 0}, r"inputs must be at least 1, not 0"),
        ({"results": 70_000}, r"results must be at most 65535, not 70000"),
        ({"latency": 1 << 24}, r"latency must be below 16777216 cycles, not 16777216"),
        ({"model_hash": b"abc"}, r"model_hash must have 8 bytes, not 3"),
        ({"structure": b"abc"}, r"structure must have 4 bytes, not 3"),
        ({"vectors": (((1, 2), (3,)),)}, r"must have 1 inputs and 1 results, not 2 and 1"),
        ({"vectors": (((1,), (3,)),) * 255}, r"vectors must be at most 254, not 255"),
        ({"ramb18": -1}, r"ramb18 must be at least 0, not -1"),
    ],
)
def test_contract_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Contract(**changes)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"inputs": 32_768}, r"window must take at most 65535 bytes of a frame, not 65536"),
        ({"results": 40_000}, r"results must take at most 65535 bytes of a frame, not 80000"),
    ],
)
def test_frame_is_long_enough(serial, numbers, message):
    options = {"clock_hz": 1_000_000, "contract": Contract(**numbers)}
    with pytest.raises(ValueError, match=message):
        SpiShell(accelerator=serial.WindowSums(inputs=1, results=1, bits=9), **options)
    SpiShell(accelerator=serial.WindowSums(inputs=1, results=1, result_bits=8), **options)


class Ports(wiring.Component):
    def __init__(self, i, o):
        super().__init__({"i": i, "o": o})


IN, OUT = In(stream.Signature(signed(8))), Out(stream.Signature(signed(8)))


@pytest.mark.parametrize(
    ("accelerator", "error", "message"),
    [
        (None, TypeError, r"Accelerator must be a component, not None"),
        (Ports(OUT, OUT), TypeError, r"Accelerator must have a stream 'i' with valid and ready"),
        (Ports(IN, In(8)), TypeError, r"Accelerator must have a stream 'o' with valid and ready"),
        (
            Ports(IN, Out(stream.Signature(8, always_ready=True))),
            TypeError,
            r"Accelerator must have a stream 'o' with valid and ready",
        ),
        (
            Ports(In(stream.Signature(data.ArrayLayout(4, 2))), OUT),
            TypeError,
            r"Accelerator must have plain integers in 'i', not ArrayLayout",
        ),
        (
            Ports(IN, Out(stream.Signature(signed(17)))),
            ValueError,
            r"must have 1 to 16 bits, not 17",
        ),
    ],
)
def test_accelerator_refused(accelerator, error, message):
    with pytest.raises(error, match=message):
        UartShell(accelerator=accelerator, clock_hz=1_000_000, baud=BAUD)
    with pytest.raises(error, match=message):
        SpiShell(accelerator=accelerator, clock_hz=1_000_000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baud": 103_000}, r"Baud rate 103000 would be off by 2\.9%"),
        ({"gap_bits": 19}, r"Gap bits must be an integer of at least 20, not 19"),
    ],
)
def test_options_refused(serial, options, message):
    options = {"baud": BAUD, **options}
    with pytest.raises(ValueError, match=message):
        UartShell(accelerator=serial.AddTwo(bits=8), clock_hz=1_000_000, **options)
