# amaranth: UnusedElaboratable=no
"""Three drivers and a shell whose numbers are an ADC's words, from 0 on."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from driver_harness import BAUD, FACTS, INPUTS, RESULTS, PythonDriver
from link_harness import ShellPort, compiled_once
from pins_harness import SimulatedUart

from bitformer.boards.host.client import Client
from bitformer.boards.host.forecaster import Forecaster
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.protocol import Feature, pack, unpack
from bitformer.boards.shell.contract import Contract, contract_of
from bitformer.boards.shell.shell import UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.config import NAMED_CONFIGS
from bitformer.model.initialize import initialize


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


def inverted(window, bits):
    """What a shell of these tests answers: the first words, with every bit inverted."""
    return [(1 << bits) - 1 - word for word in window[:RESULTS]]


@pytest.mark.parametrize("bits", [8, 9, 12, 16])
def test_drivers_send_and_read_words(driver, bits):
    features = Feature.SELF_TEST | Feature.UNSIGNED
    facts = replace(FACTS, features=features, input_bits=bits, result_bits=bits)
    seen = []

    def infer(window):
        seen.append(window)
        return inverted(window, bits)

    made, most = driver(ShellPort(facts, infer)), (1 << bits) - 1
    made.read()
    for window in ((0, 1, most, most // 2), (most // 2 + 1, 0, 7, most)):
        results = [result & 0xFFFF for result in made.infer(window)]
        assert seen[-1] == list(window)
        assert results == inverted(window, bits)


@pytest.mark.parametrize("bits", [8, 12])
def test_words_that_do_not_fit_are_clipped(driver, bits):
    facts = replace(FACTS, features=Feature.UNSIGNED, input_bits=bits, result_bits=bits)
    seen = []

    def infer(window):
        seen.append(window)
        return inverted(window, bits)

    made, most = driver(ShellPort(facts, infer)), (1 << bits) - 1
    made.read()
    made.infer((most + 1, 32767, most, 0))
    assert seen == [[most, most, most, 0]]


def test_a_negative_number_is_no_word():
    """It goes as 0; where it is the 16 bits of a word, in C, it is that word."""
    facts = replace(FACTS, features=Feature.UNSIGNED, input_bits=12, result_bits=12)
    seen = []
    made = PythonDriver(ShellPort(facts, lambda window: seen.append(window) or [0] * RESULTS))
    made.read()
    made.infer((-1, -5, 0, 1))
    assert seen == [[0, 0, 0, 1]]


def test_words_travel_without_a_sign():
    assert pack([0, 4095, 2048], 12, signed=False) == b"\x00\x00\xff\x0f\x00\x08"
    assert unpack(b"\xff\x80", 8, signed=False) == [255, 128]
    assert unpack(b"\xff\x80", 8) == [-1, -128]


class Inverted(wiring.Component):
    """The first words of a window, inverted."""

    def __init__(self, bits):
        self._bits = bits
        payload = stream.Signature(unsigned(bits))
        super().__init__({"i": In(payload), "o": Out(payload)})

    def elaborate(self, platform):
        m = Module()
        taken, given, full = Signal(range(INPUTS)), Signal(range(RESULTS)), Signal()
        kept = [Signal(self._bits) for _ in range(INPUTS)]
        m.d.comb += [self.i.ready.eq(~full), self.o.valid.eq(full)]
        for k, word in enumerate(kept):
            with m.If(self.i.valid & self.i.ready & (taken == k)):
                m.d.sync += word.eq(self.i.payload)
            if k < RESULTS:
                with m.If(given == k):
                    m.d.comb += self.o.payload.eq(~word)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [taken.eq(taken + 1), full.eq(taken == INPUTS - 1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += given.eq(given + 1)
            with m.If(given == RESULTS - 1):
                m.d.sync += [given.eq(0), taken.eq(0), full.eq(0)]
        return m


@pytest.mark.needs("compiler")
@pytest.mark.usefixtures("first_session")
def test_a_shell_of_words(driver):
    bits, window = 12, (0, 4095, 2048, 77)
    contract = Contract(
        inputs=INPUTS,
        results=RESULTS,
        vectors=((window, tuple(inverted(window, bits))), ((1, 2, 3, 4), (4094, 4093, 4092))),
        unsigned=True,
    )
    shell = UartShell(
        accelerator=Inverted(bits), clock_hz=8 * BAUD, baud=BAUD, gap_bits=20, contract=contract
    )
    assert shell.endpoint.registers.features & Feature.UNSIGNED
    with SimulatedUart(shell, timeout=1000 / BAUD) as port:
        made = driver(port)
        made.read()
        assert made.self_test() is None
        assert [result & 0xFFFF for result in made.infer(window)] == inverted(window, bits)


def test_a_designs_contract_says_so():
    config = NAMED_CONFIGS["tiny"].replace(input_bits=12, output_bits=12)
    for words in (False, True):
        design = lower(initialize(config.replace(adc_words=words), samples=8))
        contract = contract_of(design)
        assert contract.unsigned == words
        least = min(min(*window, *results) for window, results in contract.vectors)
        assert (least >= 0) == words


def test_forecasts_from_a_board_of_words():
    """The words that travel are those of the integer reference."""
    config = NAMED_CONFIGS["tiny"].replace(input_bits=12, output_bits=12, adc_words=True)
    design = lower(initialize(config, samples=8))
    accelerator, contract = Accelerator(design=design), contract_of(design)
    facts = UartShell(accelerator=accelerator, clock_hz=8 * BAUD, baud=BAUD).endpoint.registers
    assert facts.model_hash == contract.model_hash
    sent = []

    def infer(window):
        sent.append(window)
        return accelerator.model(np.reshape(window, (1, 24, 1)))[0].tolist()

    x = np.random.default_rng(0).normal(size=(3, 24, 1))
    with Client(UartTransport(ShellPort(facts, infer), clock=lambda: 0.0)) as client:
        forecaster = Forecaster(client, design.model)
        found = forecaster.predict(x)
        assert client.clipped == 0
    assert np.array_equal(found, reference.predict(design.model, x))
    assert sent == (design.model.quantize_input(x) + 2048).reshape(3, -1).tolist()
    assert (forecaster.clipped.sent, forecaster.clipped.received) == (72, 18)
