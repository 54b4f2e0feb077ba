"""A multiplier with its registers: inferred, or instantiated where synthesis would pack none."""

from functools import cached_property
from typing import Any

from amaranth.hdl import (
    Cat,
    ClockSignal,
    Const,
    Instance,
    Module,
    Mux,
    Shape,
    Signal,
    Value,
    signed,
    unsigned,
)

from bitformer.hw.families.family import Multiplier, MultiplierCell

__all__ = ["Product", "instance"]


class Product:
    """Makes the product of two operands; registers hold these, and the product.

    Where a conversion is for synthesis, and the family says how, it is an instance of the device's
    multiplier, else behavioural. An operand longer than the long port takes a multiplier for each
    part of it; of one at the short port, the few bits beyond it are multiplied in LUTs. It is no
    component: its logic becomes a part of the module that takes the product.

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
        bits, most = _signed_bits(self.b), multiplier.factor_bits
        if not (bits <= most or _fits(self.b, multiplier.short_bits, multiplier)):
            port = f"{most} bits ({multiplier.name})"
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
        parts = _Parts(self._m, self._multiplier, self._cell)
        whole = parts.times(self.a, self.b, self._name)[: shape.width]
        return whole.as_signed() if shape.signed else whole


def _signed_bits(value: Value) -> int:
    """Return the bits of a value as a signed one."""
    return len(value) + (not value.shape().signed)


def _fits(value: Value, port: int, multiplier: Multiplier) -> bool:
    """Return True if a value fits a port, unsigned if need be and possible."""
    return (len(value) if multiplier.unsigned else _signed_bits(value)) <= port


class _Parts:
    """A product of instances of a multiplier, and of rows of LUTs for what is too little for one.

    Latency: 2 cycles.
    """

    def __init__(self, m: Module, multiplier: Multiplier, cell: MultiplierCell):
        self._m, self._multiplier, self._cell = m, multiplier, cell

    def times(self, a: Value, b: Value, name: str) -> Value:
        """Return the product: of one instance, or the sum of two parts' products."""
        multiplier = self._multiplier
        if not _fits(b, split := multiplier.short_bits, multiplier):
            low = self.times(a, b[:split], f"{name}_block")
            return _joined(low, self._rows(a, _rest(b, split), f"{name}_rows"), split)
        if not _fits(a, multiplier.long_bits, multiplier):
            split = multiplier.part_bits
            low = self._instance(a[:split], b, f"{name}_low")
            return _joined(low, self.times(_rest(a, split), b, f"{name}_high"), split)
        return self._instance(a, b, name)

    def _rows(self, a: Value, b: Value, name: str) -> Value:
        """Return the product with a short ``b``, of a row for each of its bits."""
        rows: list[Value] = []
        for place, bit in enumerate(b):
            row = Signal(signed(_signed_bits(a)), name=f"{name}_{place}", reset_less=True)
            self._m.d.sync += row.eq(Mux(bit, a, 0))
            rows.append((row << place).as_signed())
        if b.shape().signed:
            rows[-1] = -rows[-1]
        total = sum(rows[1:], rows[0])
        product = Signal(signed(len(a) + len(b) + 1), name=name, reset_less=True)
        self._m.d.sync += product.eq(total)
        return product

    def _instance(self, a: Value, b: Value, name: str) -> Value:
        return instance(self._m, self._multiplier, self._cell, a, b, name)


def instance(
    m: Module, multiplier: Multiplier, cell: MultiplierCell, a: Value, b: Value, name: str
) -> Value:
    """Return what a multiplier gives 2 cycles after operands that fit its ports."""
    ports = (
        (cell.long, a, multiplier.long_bits, f"{name}_long"),
        (cell.short, b, multiplier.short_bits, f"{name}_short"),
    )
    pins: dict[str, Any] = {f"i_{cell.clock}": ClockSignal("sync")}
    pins |= {f"p_{key}": _parameter(value) for key, value in cell.parameters}
    for pin, value in cell.tied:
        pins[f"i_{pin}"] = Const(int(str(value), 2), len(str(value)))
    for number, (pin, operand, bits, own) in enumerate(ports):
        is_signed = operand.shape().signed or not multiplier.unsigned
        port = Signal(Shape(bits, is_signed), name=own)
        m.d.comb += port.eq(operand)
        pins |= _pins(f"i_{pin}", port, cell)
        if cell.signed:
            pins[f"p_{cell.signed[number]}"] = Const(is_signed, 1)
    is_signed = not multiplier.unsigned or a.shape().signed or b.shape().signed
    bits = multiplier.long_bits + multiplier.short_bits
    product = Signal(Shape(bits, is_signed), name=name)
    pins |= _pins(f"o_{cell.product}", product, cell)
    m.submodules[f"{name}_block"] = Instance(multiplier.name, **pins)
    return product


def _pins(name: str, port: Signal, cell: MultiplierCell) -> dict[str, Value]:
    """Return what is connected to the pins of a number."""
    if cell.vectors:
        return {name: port}
    return {f"{name}{bit}": port[bit] for bit in range(len(port))}


def _parameter(value: str | int) -> str | Const:
    return value if isinstance(value, str) else Const(value, max(1, value.bit_length()))


def _rest(value: Value, split: int) -> Value:
    """Return the bits of a value from ``split`` on, signed as it is."""
    return value[split:].as_signed() if value.shape().signed else value[split:]


def _joined(low: Value, high: Value, split: int) -> Value:
    """Return the sum of two products, the second ``split`` bits higher."""
    upper = (low >> split) + high
    whole = Cat(low[:split], upper)
    return whole.as_signed() if upper.shape().signed else whole
