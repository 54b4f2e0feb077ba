"""Logic depth and loads of netlists made by hand, whose depth is known."""

from dataclasses import replace

import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.synth.depth import MOST_LATE_STEPS, WIDE, depth, fanouts
from bitformer.synth.netlist import Cell, Netlist

OUTPUTS = ("O", "Q", "CO", "P", "DOA", "DOB", "DPO", "SPO", "DOADO", "PCOUT")


def cell(name, kind, **ports):
    """A cell; a port's nets are a number or several, and None for a constant."""
    bits = {port: nets if isinstance(nets, tuple) else (nets,) for port, nets in ports.items()}
    return Cell(
        name=name,
        kind=kind,
        inputs={port: nets for port, nets in bits.items() if port not in OUTPUTS},
        outputs={port: nets for port, nets in bits.items() if port in OUTPUTS},
    )


def netlist(*cells, names=(), inputs=(), outputs=()):
    ports = {bit: (name,) for name, bit in dict(names).items()}
    return Netlist(
        family=SERIES7,
        cells=cells,
        inputs={name: (bit,) for name, bit in dict(inputs).items()},
        outputs={name: (bit,) for name, bit in dict(outputs).items()},
        names=ports,
    )


def ff(name, d, q, **more):
    return cell(name, "FDRE", C=1, D=d, Q=q, **more)


def lut(name, output, *inputs):
    ports = {f"I{number}": net for number, net in enumerate(inputs)}
    return cell(name, f"LUT{len(inputs)}", O=output, **ports)


def carry(name, base, *, ci=None, cyinit=None, s=(None,) * 4, di=(None,) * 4):
    """A CARRY4 with sums on nets base to base + 3 and carries on base + 4 to base + 7."""
    sums, carries = tuple(range(base, base + 4)), tuple(range(base + 4, base + 8))
    return cell(name, "CARRY4", CI=ci, CYINIT=cyinit, S=s, DI=di, O=sums, CO=carries)


def lut_chain(length):
    """Net 100 is a register's, 100 + length feeds another."""
    return [lut(f"l{n}", 101 + n, 100 + n) for n in range(length)]


def found(*cells, **more):
    result = depth(netlist(*cells, **more))
    worst = result.paths[0]
    return worst.levels, worst.chains, worst.carries


@pytest.mark.parametrize("length", [0, 1, 7])
def test_lut_chain(length):
    cells = [ff("a", None, 100), *lut_chain(length), ff("b", 100 + length, 200)]
    result = depth(netlist(*cells))
    assert (result.levels, result.chains) == (length, 0)


def test_longer_of_two_ways_counts():
    cells = [ff("a", None, 100), *lut_chain(3), lut("join", 150, 100, 103), ff("b", 150, 200)]
    assert found(*cells) == (4, 0, 0)


def test_registers_cut_paths():
    cells = [ff("a", None, 100), *lut_chain(2), ff("b", 102, 110), lut("l", 111, 110)]
    assert found(*cells, ff("c", 111, 120)) == (2, 0, 0)


def test_ports_begin_and_end_paths():
    result = depth(netlist(lut("l", 101, 100), inputs={"i": 100}, outputs={"o": 101}))
    assert result.levels == 1
    assert result.paths[0].end == "output o[0]"


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_carries_in_a_row_are_one_chain(blocks):
    """A LUT, an adder of 4 bits a block, the last sum to a register."""
    cells = [ff("a", None, 100), lut("l", 101, 100), carry("c0", 1000, s=(101, None, None, None))]
    cells += [carry(f"c{n}", 1000 + 8 * n, ci=999 + 8 * n) for n in range(1, blocks)]
    last = 1000 + 8 * (blocks - 1) + 3
    assert found(*cells, ff("b", last, 300)) == (1, 1, blocks)


def test_a_carry_into_logic_and_back_is_two_chains():
    cells = [
        ff("a", None, 100),
        carry("c0", 1000, di=(100, None, None, None)),
        lut("l", 101, 1007),
        carry("c1", 1008, s=(101, None, None, None)),
        ff("b", 1008, 300),
    ]
    assert found(*cells) == (1, 2, 2)
    assert depth(netlist(*cells)).chains == 2


def test_a_carry_by_cyinit_is_another_chain():
    first = carry("c0", 1000, s=(100, None, None, None))
    cells = [ff("a", None, 100), first, carry("c1", 1008, cyinit=1007), ff("b", 1008, 300)]
    assert found(*cells) == (0, 2, 2)


def test_a_sum_depends_on_no_higher_bit():
    low = carry("c0", 1000, s=(None, None, None, 100), di=(None, 100, None, None))
    assert found(ff("a", None, 100), low, ff("b", 1001, 300)) == (0, 0, 0)
    assert found(ff("a", None, 100), low, ff("b", 1002, 300)) == (0, 1, 1)


def test_most_levels_and_most_chains_may_be_on_different_paths():
    cells = [
        ff("a", None, 100),
        *lut_chain(4),
        ff("b", 104, 200),
        carry("c0", 1000, s=(100, None, None, None)),
        carry("c1", 1008, s=(1000, None, None, None)),
        ff("c", 1008, 300),
    ]
    result = depth(netlist(*cells))
    assert (result.levels, result.chains) == (4, 2)
    assert result.short_enough is False


def test_muxes_belong_to_the_lut_before():
    mux = cell("f7", "MUXF7", I0=101, I1=None, S=100, O=110)
    wide = cell("f8", "MUXF8", I0=110, I1=None, S=None, O=111)
    assert found(ff("a", None, 100), *lut_chain(1), mux, wide, ff("b", 111, 200)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("cells", "levels"),
    [
        ([lut("l", 101, 100), cell("i", "INV", I=101, O=102)], 1),
        ([cell("i", "INV", I=100, O=101), lut("l", 102, 101)], 1),
        ([cell("i", "INV", I=100, O=102)], 1),
        ([lut("l", 101, 100), cell("i", "INV", I=101, O=103), lut("k", 102, 103)], 2),
    ],
    ids=["behind a LUT", "before a LUT", "alone", "between"],
)
def test_inverters_are_absorbed(cells, levels):
    assert found(ff("a", None, 100), *cells, ff("b", 102, 200)) == (levels, 0, 0)


@pytest.mark.parametrize(
    ("memory", "levels"),
    [
        (cell("m", "RAM64M", WCLK=1, ADDRA=(101,), DOA=(110,), WE=None), 2),
        (cell("m", "RAM64M", WCLK=1, ADDRB=(101,), DOA=(110,), WE=None), 1),
        (cell("m", "RAM64X1D", WCLK=1, DPRA0=101, DPO=110, WE=None), 2),
        (cell("m", "RAM64X1D", WCLK=1, A0=101, DPO=110, WE=None), 1),
        (cell("m", "RAM64X1D", WCLK=1, A0=101, SPO=110, WE=None), 2),
        (cell("m", "SRLC32E", CLK=1, A=(101, None), D=None, Q=110), 2),
        (cell("m", "SRL16E", CLK=1, A0=None, D=101, Q=110), 1),
        (cell("m", "RAMB18E1", CLKARDCLK=1, ADDRARDADDR=(101,), DOADO=(110,)), 1),
        (cell("m", "DSP48E1", CLK=1, A=(101,), P=(110,)), 1),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_memories(memory, levels):
    """One LUT before the port, none behind the output: reads in the same cycle are a level."""
    cells = [ff("a", None, 100), lut("l", 101, 100), memory, ff("b", 110, 200)]
    assert depth(netlist(*cells)).levels == levels


def test_memories_in_luts_are_late():
    srl = cell("m", "SRL16E", CLK=1, A0=None, D=None, Q=100)
    assert found(srl, *lut_chain(2), ff("b", 102, 200)) == (3, 0, 0)
    dsp = cell("m", "DSP48E1", CLK=1, A=(None,), P=(100,))
    assert found(dsp, *lut_chain(2), ff("b", 102, 200)) == (2, 0, 0)


def start(kind, **parameters):
    """A cell whose output is net 100."""
    ports = {"SRL16E": {"CLK": 1, "Q": 100}, "DSP48E1": {"CLK": 1, "P": (100,)}}
    others = {"RAM64X1D": {"WCLK": 1, "DPRA0": 99, "DPO": 100}, "FDRE": {"C": 1, "Q": 100}}
    made = cell("m", kind, **(ports | others | {"RAMB18E1": {"CLKARDCLK": 1, "DOADO": 100}})[kind])
    return replace(made, parameters=parameters)


@pytest.mark.parametrize(
    ("first", "late"),
    [
        (start("SRL16E"), 1),
        (start("RAM64X1D"), 1),
        (start("DSP48E1", PREG="0" * 32), 2),
        (start("DSP48E1", PREG="0" * 31 + "1"), 0),
        (start("DSP48E1"), 0),
        (start("RAMB18E1"), 0),
        (start("FDRE"), 0),
    ],
    ids=lambda value: f"{value.kind} {value.parameters}" if hasattr(value, "kind") else "",
)
@pytest.mark.parametrize("length", [0, 1, 3])
def test_steps_behind_a_late_start(first, late, length):
    address = [ff("a", None, 98), lut("before", 99, 98)]
    result = depth(netlist(*address, first, *lut_chain(length), ff("b", 100 + length, 200)))
    assert result.late_steps == (late + length if late else 0)
    assert result.short_enough == (result.late_steps <= MOST_LATE_STEPS)
    assert [(p.levels, p.chains, p.wide, p.late, p.end) for p in result.late] == (
        [(length, 0, 0, late, "b/Q/D")] if late else []
    )


@pytest.mark.parametrize("registers", [WIDE - 1, WIDE])
@pytest.mark.parametrize("net", [100, 101])
def test_a_net_with_many_loads_is_a_step(net, registers):
    """The net of the start, or one behind it, drives the next LUT and so many registers."""
    loads = [ff(f"f{n}", net, 300 + n) for n in range(registers)]
    result = depth(netlist(start("SRL16E"), *lut_chain(2), ff("b", 102, 200), *loads))
    (worst,) = (path for path in result.late if path.end == "b/Q/D")
    assert (worst.levels, worst.wide) == (2, int(registers + 1 > WIDE))
    assert worst.steps == 3 + worst.wide
    assert result.short_enough == (not worst.wide)


def test_a_carry_chain_is_a_step():
    first = carry("c0", 1000, s=(101, None, None, None))
    second = carry("c1", 1008, ci=1007)
    result = depth(netlist(start("SRL16E"), *lut_chain(1), first, second, ff("b", 1011, 300)))
    assert (result.late[0].chains, result.late[0].carries, result.late_steps) == (1, 2, 3)


def test_what_is_late_counts_even_where_another_way_is_longer():
    """The LUT behind a long chain from a flip-flop also takes a shift register's output."""
    chain = [ff("a", None, 500), *(lut(f"k{n}", 501 + n, 500 + n) for n in range(5))]
    result = depth(netlist(start("SRL16E"), *chain, lut("l", 600, 100, 505), ff("b", 600, 700)))
    assert (result.levels, result.late_steps) == (6, 2)
    assert (result.paths[0].start, result.paths[0].late) == ("a/Q", 0)


def test_enables_and_resets_end_paths_and_clocks_do_not():
    enabled = ff("b", None, 200, CE=103)
    result = depth(netlist(ff("a", None, 100), *lut_chain(3), enabled, names={"b": 200}))
    assert (result.levels, result.paths[0].end) == (3, "b/CE")
    clocked = cell("b", "FDRE", C=103, D=None, Q=200)
    assert depth(netlist(ff("a", None, 100), *lut_chain(3), clocked)).levels == 0


def test_paths_say_where():
    names = {"unit.count[2]": 100, "unit.sum[0]": 101, "other.flag": 200}
    result = depth(netlist(ff("a", None, 100), *lut_chain(2), ff("b", 102, 200), names=names))
    path = result.paths[0]
    assert (path.start, path.through, path.end) == (
        "unit.count[2]",
        ("unit.sum[0]",),
        "other.flag/D",
    )
    assert (path.levels, path.chains, path.carries) == (2, 0, 0)


def test_one_path_for_each_register():
    bits = {f"unit.x[{n}]": 200 + n for n in range(9)}
    registers = [ff(f"b{n}", 101 + n % 2, 200 + n) for n in range(9)]
    other = ff("c", 101, 300)
    names = {**bits, "unit.y": 300}
    result = depth(netlist(ff("a", None, 100), *lut_chain(2), *registers, other, names=names))
    assert [(p.levels, p.end.partition("[")[0]) for p in result.paths] == [
        (2, "unit.x"),
        (1, "unit.y/D"),
    ]
    assert len(depth(netlist(*registers, other, names=names), worst=1).paths) == 1


def test_a_loop_is_refused():
    loop = [lut("l", 101, 100), lut("k", 100, 101)]
    with pytest.raises(ValueError, match=r"^netlist must have no combinational loop, as through "):
        depth(netlist(*loop, ff("b", 101, 200)))


def test_long_chains_need_no_recursion():
    cells = [ff("a", None, 100), *lut_chain(5000), ff("b", 5100, 9000)]
    assert found(*cells) == (5000, 0, 0)


def test_nothing_to_find():
    result = depth(netlist())
    assert (result.levels, result.chains, result.paths) == (0, 0, ())
    assert result.short_enough


def test_loads_by_what_they_are():
    cells = [ff(f"f{n}", None, 200 + n, CE=100, R=101) for n in range(130)]
    cells += [lut("l", 102, 100, 101), cell("r", "RAM64M", WCLK=1, WE=100, ADDRA=(103, 103))]
    cells += [cell("d", "DSP48E1", CLK=1, A=(103,), CEP=100)]
    nets = {net.name: net for net in fanouts(netlist(*cells, names={"go": 100, "adr": 103}))}
    go, address = nets["go"], nets["adr"]
    assert (go.loads, go.enables, go.resets, go.logic, go.data) == (133, 132, 0, 1, 0)
    assert (address.loads, address.data) == (3, 3)
    assert (go.control, address.control) == (True, False)
    assert nets["net 101"].resets == 130
    assert next(iter(nets)) == "go"


def test_clock_and_reset_are_left_out():
    cells = [ff(f"f{n}", None, 200 + n, R=5, CE=6) for n in range(3)]
    ports = {"clk": 1, "rst": 5, "en": 6}
    assert [net.name for net in fanouts(netlist(*cells, inputs=ports))] == ["en"]
    every = fanouts(netlist(*cells, inputs=ports), apart=())
    assert [net.name for net in every] == ["en", "rst"]


def test_loads_from_a_number_on():
    cells = [ff(f"f{n}", 300, 200 + n, CE=100) for n in range(3)]
    cells += [ff("g", 300, 250)]
    assert [net.loads for net in fanouts(netlist(*cells), least=4)] == [4]


def test_unnamed_logic_is_told_by_what_it_depends_on():
    cells = [ff("a", None, 100), ff("b", None, 101), lut("l", 102, 100, 101), lut("k", 103, 102)]
    nets = netlist(*cells, names={"unit.go[1]": 100, "unit.stop": 101})
    assert nets.name(103) == "logic of unit.go, unit.stop"
