"""The Elastic Node's transfers, cycle by cycle: which bytes are written, read, and when."""

import pytest
from amaranth.hdl import Cat
from amaranth.sim import Simulator
from spi_pins import as_bits, edges, transfer

from bitformer.boards.shell.elastic.bus import ELASTIC_RATIO, ElasticBus

#: Cycles from the edge at which a bit is read to what follows: the next bit, or that of a new
#: byte; a byte that is written; what the transfer's command says.
BIT, FIRST_BIT, WRITTEN, TOLD = 3, 6, 3, 4
#: (low, high) cycles of SCK: the shortest of each, and others.
CLOCKS = [(2, 6), (6, 2), (4, 4), (9, 7)]
PHASES = pytest.mark.parametrize("phase", [0, 1])


def kept(address):
    """The byte at an address."""
    return (address * 37 ^ address >> 8 ^ 0x81) & 0xFF


def play(pins, phase):
    """Play the pins to a bus with a memory; return its bytes written, MISO, and ``unknown``."""
    dut = ElasticBus(phase=phase)
    link, pads = dut.link, Cat(dut.cs, dut.sck, dut.mosi)
    written, miso, unknown = [], [], []

    async def bench(ctx):
        for cycle, (cs, sck, mosi) in enumerate([*pins, *[(0, 0, 0)] * 10]):
            ctx.set(pads, cs | sck << 1 | mosi << 2)
            *_, address, byte, write, bit, wrong = await ctx.tick().sample(
                link.address, link.data, link.write, dut.miso, link.unknown
            )
            # as of a memory: a cycle behind its address
            ctx.set(link.read, kept(address))
            if write:
                written.append((cycle, address, byte))
            miso.append(bit)
            unknown.append(wrong)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return written, miso, unknown


def spoken(phase, data, **options):
    """A transfer's pins, and those of its edges at which a byte ends."""
    pins = list(transfer(data, falls=bool(phase), **{"clock": (4, 4), **options}))
    return pins, edges(pins, falls=bool(phase))[0][7::8]


@PHASES
@pytest.mark.parametrize(
    ("clock", "first"), [*zip(CLOCKS, [0x0000, 0x01FE, 0xA55A, 0xFFFE], strict=True)]
)
def test_bytes_are_written_from_an_address_on(phase, clock, first):
    data = [0x80, 0x01, 0xFF, 0x00, 0x7E]
    pins, ends = spoken(phase, [0x80, first >> 8, first & 0xFF, *data], clock=clock)
    written, miso, unknown = play(pins, phase)
    assert written == [
        (end + WRITTEN, first + k & 0xFFFF, byte)
        for k, (end, byte) in enumerate(zip(ends[3:], data, strict=True))
    ]
    assert sum(miso) == sum(unknown) == 0


@PHASES
@pytest.mark.parametrize(
    ("clock", "first"), [*zip(CLOCKS, [0x0100, 0x3FFF, 0xFFFE, 0x5AA4], strict=True)]
)
def test_bytes_are_read_from_an_address_on(phase, clock, first):
    pins, _ = spoken(phase, [0x40, first >> 8, first & 0xFF, 0xFF, 0x80, 0], clock=clock)
    written, miso, unknown = play(pins, phase)
    reads, _, (end,) = edges(pins, falls=bool(phase))
    bits = as_bits(kept(first + k & 0xFFFF) for k in range(4))
    expected = [0] * len(miso)
    for number, bit in enumerate(bits[:25]):
        begin = reads[23 + number] + (BIT if number % 8 else FIRST_BIT)
        stop = reads[24 + number] + BIT if number < 24 else end + BIT
        expected[begin:stop] = [bit] * (stop - begin)
    assert miso == expected
    # a host reads just before the slave's edge
    assert [miso[cycle] for cycle in reads[24:]] == bits[:24]
    assert (written, sum(unknown)) == ([], 0)


@PHASES
@pytest.mark.parametrize("command", [0x00, 0x41, 0x81, 0xC0])
def test_another_command_does_nothing_and_is_told(phase, command):
    pins, ends = spoken(phase, [command, 1, 2, 0xFF, 0xFF])
    good, _ = spoken(phase, [0x80, 1, 2, 3])
    cut, _ = spoken(phase, [0x80], bits=7)
    last, (told, *_) = spoken(phase, [0x40, 1])
    written, miso, unknown = play([*good, *pins, *cut, *last], phase)
    assert [byte for _, _, byte in written] == [3]
    assert sum(miso) == 0
    begin, until = len(good) + ends[0] + TOLD, len(good + pins + cut) + told + TOLD
    assert unknown == [begin <= cycle < until for cycle in range(len(unknown))]


@PHASES
@pytest.mark.parametrize("bits", [0, 7, 8, 9, 16, 23, 24, 25, 31, 32, 33, 40])
def test_whole_bytes_count_and_the_rest_leaves_nothing(phase, bits):
    pins, _ = spoken(phase, [0x80, 0x12, 0x34, 0x56, 0x78], bits=bits)
    after, _ = spoken(phase, [0x80, 0xAB, 0xCD, 0xEF])
    written, _, _ = play([*pins, *after], phase)
    whole = [(0x1234, 0x56), (0x1235, 0x78)][: max(0, bits // 8 - 3)]
    assert [rest for _, *rest in written] == [[*pair] for pair in [*whole, (0xABCD, 0xEF)]]


@PHASES
@pytest.mark.parametrize("trail", [0, 1, 2, 3, 4, 6])
def test_chip_select_ends_what_is_read(phase, trail):
    """Though a byte may be on its way; and the next transfer reads from its own address on."""
    clock = (2, 6) if phase else (6, 2)
    pins, _ = spoken(phase, [0x40, 0x12, 0x34], clock=clock, trail=trail)
    _, _, (end,) = edges(pins, falls=bool(phase))
    other, _ = spoken(phase, [0x40, 0x12, 0x31, 0, 0])
    _, miso, _ = play([*pins, *other], phase)
    assert sum(miso[end + BIT : len(pins)]) == 0
    reads, _, _ = edges([*pins, *other], falls=bool(phase))
    assert [miso[cycle] for cycle in reads[48:]] == as_bits([kept(0x1231), kept(0x1232)])


@PHASES
@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_byte_counts_with_its_last_edge(phase, late):
    """If chip select is still there in that cycle; without it, the clock does nothing."""
    pins, ends = spoken(phase, [0x80, 0x12, 0x34, 0x56], clock=(4, 4), trail=9)
    until = ends[3] + late
    cut = [(cs and cycle < until, *others) for cycle, (cs, *others) in enumerate(pins)]
    ticking = [(0, k // 4 % 2, 1) for k in range(82)]
    other, _ = spoken(phase, [0x80, 0, 1, 2])
    written, _, _ = play([*cut, *ticking, *other], phase)
    assert [rest for _, *rest in written] == [[0x1234, 0x56]] * (late > 0) + [[1, 2]]


def test_rate():
    assert min(map(sum, CLOCKS)) == ELASTIC_RATIO == 8


@pytest.mark.parametrize("phase", [-1, 2])
def test_phase_refused(phase):
    assert ElasticBus().phase == 1
    with pytest.raises(ValueError, match=rf"Phase must be .*, not {phase}"):
        ElasticBus(phase=phase)
