"""Primitives of slices, one by one, against what Xilinx' user guides say of them."""

import random
from itertools import product

import pytest
from cell_harness import simulator


@pytest.mark.parametrize("size", range(1, 7))
def test_lut(size):
    init = random.Random(size).getrandbits(1 << size)
    inputs = {f"I{k}": 1 for k in range(size)}
    lut = simulator(f"LUT{size}", {"INIT": f"{init:0{1 << size}b}"}, O=1, **inputs)
    for index in range(1 << size):
        out = lut.step(**{f"I{k}": index >> k & 1 for k in range(size)})
        assert out["O"] == init >> index & 1


def test_lut_with_two_outputs():
    """The second has the lower half of the table, whatever the last input is."""
    init = random.Random(7).getrandbits(64)
    inputs = {f"I{k}": 1 for k in range(6)}
    lut = simulator("LUT6_2", {"INIT": f"{init:064b}"}, O6=1, O5=1, **inputs)
    for index in range(64):
        out = lut.step(**{f"I{k}": index >> k & 1 for k in range(6)})
        assert out == {"O6": init >> index & 1, "O5": init >> index % 32 & 1}


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


def test_long_shift_register():
    rng = random.Random(2)
    bits = [rng.getrandbits(1) for _ in range(32)]
    init = "".join(map(str, reversed(bits)))
    srl = simulator("SRLC32E", {"INIT": init}, A=5, CE=1, D=1, Q=1)
    for _ in range(300):
        tap, enable, d = rng.randrange(32), rng.getrandbits(1), rng.getrandbits(1)
        assert srl.step(CE=enable, D=d, A=tap)["Q"] == bits[tap]
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
