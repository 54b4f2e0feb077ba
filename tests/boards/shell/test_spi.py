"""The SPI slave by itself, cycle by cycle: what follows when a pin changes, and when."""

import random
from types import SimpleNamespace

import pytest
from amaranth.hdl import Cat
from amaranth.sim import Simulator
from spi_pins import as_bits, edges, transfer

from bitformer.boards.shell.spi import SPI_RATIO, SpiLink

#: Cycles from a pin's change to what follows it, which the synchronizer begins with two.
MISO, DROP, BYTE, QUIET = 3, 4, 5, 6
#: (low, high) cycles of SCK: the shortest of each, and longer ones.
CLOCKS = [(2, 4), (4, 2), (3, 3), (7, 5)]


def play(pins, answers=(), *, since=0):
    """Play the pins; return what the link does in each cycle.

    ``answers`` : frames that wait for the host one after another, from cycle ``since`` on; the next
    one after a drop, or after the transfer in which the one before was read.
    """
    dut = SpiLink()
    link = dut.link
    seen = SimpleNamespace(miso=[], quiet=[], drops=[], bytes=[], taken=[], stands=[])
    waiting = [list(answer) for answer in answers]

    pads, tx = Cat(dut.cs, dut.sck, dut.mosi), Cat(link.tx.valid, link.tx.payload)
    outputs = (dut.miso, link.quiet, link.rx.payload, link.rx.valid, link.tx.ready, link.drop)

    async def bench(ctx):
        for cycle, (cs, sck, mosi) in enumerate([*pins, *[(0, 0, 0)] * 10]):
            if not cs and waiting and not waiting[0]:
                del waiting[0]
            there = bool(waiting and waiting[0]) and cycle >= since
            ctx.set(pads, cs | sck << 1 | mosi << 2)
            ctx.set(tx, 1 | waiting[0][0] << 1 if there else 0xFF << 1)
            *_, miso, quiet, byte, valid, ready, drop = await ctx.tick().sample(*outputs)
            seen.miso.append(miso)
            seen.quiet.append(quiet)
            seen.stands.append(byte)
            if valid:
                seen.bytes.append((cycle, byte))
            if there and ready:
                seen.taken.append((cycle, waiting[0].pop(0)))
            if drop:
                seen.drops.append(cycle)
                waiting[:1] = []
            assert not ctx.get(link.rx_error)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def read(seen, pins):
    """What a host reads: MISO just before each rising edge, all bits of all transfers."""
    rises, _, _ = edges(pins)
    return [seen.miso[cycle] for cycle in rises]


REQUEST = bytes([0xA5, 0x00, 0xFF, 0x01, 0x80, 0x7E])


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_request_arrives_byte_by_byte_and_nothing_goes_back(clock):
    pins = list(transfer(REQUEST, clock=clock, lead=4 + clock[0]))
    seen = play(pins)
    rises, _, (end,) = edges(pins)
    assert seen.bytes == [
        (rise + BYTE, byte) for rise, byte in zip(rises[7::8], REQUEST, strict=True)
    ]
    assert (seen.drops, sum(seen.miso)) == ([seen.bytes[0][0] - BYTE + DROP], 0)
    # a byte stands until the next
    for (cycle, byte), until in zip(
        seen.bytes, [*(c for c, _ in seen.bytes[1:]), len(seen.stands)], strict=True
    ):
        assert set(seen.stands[cycle:until]) == {byte}
    quiet = [1] * QUIET + [0] * end
    assert seen.quiet[: len(quiet)] == quiet


@pytest.mark.parametrize("clock", CLOCKS)
def test_what_begins_with_zero_is_no_request(clock):
    seen = play(list(transfer(bytes([0, 0xA5, 0xFF, 1]), clock=clock)))
    assert (seen.bytes, seen.drops, sum(seen.miso)) == ([], [], 0)


ANSWER = [0x81, 0x00, 0xFF, 0x5A]


@pytest.mark.parametrize("clock", CLOCKS)
def test_an_answer_goes_out_from_its_first_byte_and_zeros_behind_it(clock):
    pins = list(transfer(bytes(6), clock=clock))
    seen = play(pins, [ANSWER])
    rises, (begin,), (end,) = edges(pins)
    assert read(seen, pins) == as_bits([*ANSWER, 0, 0])
    # each bit is there from the rising edge before it on, the first from chip select on
    begins, bits = [begin, *rises], as_bits([*ANSWER, 0, 0, 0])
    wave = [0] * (begin + MISO)
    for start, stop, bit in zip(begins, [*begins[1:], end], bits, strict=False):
        wave += [bit] * (stop - start)
    assert seen.miso[: len(wave)] == wave
    # a byte is taken with chip select, and with the last edge of each byte before it
    assert [cycle for cycle, _ in seen.taken] == [
        at + MISO - 1 for at in (begin, *rises[7::8][: len(ANSWER) - 1])
    ]
    assert (seen.bytes, seen.drops) == ([], [])


@pytest.mark.parametrize("late", [0, MISO - 1, MISO, MISO + 1, 20, 48, 50, 55])
def test_an_answer_that_comes_after_chip_select_waits_for_the_next(late):
    pins = list(transfer(bytes(2))) * 2
    seen = play(pins, [[0xDB]], since=late)
    expected = [0xDB, 0, 0, 0] if late < MISO else [0, 0, 0xDB, 0]
    assert read(seen, pins) == as_bits(expected)
    assert len(seen.taken) == 1


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 15, 16, 17, 23])
def test_what_is_left_of_an_answer_is_dropped_with_chip_select(bits):
    pins = list(transfer(bytes(3), bits=bits))
    seen = play([*pins, *transfer(bytes(2))], [ANSWER, [0x77]])
    _, _, (end, _) = edges([*pins, *transfer(bytes(2))])
    assert read(seen, [*pins, *transfer(bytes(2))]) == as_bits(ANSWER)[:bits] + as_bits([0x77, 0])
    assert seen.drops == [end + DROP - 1]


def test_an_answer_read_to_its_last_bit_is_not_dropped_and_one_bit_less_is():
    for bits, drops in ((16, 0), (15, 1)):
        seen = play(list(transfer(bytes(2), bits=bits)), [[0xC3, 0x3C]])
        assert len(seen.drops) == drops


def test_an_answer_that_waits_is_void_with_a_request():
    pins = list(transfer(b"\x01\x00\x02"))
    seen = play([*pins, *transfer(bytes(1))], [ANSWER, [0x99]])
    rises, _, _ = edges(pins)
    assert seen.drops == [rises[7] + DROP]
    assert [byte for _, byte in seen.bytes] == [1, 0, 2]
    # its first byte is on the line until then
    assert read(seen, pins)[:8] == as_bits(ANSWER[:1])
    assert sum(read(seen, pins)[16:]) == 0
    assert read(seen, [*pins, *transfer(bytes(1))])[24:] == as_bits([0x99])


@pytest.mark.parametrize("bits", range(1, 17))
def test_bits_that_chip_select_cuts_off_leave_nothing(bits):
    """Nor do they make a request of a transfer that follows, nor an answer."""
    pins = list(transfer(b"\xff\xff", bits=bits))
    second = list(transfer(b"\x5a\x01"))
    seen = play([*pins, *second, *transfer(b"\x00\x66")])
    assert [byte for _, byte in seen.bytes] == [0xFF] * (bits // 8) + [0x5A, 1]
    assert len(seen.drops) == (bits >= 8) + 1
    _, _, (end, *_) = edges(pins)
    assert seen.quiet[end + QUIET - 1 : end + QUIET + 1] == [0, 1]


def test_the_clock_does_nothing_without_chip_select():
    idle = [(0, k // 3 % 2, 1) for k in range(60)]
    # it is high when chip select begins: that is no edge
    high = [(0, 1, 1)] * 3 + [(1, 1, 1)] * 6
    seen = play([*idle, *high, *transfer(b"\x34")], [])
    assert [byte for _, byte in seen.bytes] == [0x34]
    assert seen.quiet[: len(idle)] == [1] * len(idle)


def test_transfers_with_eight_cycles_between_them_and_four_before_the_first_edge():
    rng = random.Random(1)
    sent = [bytes([rng.randrange(1, 256), rng.randrange(256)]) for _ in range(12)]
    pins = [pin for data in sent for pin in transfer(data, clock=(2, 4), lead=4, trail=0)]
    assert [byte for _, byte in play(pins).bytes] == [*b"".join(sent)]
    answer = rng.randbytes(24)
    pins = [pin for _ in sent for pin in transfer(bytes(2), clock=(2, 4), lead=4, trail=0)]
    # what each transfer leaves is nothing: a byte is taken with chip select, and one within it
    assert read(play(pins, [answer[k : k + 2] for k in range(0, 24, 2)]), pins) == as_bits(answer)


def test_rate():
    assert sum(min(CLOCKS)) == SPI_RATIO == 6
