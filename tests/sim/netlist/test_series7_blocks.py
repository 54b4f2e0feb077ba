"""DSP slices and block RAMs, one by one, against what Xilinx' user guides say of them."""

import random

import pytest
from cell_harness import (
    DSP_ENABLES,
    DSP_PINS,
    DSP_RESETS,
    block_parameters,
    block_pins,
    dsp_parameters,
    one_cell,
    simulator,
)

from bitformer.hw.families.series7 import SERIES7
from bitformer.sim.netlist.simulator import NetlistSimulator


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
