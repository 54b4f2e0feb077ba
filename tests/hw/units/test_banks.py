# amaranth: UnusedElaboratable=no
"""Banks of deep memories in LUTs: as synthesized, against the model; and what takes banks."""

import random
from dataclasses import replace

import pytest
from amaranth.hdl import Module, Mux, unsigned
from amaranth.lib.wiring import In

from bitformer.hw.convert import FOR_SYNTHESIS
from bitformer.hw.families.ecp5 import ECP5
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.memory import StoreSpec
from bitformer.hw.units import banks as banks_module
from bitformer.hw.units.banks import is_banked, select_bit, selects_of
from bitformer.hw.units.store import Store
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.depth import MOST_LATE_STEPS, depth
from bitformer.synth.netlist import read_netlist
from bitformer.synth.synthesize import synthesized_netlist

LUTS = SERIES7.luts


def spec(words, width, *, granule=0, ports=2):
    return StoreSpec(
        name="s",
        depth=words,
        width=width,
        granule=granule,
        read_ports=ports,
        placement="distributed",
    )


def as_synthesized(shape, luts):
    """The netlist of a store, flat."""
    return synthesized_netlist(Store(spec=shape, luts=luts), family=SERIES7)


def wrong_words(netlist, shape):
    """Write every word, then some again in part, and read all by every port: what differs."""
    chance, store = random.Random(shape.depth), Store(spec=shape)
    whole = (1 << len(store.w_en)) - 1
    places = [*range(shape.depth), *chance.sample(range(shape.depth), shape.depth // 4)]
    script = []
    for number, place in enumerate(places):
        enables = whole if number < shape.depth else chance.randrange(whole + 1)
        script.append(
            {"w_addr": place, "w_data": chance.getrandbits(shape.width), "w_en": enables}
            | {f"addr_{port}": chance.randrange(shape.depth) for port in range(shape.read_ports)}
        )
    for place in range(shape.depth):
        ends = (place, shape.depth - 1 - place)
        script.append({f"addr_{port}": ends[port] for port in range(shape.read_ports)})
    running = NetlistSimulator(netlist, SERIES7)
    shown = [
        running.step(**dict.fromkeys(("w_addr", "w_data", "w_en"), 0) | step)
        for step in [*script, *[script[-1]] * store.latency]
    ][store.latency :]
    return [
        (step, port)
        for step, (words, outputs) in enumerate(zip(store.model(script), shown, strict=True))
        for port, word in enumerate(words)
        if word is not None and outputs[f"data_{port}"] != word
    ]


@pytest.mark.needs("yosys")
@pytest.mark.parametrize(
    "shape",
    [
        spec(1030, 3, ports=1),
        spec(1540, 2, granule=1),
        pytest.param(spec(1472, 3, ports=1), marks=pytest.mark.slow),
        pytest.param(spec(3008, 8), marks=pytest.mark.slow),
    ],
    ids=lambda shape: f"{shape.depth}x{shape.width}",
)
def test_as_synthesized(shape):
    """Every word is read back by every port, and no path is longer than 150 MHz allow."""
    netlist = as_synthesized(shape, LUTS)
    kinds = {cell["type"] for cell in netlist["modules"]["top"]["cells"].values()}
    assert set(LUTS.join.kinds) <= kinds
    assert wrong_words(netlist, shape) == []
    found = depth(read_netlist(netlist, family=SERIES7))
    assert found.late_steps <= MOST_LATE_STEPS


@pytest.mark.needs("yosys")
def test_halves_in_the_wrong_order_are_noticed():
    """The mutant: what joins LUTs has its inputs swapped."""
    join = replace(LUTS.join, low=LUTS.join.high, high=LUTS.join.low)
    shape = spec(1540, 2, granule=1)
    assert wrong_words(as_synthesized(shape, replace(LUTS, join=join)), shape)


def test_what_is_made_of_banks():
    """Only where two levels of LUTs cannot select a word, and the family says what joins LUTs."""
    assert is_banked(spec(1025, 8), LUTS)
    assert not is_banked(spec(1024, 8), LUTS)
    assert not is_banked(spec(1025, 8), ECP5.luts)
    assert not is_banked(replace(spec(1025, 8), placement="block"), LUTS)
    assert not is_banked(replace(spec(1025, 8, ports=1), rom=True), LUTS)


@pytest.mark.parametrize(("banks", "luts"), [(5, 2), (12, 3), (16, 4), (17, 6), (47, 13)])
def test_luts_that_select_a_bit(banks, luts):
    assert selects_of(banks, LUTS) == luts


@pytest.mark.parametrize("joined", [True, False])
def test_luts_that_select_a_bit_counted_one_by_one(joined):
    """Each of four neighbours, multiplexers of pairs, and LUTs that make one number of four."""
    for banks in range(1, 90):
        count = left = len(range(0, banks, 4))
        for _ in LUTS.join.kinds if joined else ():
            left = len(range(0, left, 2))
        while left > 1:
            count, left = count + 1, left - 3
        assert selects_of(banks, LUTS if joined else replace(LUTS, join=None)) == count


def behaving(kind, **ports):
    """What joins two LUTs, as a module."""
    m, cell = Module(), LUTS.join
    low, high, select = (ports[f"i_{pin}"] for pin in (cell.low, cell.high, cell.select))
    m.d.comb += ports[f"o_{cell.output}"].eq(Mux(select, high, low))
    return m


class InBanks(Store):
    """A store as it is synthesized."""

    def elaborate(self, platform):
        return super().elaborate(FOR_SYNTHESIS)


@pytest.mark.parametrize(
    "shape", [spec(1030, 3), spec(1472, 2, granule=1, ports=1), spec(1600, 5)], ids=str
)
def test_every_bank_is_written_and_read(play, monkeypatch, shape):
    monkeypatch.setattr(banks_module, "Instance", behaving)
    chance, dut = random.Random(shape.depth), InBanks(spec=shape, luts=LUTS)
    places = [*range(0, shape.depth, 61), shape.depth - 1, *chance.sample(range(shape.depth), 30)]
    script = []
    for place in places + places:
        step = {"w_addr": place, "w_data": chance.getrandbits(shape.width)}
        step["w_en"] = chance.randrange(1 << len(dut.w_en))
        # half of the reads are of what has just been written
        last = script[-1]["w_addr"] if script else 0
        others = (chance.choice([last, chance.choice(places)]) for _ in range(shape.read_ports))
        script.append(step | {f"addr_{port}": other for port, other in enumerate(others)})
    names = [f"data_{port}" for port in range(shape.read_ports)]
    shown = play(dut, [*script, *[{}] * dut.latency], names)[dut.latency :]
    for expected, found in zip(dut.model(script), shown, strict=True):
        assert found == tuple(f if e is None else e for e, f in zip(expected, found, strict=True))


@pytest.mark.parametrize("count", [1, 2, 4, 5, 8, 9, 16, 17, 33])
def test_a_bit_of_each_number_is_selected(combinational, play, monkeypatch, count):
    monkeypatch.setattr(banks_module, "Instance", behaving)
    width = max(1, (count - 1).bit_length())
    dut = combinational(
        inputs={"i": In(count), "i_number": In(width)},
        shape=unsigned(1),
        build=lambda m, c: select_bit(m, LUTS, [*c.i], c.i_number, name="bit"),
    )
    script = [{"i": 1 << here, "i_number": n} for n in range(count) for here in {n, n // 2, 0}]
    shown = play(dut, script, ["o"])
    assert [o for (o,) in shown] == [step["i"] >> step["i_number"] & 1 for step in script]
