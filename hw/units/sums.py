"""The sums of a column whose two products are kept apart, and a column that is made of LUTs."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from bitformer.hw.units.pipeline import delay

__all__ = ["add_apart", "add_each", "multiply_short"]


def _kept(first: Value, total: Signal) -> Value:
    """Return what a sum goes on from: nothing where a dot product begins."""
    return Mux(first, 0, total)


def add_apart(
    m: Module,
    product: Value,
    *,
    first: Value,
    packed: Value,
    shift: int,
    bits: int,
    extension: int,
    name: str,
) -> Value:
    """Return the sums of a multiplier's products, a cycle later.

    Packed, the low product's are ``shift`` bits and, above the upper ``bits - shift``, the
    ``extension`` of them; the upper product's are between. The upper ones do not take a carry from
    the low sum, but make up for the borrow of each low product below zero. Else all ``bits`` are
    one sum. One carry chain adds both: a bit between them passes the carry on, or makes one.
    """
    upper_bits = bits - shift
    low = Signal(shift, name=f"low_{name}", reset_less=True)
    upper = Signal(upper_bits, name=f"upper_{name}", reset_less=True)
    sign = product[shift - 1]
    above = (product >> shift) | Const(0, signed(upper_bits))
    terms = (
        Cat(_kept(first, low), ~packed | sign, _kept(first, upper)),
        Cat(product[:shift], packed & sign, above[:upper_bits]),
    )
    total = (terms[0] + terms[1])[: bits + 1]
    m.d.sync += [low.eq(total[:shift]), upper.eq(total[shift + 1 :])]
    if not extension:
        return Cat(low, upper)
    beyond = Signal(extension, name=f"beyond_{name}", reset_less=True)
    carry = total[shift]
    m.d.sync += beyond.eq(_kept(first, beyond) + Cat([sign] * extension) + carry)
    return Cat(low, upper, beyond)


def add_each(
    m: Module, products: tuple[Value, Value], *, first: Value, bits: tuple[int, int], name: str
) -> Value:
    """Return the sums of two products, so many bits of each, a cycle later."""
    totals = []
    for place, (product, most) in enumerate(zip(products, bits, strict=True)):
        total = Signal(signed(most), name=f"p_{name}_{place}", reset_less=True)
        m.d.sync += total.eq(_kept(first, total) + product)
        totals.append(total)
    return Cat(totals)


def multiply_short(
    m: Module,
    x: Value,
    pair: tuple[Value, Value],
    *,
    first: Value,
    shift: int,
    bits: int,
    extension: int,
    name: str,
    most: int = 0,
) -> Value:
    """Return the sums of two weights' products with ``x``, as :func:`add_apart`, of LUTs.

    Each has as many bits as its field, or ``most`` of them. Latency: 3 cycles; ``first`` comes with
    the products.
    """
    x = delay(m, x, 1, name=f"x_{name}").as_signed()
    sums = []
    fields = shift + extension, bits - shift
    for place, (weight, field) in enumerate(zip(pair, fields, strict=True)):
        own = min(most or field, field)
        weight = delay(m, weight, 1, name=f"w_{name}_{place}")
        product, carry = _product(m, x, weight, f"m_{name}_{place}")
        total = Signal(signed(own), name=f"p_{name}_{place}", reset_less=True)
        terms = Cat(Const(1, 1), _kept(first, total)), Cat(carry, product)
        added = terms[0].as_signed() + terms[1].as_signed()
        m.d.sync += total.eq(added[1 : own + 1].as_signed())
        sums.append(Cat(total, [total[-1]] * (field - own)))
    low, upper = sums
    return Cat(low[:shift], upper, low[shift:])


def _product(m: Module, x: Value, weight: Value, name: str) -> tuple[Signal, Value]:
    """Return the product with a weight a cycle later, less a carry that is still to be added.

    A weight of two bits is -1, 0 or 1: narrow.
    """
    if len(weight) == 2:
        product = Signal(signed(len(x)), name=name, reset_less=True)
        nonzero, negative = weight
        m.d.sync += product.eq(Mux(nonzero, Mux(negative, ~x, x), 0))
        return product, delay(m, negative, 1, name=f"{name}_negative")
    rows = [Mux(bit, x, 0) << n for n, bit in enumerate(weight)]
    product = Signal(signed(len(x) + len(weight)), name=name, reset_less=True)
    m.d.sync += product.eq(sum(rows[:-1], Const(0)) - rows[-1])
    return product, Const(0, 1)
