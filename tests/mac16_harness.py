# amaranth: UnusedElaboratable=no
"""An SB_MAC16 as its library guide has it, for simulators: what instances of it compute."""

from amaranth.hdl import Cat, Elaboratable, Module, Shape, Signal

__all__ = ["Mac16", "instead_of_blocks"]

#: Inputs that must be tied, and to what.
_TIED = {
    "CE": 1,
    **dict.fromkeys(("C", "D", "AHOLD", "BHOLD", "CHOLD", "DHOLD"), 0),
    **{
        f"{name}{half}": 0
        for name in ("IRST", "ORST", "OLOAD", "ADDSUB", "OHOLD")
        for half in ("TOP", "BOT")
    },
    **dict.fromkeys(("CI", "ACCUMCI", "SIGNEXTIN"), 0),
}


class Mac16(Elaboratable):
    """Registers before a product of 16 x 16 bits, each signed or not, and one behind it.

    Or before two of 8 x 8 bits, signed, and behind them. Nothing else of the block is modelled, and
    its parameters must say that nothing else is used.
    """

    def __init__(self, kind, **pins):
        assert kind == "SB_MAC16"
        known = {name[2:]: value.value for name, value in pins.items() if name.startswith("p_")}
        assert known.pop("A_REG") == known.pop("B_REG") == 1
        self.halves = bool(known.pop("MODE_8x8"))
        assert known.pop("PIPELINE_16x16_MULT_REG2") == (not self.halves)
        assert known.pop("TOP_8x8_MULT_REG") == known.pop("BOT_8x8_MULT_REG") == self.halves
        selects = {known.pop(f"{half}OUTPUT_SELECT") for half in ("TOP", "BOT")}
        assert selects == {2 if self.halves else 3}
        self.signs = [known.pop(f"{name}_SIGNED") for name in "AB"]
        assert not any(known.values()), known
        self.a, self.b, self.o = pins.pop("i_A"), pins.pop("i_B"), pins.pop("o_O")
        assert [len(port) for port in (self.a, self.b, self.o)] == [16, 16, 32]
        assert str(pins.pop("i_CLK")) == "(clk sync)"
        tied = {name[2:]: value.value for name, value in pins.items() if name.startswith("i_")}
        assert tied == _TIED

    def elaborate(self, platform):
        m = Module()
        operands = []
        for port, is_signed in zip((self.a, self.b), self.signs, strict=True):
            held = Signal(Shape(16, bool(is_signed)))
            m.d.sync += held.eq(port)
            operands.append(held)
        product = Signal(32)
        if self.halves:
            a, b = operands
            parts = [
                [half.as_signed() if is_signed else half for half in (value[:8], value[8:])]
                for value, is_signed in zip((a, b), self.signs, strict=True)
            ]
            pairs = zip(*parts, strict=True)
            m.d.sync += product.eq(Cat((x * y)[:16] for x, y in pairs))
        else:
            m.d.sync += product.eq(operands[0] * operands[1])
        m.d.comb += Cat(self.o).eq(product)
        return m


def instead_of_blocks(monkeypatch):
    """Make simulators compute what synthesis would instantiate."""
    monkeypatch.setattr("bitformer.hw.units.multiplier.Instance", Mac16)
