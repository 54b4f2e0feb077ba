"""A multiplier with its registers: inferred, or instantiated where synthesis would pack none."""

from functools import cached_property

from amaranth.hdl import (
    Cat,
    ClockSignal,
    Const,
    Instance,
    Module,
    Shape,
    Signal,
    Value,
    signed,
    unsigned,
)

from bitformer.hw.families.family import Multiplier, MultiplierCell

__all__ = ["Product"]


class Product:
    """Makes the product of two operands; registers hold these, and the product.

    Where a conversion is for synthesis, and the family says how, it is an instance of the device's
    multiplier, else behavioural. An operand longer than the long port takes a multiplier for each
    part of it. It is no component: its logic becomes a part of the module that takes the product.

    Latency: 2 cycles from what is assigned to the operands, in domain ``domain``. Throughput: one
    product a cycle.

    Parameters
    ----------
    m : Module
        The module that the registers belong to.
    platform : object
        What ``elaborate`` was given: None in a simulator, and in Verilog for one.
    multiplier : Multiplier
        The device's.
    a : Shape or int
        Shape of the operand at the long port.
    b : Shape, int or None
        Shape of the operand at the short port; None where it is the same.
    names : sequence of str
        Names of the registers: of the operands, and of the product.

    Attributes
    ----------
    a, b : Signal
        Operands: registers, or the ports behind which these are.
    domain : str
        Where they are assigned: ``sync``, or ``comb``.

    Raises
    ------
    ValueError
        If the second operand does not fit the short port.
    """

    latency = 2

    def __init__(
        self,
        m: Module,
        platform: object,
        multiplier: Multiplier,
        a: Shape | int,
        b: Shape | int | None,
        *names: str,
    ):
        self._m, self._multiplier, self._name = m, multiplier, names[-1]
        self._cell = multiplier.cell if platform is not None else None
        self.domain = "sync" if self._cell is None else "comb"
        self.a = Signal(a, name=names[0], reset_less=True)
        self.b = self.a if b is None else Signal(b, name=names[1], reset_less=True)
        bits = _signed_bits(self.b)
        if bits > multiplier.short_bits:
            port = f"{multiplier.short_bits} bits ({multiplier.name})"
            raise ValueError(f"Operand {self.b.name} must fit {port}, not {bits}")

    @cached_property
    def product(self) -> Value:
        """The product, whose logic is made when it is first asked for; a square is unsigned."""
        shape = (self.a * self.b).shape()
        if self.b is self.a:
            shape = unsigned(shape.width)
        if self._cell is None:
            product = Signal(shape, name=self._name, reset_less=True)
            self._m.d.sync += product.eq(self.a * self.b)
            return product
        long = self.a | Const(0, signed(_signed_bits(self.a)))
        parts = _Parts(self._m, self._multiplier, self._cell, self.b)
        whole = parts.times(long, self._name)[: shape.width]
        return whole.as_signed() if shape.signed else whole


def _signed_bits(value: Value) -> int:
    """Return the bits of a value as a signed one."""
    return len(value) + (not value.shape().signed)


class _Parts:
    """Instances of a multiplier that share an operand."""

    def __init__(self, m: Module, multiplier: Multiplier, cell: MultiplierCell, b: Value):
        self._m, self._multiplier, self._cell, self._b = m, multiplier, cell, b

    def times(self, a: Value, name: str) -> Value:
        """Return the product with ``a``: of one instance, or the sum of two parts' products."""
        split = self._multiplier.split
        if len(a) <= self._multiplier.long_bits:
            return self._instance(a, name)
        low = self._instance(Cat(a[:split], Const(0, 1)).as_signed(), f"{name}_low")
        high = self.times(a[split:].as_signed(), f"{name}_high")
        return Cat(low[:split], (low >> split) + high).as_signed()

    def _instance(self, a: Value, name: str) -> Signal:
        multiplier, cell = self._multiplier, self._cell
        long = Signal(signed(multiplier.long_bits), name=f"{name}_long")
        short = Signal(signed(multiplier.short_bits), name=f"{name}_short")
        product = Signal(signed(len(long) + len(short)), name=name)
        pins = {f"p_{parameter}": value for parameter, value in cell.parameters}
        pins |= {f"i_{pin}": Const(value) for pin, value in cell.tied}
        pins |= {f"i_{cell.long}{bit}": long[bit] for bit in range(len(long))}
        pins |= {f"i_{cell.short}{bit}": short[bit] for bit in range(len(short))}
        pins |= {f"o_{cell.product}{bit}": product[bit] for bit in range(len(product))}
        pins[f"i_{cell.clock}"] = ClockSignal("sync")
        self._m.d.comb += [long.eq(a), short.eq(self._b)]
        self._m.submodules[f"{name}_block"] = Instance(multiplier.name, **pins)
        return product
