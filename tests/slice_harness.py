# amaranth: UnusedElaboratable=no
"""LUTs with two outputs and carry chains as their guides have them, for Amaranth's simulator."""

from amaranth.hdl import Array, Cat, Const, Elaboratable, Module, Signal

from bitformer.hw.units import lut_adder as adder_module

__all__ = ["instead_of_cells"]


class _Cell(Elaboratable):
    """UG953: LUT6_2 and CARRY4. No pin is left out."""

    def __init__(self, kind, **pins):
        self.kind, self.pins = kind, pins
        names = {name[2:] for name in pins}
        luts = {"INIT", "O5", "O6", *(f"I{n}" for n in range(6))}
        assert names == {"LUT6_2": luts, "CARRY4": {"CI", "CYINIT", "S", "DI", "O", "CO"}}[kind]

    def elaborate(self, platform):
        m, pins = Module(), self.pins
        if self.kind == "LUT6_2":
            init = pins["p_INIT"].value
            rows = Cat(pins[f"i_I{n}"] for n in range(6))
            table = Array(Const(init >> row & 1, 1) for row in range(64))
            lower = Array(Const(init >> row & 1, 1) for row in range(32))
            m.d.comb += [pins["o_O6"].eq(table[rows]), pins["o_O5"].eq(lower[rows[:5]])]
            return m
        carry = Signal()
        # both would be an error of the chain's
        m.d.comb += carry.eq(pins["i_CI"] | pins["i_CYINIT"])
        select, data = pins["i_S"], pins["i_DI"]
        assert len(select) == len(data) == len(pins["o_O"]) == len(pins["o_CO"]) == 4
        sums, carries = [], []
        for bit in range(4):
            sums.append(select[bit] ^ carry)
            above = Signal(name=f"carry_{bit}")
            m.d.comb += above.eq((select[bit] & carry) | (~select[bit] & data[bit]))
            carries.append(above)
            carry = above
        m.d.comb += [pins["o_O"].eq(Cat(sums)), pins["o_CO"].eq(Cat(carries))]
        return m


def instead_of_cells(monkeypatch):
    """Let sums of primitives be simulated: models stand where instances would."""
    monkeypatch.setattr(adder_module, "Instance", _Cell)
