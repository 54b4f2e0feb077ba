"""Primitives, one by one, against what Xilinx' user guides say of them."""

import builtins
import random
import re
from itertools import product

import pytest

from bitformer.hw.families.series7 import SERIES7
from bitformer.sim.netlist.models import MODELLED
from bitformer.sim.netlist.simulator import NetlistSimulator
from bitformer.synth.netlist import NetlistError

CLOCKS = {"CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"}
OUTPUTS = {"O", "Q", "P", "CO", *(f"DO{c}" for c in "ABCD")}
OUTPUTS |= {"DOADO", "DOBDO", "DOPADOP", "DOPBDOP"}


def one_cell(kind, parameters=None, *, tied=None, **widths):
    """A netlist with a cell whose pins, of these ``widths``, are ports; ``tied`` are constants."""
    ports, pins, net = {"clk": {"direction": "input", "bits": [2]}}, {}, 3
    for pin, width in widths.items():
        pins[pin] = [*range(net, net + width)]
        net += width
        direction = "output" if pin in OUTPUTS else "input"
        ports[pin] = {"direction": direction, "bits": pins[pin]}
    clocks = {"C"} if kind.startswith("FD") else CLOCKS
    pins |= {pin: [2] for pin in clocks & {*MODELLED[SERIES7][kind].pins}}
    pins |= {pin: list(reversed(bits)) for pin, bits in (tied or {}).items()}
    cell = {
        "type": kind,
        "parameters": dict(parameters or {}),
        "port_directions": {pin: "output" if pin in OUTPUTS else "input" for pin in pins},
        "connections": pins,
    }
    return {"modules": {"top": {"ports": ports, "cells": {"x": cell}}}}


def simulator(*args, unknown=0, **kwargs):
    return NetlistSimulator(one_cell(*args, **kwargs), SERIES7, unknown=unknown)


@pytest.mark.parametrize("size", range(1, 7))
def test_lut(size):
    init = random.Random(size).getrandbits(1 << size)
    inputs = {f"I{k}": 1 for k in range(size)}
    lut = simulator(f"LUT{size}", {"INIT": f"{init:0{1 << size}b}"}, O=1, **inputs)
    for index in range(1 << size):
        out = lut.step(**{f"I{k}": index >> k & 1 for k in range(size)})
        assert out["O"] == init >> index & 1


@pytest.mark.parametrize("kind", ["MUXF7", "MUXF8"])
def test_mux(kind):
    mux = simulator(kind, I0=1, I1=1, S=1, O=1)
    for zero, one, select in product((0, 1), repeat=3):
        assert mux.step(I0=zero, I1=one, S=select)["O"] == (one if select else zero)


def test_inverter():
    inverter = simulator("INV", I=1, O=1)
    assert [inverter.step(I=bit)["O"] for bit in (0, 1)] == [1, 0]


@pytest.mark.parametrize("carry", ["CI", "CYINIT"])
def test_carry_chain_adds(carry):
    other = {"CI": "CYINIT", "CYINIT": "CI"}[carry]
    chain = simulator("CARRY4", tied={other: "0"}, DI=4, S=4, O=4, CO=4, **{carry: 1})
    for a, b, c in product(range(16), range(16), range(2)):
        out = chain.step(DI=a, S=a ^ b, **{carry: c})
        assert out["O"] == (a + b + c) % 16
        carries = [(a % (2 << k)) + (b % (2 << k)) + c >> k + 1 for k in range(4)]
        assert out["CO"] == sum(bit << k for k, bit in enumerate(carries))


@pytest.mark.parametrize(("kind", "control", "to"), [("FDRE", "R", 0), ("FDSE", "S", 1)])
@pytest.mark.parametrize("init", [0, 1])
def test_flip_flop(kind, control, to, init):
    flop = simulator(kind, {"INIT": str(init)}, D=1, CE=1, Q=1, **{control: 1})
    rng, state = random.Random(0), init
    for _ in range(100):
        d, enable, force = (rng.getrandbits(1) for _ in range(3))
        assert flop.step(D=d, CE=enable, **{control: force})["Q"] == state
        state = to if force else d if enable else state


@pytest.mark.parametrize("unknown", [0, 1])
def test_open_contents_are_what_is_asked_for(unknown):
    flop = simulator(
        "FDRE", {"INIT": "x"}, tied={"R": "0", "CE": "1", "D": "x"}, Q=1, unknown=unknown
    )
    assert [flop.step()["Q"] for _ in range(2)] == [unknown, unknown]


def test_shift_register():
    rng = random.Random(1)
    bits = [rng.getrandbits(1) for _ in range(16)]
    init = "".join(map(str, reversed(bits)))
    srl = simulator("SRL16E", {"INIT": init}, A0=1, A1=1, A2=1, A3=1, CE=1, D=1, Q=1)
    for _ in range(300):
        tap, enable, d = rng.randrange(16), rng.getrandbits(1), rng.getrandbits(1)
        address = {f"A{k}": tap >> k & 1 for k in range(4)}
        assert srl.step(CE=enable, D=d, **address)["Q"] == bits[tap]
        if enable:
            bits = [d, *bits[:-1]]


@pytest.mark.parametrize(("kind", "width", "depth"), [("RAM32M", 2, 32), ("RAM64M", 1, 64)])
def test_memory_in_luts(kind, width, depth):
    rng = random.Random(2)
    words = {c: [rng.getrandbits(width) for _ in range(depth)] for c in "ABCD"}
    init = {
        f"INIT_{c}": "".join(f"{word:0{width}b}" for word in reversed(words[c])) for c in "ABCD"
    }
    bits = depth.bit_length() - 1
    widths = {
        f"{pin}{c}": n for c in "ABCD" for pin, n in (("ADDR", bits), ("DI", width), ("DO", width))
    }
    ram = simulator(kind, init, WE=1, **widths)
    for _ in range(400):
        address = {c: rng.randrange(depth) for c in "ABCD"}
        new = {c: rng.getrandbits(width) for c in "ABCD"}
        write = rng.getrandbits(1)
        pins = {f"ADDR{c}": address[c] for c in "ABCD"} | {f"DI{c}": new[c] for c in "ABCD"}
        out = ram.step(WE=write, **pins)
        assert out == {f"DO{c}": words[c][address[c]] for c in "ABCD"}
        if write:
            for c in "ABCD":
                words[c][address["D"]] = new[c]


def dsp_parameters(a, b, c, m, p):
    zero = dict.fromkeys(
        ["ADREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG", "DREG", "INMODEREG", "OPMODEREG"],
        "0",
    )
    counts = {"AREG": a, "BREG": b, "CREG": c, "MREG": m, "PREG": p}
    texts = {"A_INPUT": "DIRECT", "B_INPUT": "DIRECT", "USE_DPORT": "FALSE"}
    texts |= {"USE_MULT": "MULTIPLY", "USE_SIMD": "ONE48"}
    return zero | {name: f"{count:032b}" for name, count in counts.items()} | texts


DSP_PINS = {"A": 30, "B": 18, "C": 48, "P": 48}
DSP_ENABLES = [*(f"CE{x}" for x in ("A1", "A2", "B1", "B2", "C", "M", "P"))]
DSP_RESETS = [f"RST{x}" for x in "ABCMP"]


class Stage:
    """So many registers in a row, of which each has an enable."""

    def __init__(self, count):
        self.values = [0] * count

    def next(self, value, enables, reset):
        chain = [value, *self.values]
        enables = enables[len(enables) - len(self.values) :]
        self.values = [
            0 if reset else new if enable else old
            for new, old, enable in zip(chain, self.values, enables, strict=False)
        ]

    def out(self, value):
        return self.values[-1] if self.values else value


@pytest.mark.parametrize(
    "counts", [(1, 1, 0, 1, 1), (1, 2, 0, 1, 1), (2, 1, 1, 1, 1), (2, 2, 1, 1, 1), (0, 0, 0, 0, 0),
               (1, 1, 0, 1, 0), (0, 1, 1, 0, 1), (0, 0, 1, 1, 1)]
)  # fmt: skip
@pytest.mark.parametrize("z", ["0", "C", "P", "either"])
def test_dsp(counts, z):
    if z in ("P", "either"):
        counts = (*counts[:4], 1)  # without register P there is nothing to add to
    opmode = {"0": "0000101", "C": "0110101", "P": "0100101"}.get(z)
    widths = DSP_PINS | dict.fromkeys(DSP_ENABLES + DSP_RESETS, 1)
    net = one_cell(
        "DSP48E1", dsp_parameters(*counts), tied={"OPMODE": opmode or "0100101"}, **widths
    )
    if z == "either":  # bit 4 chooses C or P
        top = net["modules"]["top"]
        top["cells"]["x"]["connections"]["OPMODE"][4] = 9999
        top["ports"]["select"] = {"direction": "input", "bits": [9999]}
    dsp = NetlistSimulator(net, SERIES7)
    rng = random.Random(str((counts, z)))
    a, b, c, m, p = (Stage(count) for count in counts)
    for _ in range(300):
        x = {"A": rng.getrandbits(30), "B": rng.getrandbits(18), "C": rng.getrandbits(48)}
        enable = {name: int(rng.random() < 0.8) for name in DSP_ENABLES}
        reset = {name: int(rng.random() < 0.1) for name in DSP_RESETS}
        select = rng.getrandbits(1)
        left, right = x["A"] % (1 << 25), x["B"]
        factors = [
            (value ^ 1 << bits - 1) - (1 << bits - 1)
            for value, bits in ((a.out(left), 25), (b.out(right), 18))
        ]
        result = factors[0] * factors[1]
        which = {"either": "C" if select else "P"}.get(z, z)
        third = {"0": 0, "C": c.out(x["C"]), "P": p.out(0)}[which]
        total = (m.out(result) + third) % (1 << 48)
        assert dsp.step(select=select, **x, **enable, **reset)["P"] == p.out(total)
        p.next(total, [enable["CEP"]], reset["RSTP"])
        m.next(result, [enable["CEM"]], reset["RSTM"])
        c.next(x["C"], [enable["CEC"]], reset["RSTC"])
        a.next(left, [enable["CEA1"], enable["CEA2"]], reset["RSTA"])
        b.next(right, [enable["CEB1"], enable["CEB2"]], reset["RSTB"])


def block_parameters(mode="TDP", *, init=(), parity=(), big=False, **widths):
    names = [f"{access}_WIDTH_{side}" for access in ("READ", "WRITE") for side in "AB"]
    fixed = {f"WRITE_MODE_{side}": "READ_FIRST" for side in "AB"}
    fixed |= {f"DO{side}_REG": "0" for side in "AB"} | {f"INIT_{side}": "0" for side in "AB"}
    contents = {f"INIT_{k:02X}": f"{row:0256b}" for k, row in enumerate(init)}
    contents |= {f"INITP_{k:02X}": f"{row:0256b}" for k, row in enumerate(parity)}
    counts = {name: f"{widths.get(name, 0):032b}" for name in names}
    return {"RAM_MODE": mode} | fixed | contents | counts


def block_pins(big):
    scale, address = (2, 16) if big else (1, 14)
    return {
        **dict.fromkeys(("ADDRARDADDR", "ADDRBWRADDR"), address),
        **dict.fromkeys(("DIADI", "DIBDI", "DOADO", "DOBDO"), 16 * scale),
        **dict.fromkeys(("DIPADIP", "DIPBDIP", "DOPADOP", "DOPBDOP", "WEA"), 2 * scale),
        "WEBWE": 4 * scale,
        "ENARDEN": 1,
        "ENBWREN": 1,
    }


class Lanes:
    """The contents of a block RAM as bytes with a parity bit each, as the INIT rows hold them."""

    def __init__(self, seed, big):
        rng = random.Random(seed)
        self.rows = [rng.getrandbits(256) for _ in range(128 if big else 64)]
        self.parity_rows = [rng.getrandbits(256) for _ in range(16 if big else 8)]
        self.bytes = [row >> 8 * k & 255 for row in self.rows for k in range(32)]
        self.parity = [row >> k & 1 for row in self.parity_rows for k in range(256)]

    def read(self, first, count):
        data = sum(self.bytes[first + k] << 8 * k for k in range(count))
        return data, sum(self.parity[first + k] << k for k in range(count))

    def write(self, first, count, enables, data, parity):
        for k in range(count):
            if enables >> k & 1:
                self.bytes[first + k] = data >> 8 * k & 255
                self.parity[first + k] = parity >> k & 1


@pytest.mark.parametrize(
    ("big", "width"), [(False, 9), (False, 18), (True, 9), (True, 18), (True, 36)]
)
@pytest.mark.parametrize("uses", [("RA",), ("RA", "WB"), ("WA", "RB"), ("RA", "WA", "RB", "WB")])
def test_block_ram_with_two_ports(big, width, uses):
    contents = Lanes(width, big)
    kind = "RAMB36E1" if big else "RAMB18E1"
    widths = {f"{'READ' if use[0] == 'R' else 'WRITE'}_WIDTH_{use[1]}": width for use in uses}
    parameters = block_parameters(init=contents.rows, parity=contents.parity_rows, **widths)
    rng, lanes = random.Random(width), width // 9
    pins = block_pins(big)
    for side in "AB":  # what no reading port drives is not connected
        pins |= {f"DO{side}DO": 8 * lanes, f"DOP{side}DOP": lanes}
        if f"R{side}" not in uses:
            del pins[f"DO{side}DO"], pins[f"DOP{side}DOP"]
    ram = simulator(kind, parameters, **pins)
    seen = {"A": (0, 0), "B": (0, 0)}
    for _ in range(500):
        # few addresses, so that both ports meet
        first = {side: rng.randrange(16) * lanes for side in "AB"}
        if first["A"] == first["B"] and {"WA", "WB"} <= {*uses}:
            continue  # two writes to one place
        new = {side: (rng.getrandbits(8 * lanes), rng.getrandbits(lanes)) for side in "AB"}
        enables = {side: rng.getrandbits(lanes) for side in "AB"}
        on = {side: int(rng.random() < 0.8) for side in "AB"}
        noise = rng.randrange(8 * lanes)  # address bits below a word's
        out = ram.step(
            ADDRARDADDR=first["A"] * 8 | noise, ADDRBWRADDR=first["B"] * 8,
            DIADI=new["A"][0], DIPADIP=new["A"][1], DIBDI=new["B"][0], DIPBDIP=new["B"][1],
            WEA=enables["A"], WEBWE=enables["B"], ENARDEN=on["A"], ENBWREN=on["B"],
        )  # fmt: skip
        for side in "AB":
            if f"R{side}" in uses:
                data, parity = seen[side]
                assert out[f"DO{side}DO"] == data
                assert out[f"DOP{side}DOP"] == parity
        before = {side: contents.read(first[side], lanes) for side in "AB"}
        for side in "AB":
            if on[side]:
                seen[side] = before[side]
                if f"W{side}" in uses:
                    contents.write(first[side], lanes, enables[side], *new[side])


@pytest.mark.parametrize("big", [False, True])
def test_block_ram_of_full_width(big):
    """Port A reads, port B writes, both on the pins of both."""
    contents, lanes = Lanes(0, big), 8 if big else 4
    width, side = 9 * lanes, 4 * lanes
    parameters = block_parameters(
        "SDP", init=contents.rows, parity=contents.parity_rows,
        READ_WIDTH_A=width, WRITE_WIDTH_B=width,
    )  # fmt: skip
    ram = simulator("RAMB36E1" if big else "RAMB18E1", parameters, **block_pins(big))
    rng, seen = random.Random(0), (0, 0)
    half = lanes // 2
    for _ in range(500):
        read, write = (rng.randrange(16) * lanes for _ in range(2))
        data, parity, enables = (rng.getrandbits(n) for n in (8 * lanes, lanes, lanes))
        out = ram.step(
            ADDRARDADDR=read * 8, ADDRBWRADDR=write * 8, ENARDEN=1, ENBWREN=1, WEBWE=enables,
            DIADI=data, DIBDI=data >> side, DIPADIP=parity, DIPBDIP=parity >> half,
        )  # fmt: skip
        assert (
            out["DOADO"] | out["DOBDO"] << side,
            out["DOPADOP"] | out["DOPBDOP"] << half,
        ) == seen
        seen = contents.read(read, lanes)
        contents.write(write, lanes, enables, data, parity)


def with_parameter(net, name, value):
    net["modules"]["top"]["cells"]["x"]["parameters"][name] = value
    return net


def rom(**changes):
    parameters = block_parameters(READ_WIDTH_A=18) | changes
    return one_cell("RAMB18E1", parameters, **block_pins(False))


def dsp(opmode="0100101", **changes):
    widths = DSP_PINS | dict.fromkeys(DSP_ENABLES + DSP_RESETS, 1)
    parameters = dsp_parameters(1, 1, 0, 1, 1) | changes
    return one_cell("DSP48E1", parameters, tied={"OPMODE": opmode}, **widths)


def with_pin(net, pin, bits):
    cell = net["modules"]["top"]["cells"]["x"]
    cell["connections"][pin] = bits
    cell["port_directions"].setdefault(pin, "output" if pin in OUTPUTS else "input")
    return net


def with_cell(net, **changes):
    net["modules"]["top"]["cells"]["x"].update(changes)
    return net


REFUSED = {
    "kind": (
        with_cell(one_cell("FDRE"), type="FDCE"),
        "cell x of a netlist must be one of .*, not FDCE",
    ),
    "no top": ({"modules": {}}, "netlist must have a module top"),
    "parameter": (rom(EN_ECC_READ="FALSE"), r"EN_ECC_READ of cell x \(RAMB18E1\) is not modelled"),
    "write mode": (
        rom(WRITE_MODE_A="WRITE_FIRST"),
        r"WRITE_MODE_A of cell x \(RAMB18E1\) must be one of READ_FIRST, not WRITE_FIRST",
    ),
    "output register": (rom(DOA_REG="1"), "DOA_REG of cell x .* must be one of 0, not 1"),
    "initial output": (rom(INIT_A="100"), "INIT_A of cell x .* must be one of 0, not 4"),
    "width": (
        rom(READ_WIDTH_A=f"{6:032b}"),
        "ports of cell x .* must be of one width in 1, 2, 4, 9, 18, not {'READ_WIDTH_A': 6}",
    ),
    "two widths": (
        rom(WRITE_WIDTH_B=f"{9:032b}"),
        "ports of cell x .* must be of one width in 1, 2, 4, 9, 18, not {.*: 18, .*: 9}",
    ),
    "reset of a RAM": (with_pin(rom(), "RSTRAMARSTRAM", [3]), "pin RSTRAMARSTRAM .* must be 0"),
    "pin": (with_pin(rom(), "INJECTDBITERR", ["0"]), "pin INJECTDBITERR .* is not modelled"),
    "pre-adder": (dsp(USE_DPORT="TRUE"), "USE_DPORT of cell x .* must be one of FALSE, not TRUE"),
    "carry": (with_pin(dsp(), "CARRYIN", ["1"]), "pin CARRYIN of cell x .* must be 0"),
    "cascade": (with_pin(dsp(), "PCIN", [3] * 48), "pin PCIN of cell x .* must be 0"),
    "no product": (dsp("0100010"), "OPMODE of cell x .* must be 0zz0101"),
    "shifted P": (dsp("1100101"), "OPMODE of cell x .* must be 0zz0101"),
    "cascade as Z": (dsp("0010101"), "OPMODE of cell x .* must select 0, P or C as Z"),
    "no P": (dsp(PREG="0"), "cell x .* must have register P to add to it"),
    "left out": (one_cell("DSP48E1", {}), "AREG of cell x .* must be given"),
    "open": (one_cell("LUT2", {"INIT": "0110"}, I0=1, O=1), "pin I1 of cell x .* must be conn"),
    "two carries": (one_cell("CARRY4", CI=1, CYINIT=1, DI=4, S=4, O=4), "must have one carry"),
    "other clock": (with_pin(one_cell("FDRE", D=1, CE=1, R=1, Q=1), "C", [3]), "the clock clk"),
    "feedback": (with_pin(one_cell("INV", O=1), "I", [3]), "no logic that feeds back"),
    "undriven": (with_pin(one_cell("INV", O=1), "I", [9]), "net 9 of a netlist must be driven"),
    "a bit twice": (with_pin(one_cell("INV", O=1), "I", [True]), "must be numbers .*, not True"),
    "below 0": (with_pin(one_cell("INV", O=1), "I", [-1]), "must be numbers of nets, .*, not -1"),
    "no list": (with_pin(one_cell("INV", O=1), "I", "01"), "bits of cell x .* a list, not '01'"),
    "too wide": (one_cell("LUT1", {"INIT": "1" * 257}, I0=1, O=1), "must be a text or 256 bits"),
    "no parameters": (with_cell(one_cell("INV", O=1), parameters=3), "parameters of cell x must"),
    "no ports": ({"modules": {"top": {"ports": 1, "cells": {}}}}, "ports of module top must be an"),
    "no modules": ({"modules": []}, r"modules of netlist must be an object .*, not \[\]"),
    "no netlist": ([], "modules of netlist must be an object"),
    "text": (one_cell("LUT1", {"INIT": "no"}, I0=1, O=1), "INIT .* must be a number, not 'no'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    net, message = REFUSED[case]
    with pytest.raises(NetlistError, match=message):
        NetlistSimulator(net, SERIES7)


def test_unknown_is_a_bit():
    with pytest.raises(ValueError, match=re.escape("Unknown must be 0 or 1, not 2")):
        simulator("INV", I=1, O=1, unknown=2)


HOSTILE = {
    "lut": one_cell("LUT2", {"INIT": "0110"}, I0=1, I1=1, O=1),
    "mux": one_cell("MUXF7", I0=1, I1=1, S=1, O=1),
    "carry": one_cell("CARRY4", tied={"CYINIT": "0"}, CI=1, DI=4, S=4, CO=4, O=4),
    "flip-flop": one_cell("FDRE", {"INIT": "0"}, D=1, CE=1, R=1, Q=1),
    "shift": one_cell("SRL16E", {"INIT": "0"}, A0=1, A1=1, A2=1, A3=1, CE=1, D=1, Q=1),
    "memory": one_cell("RAM32M", {"INIT_A": "0"}, ADDRA=5, ADDRD=5, DIA=2, DOA=2, WE=1),
    "multiplier": dsp(),
    "block": with_pin(rom(READ_WIDTH_B=f"{18:032b}"), "WEA", ["0"] * 2),
}
#: As an expression, as a line of its own, and as more lines than one.
INJECTIONS = (
    "RUN",
    "0 or RUN",
    "1 = RUN; n1",
    "0\n        RUN\n",
    "):\n    RUN\n    _ = (0",
    "0] if RUN else [0",
)


def changed_texts(data, path=()):
    """(what, copy) with one text of a netlist, key or value or number, changed to another."""
    items = list(data.items() if isinstance(data, dict) else enumerate(data))
    for key, value in items:
        for text in INJECTIONS:
            text = text.replace("RUN", "__import__('builtins').injected.append(1)")
            if not isinstance(value, dict | list):
                yield (*path, key), _with(data, key, text)
            if isinstance(data, dict):
                yield (*path, key), {text if k == key else k: v for k, v in items}
        if isinstance(value, dict | list):
            for where, inner in changed_texts(value, (*path, key)):
                yield where, _with(data, key, inner)


def _with(data, key, value):
    new = data.copy()
    new[key] = value
    return new


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_of_a_netlist_is_executed(kind, monkeypatch):
    """Each name, type, parameter and bit is code in turn: it is refused, or comes to nothing."""
    injected, refused = [], 0
    monkeypatch.setattr(builtins, "injected", injected, raising=False)
    NetlistSimulator(HOSTILE[kind], SERIES7).step()
    for where, netlist in changed_texts(HOSTILE[kind]):
        try:
            NetlistSimulator(netlist, SERIES7).step()
        except NetlistError:
            refused += 1
        assert injected == [], where
    assert refused > 50
