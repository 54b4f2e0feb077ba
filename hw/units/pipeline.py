"""Small parts of pipelined datapaths: delays, per-operation constants, multipliers in LUTs."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, ValueLike, signed, unsigned
from amaranth.utils import bits_for

from bitformer.hw.program import MachineOperation
from bitformer.hw.widths import signed_bits

__all__ = [
    "MOST_COPIES",
    "after",
    "by_operation",
    "copies",
    "decode",
    "delay",
    "extended",
    "multiply_in_luts",
    "registered",
    "twice",
]


def delay(m: Module, value: ValueLike, cycles: int, *, name: str, reset_less: bool = True) -> Value:
    """Return ``value`` of ``cycles`` clock cycles before."""
    value = Value.cast(value)
    for cycle in range(cycles):
        stage = Signal(value.shape(), name=f"{name}_d{cycle + 1}", reset_less=reset_less)
        m.d.sync += stage.eq(value)
        value = stage
    return value


def twice(m: Module, value: ValueLike, *, name: str, ones: bool = False) -> tuple[Value, Value]:
    """Return ``value`` of the cycle before, from two registers that share its loads.

    The second holds the complement: synthesis would merge two that are equal. So it would those of
    two calls with the same ``value``, unless one of them begins with ``ones``.
    """
    value = Value.cast(value)
    if ones:
        kept, other = (
            Signal(len(value), name=one, init=(1 << len(value)) - 1, reset_less=True)
            for one in (f"{name}_ones", f"{name}_complement_ones")
        )
        m.d.sync += [kept.eq(value), other.eq(~value)]
        return kept, ~other
    return delay(m, value, 1, name=name), ~delay(m, ~value, 1, name=f"{name}_complement")


def registered(m: Module, value: Value, *, name: str) -> Value:
    """Return ``value`` of the cycle before; a constant as it is, which takes no register."""
    return value if isinstance(value, Const) else delay(m, value, 1, name=name)


#: Most registers of :func:`copies`.
MOST_COPIES = 4


def copies(m: Module, value: ValueLike, number: int, *, name: str) -> list[Value]:
    """Return ``value`` of the cycle before from ``number`` registers, which share its loads.

    Synthesis would merge equal ones. So every other one begins with ones, and those from the third
    on hold the complement.

    Raises
    ------
    ValueError
        If more than ``MOST_COPIES`` are asked for.
    """
    if not 1 <= number <= MOST_COPIES:
        raise ValueError(f"Copies must be 1 to {MOST_COPIES}, not {number}")
    value, found = Value.cast(value), []
    for n in range(number):
        ones = (1 << len(value)) - 1 if n % 2 else 0
        kept = Signal(len(value), name=f"{name}_{n}", init=ones, reset_less=True)
        m.d.sync += kept.eq(~value if n >= 2 else value)
        found.append(~kept if n >= 2 else kept)
    return found


#: Constants of which a LUT of six inputs looks up a bit by their number.
_OF_A_LUT = 64


def by_operation(m: Module, op: Value, values: Sequence[int], *, name: str) -> Value:
    """Look up a constant by operation number, in a LUT a bit; a constant that never differs is one.

    Of more than 64 operations a bit takes a LUT for each 64 and a choice among these, one after
    the other.

    Latency: 0 cycles.
    """
    low, high = min(values), max(values)
    if low == high:
        return Const(low, unsigned(bits_for(low)) if low >= 0 else signed(bits_for(low)))
    shape = signed(signed_bits(low, high)) if low < 0 else Shape.cast(range(high + 1))
    result = Signal(shape, name=name)
    if len(values) > _OF_A_LUT:
        m.d.comb += result.eq(_chosen(op, values, shape))
        return result
    with m.Switch(op):
        for number, value in enumerate(values):
            with m.Case(number):
                m.d.comb += result.eq(value)
    return result


def _chosen(op: Value, values: Sequence[int], shape: Shape) -> Value:
    """Return the value of a number, by a tree of choices, one for each bit of the number.

    Synthesis finds the inputs of each of its branches, and so its LUT; of a table it would make as
    many as seven LUTs one after another.
    """
    if len(values) == 1:
        return Const(values[0], shape)
    bit = bits_for(len(values) - 1) - 1
    parts = values[: 1 << bit], values[1 << bit :]
    low, high = (_chosen(op, part, shape) for part in parts)
    return Mux(op[bit], high, low)


def decode(
    m: Module, op: Value, operations: Sequence[MachineOperation], field: str, *, name: str = ""
) -> Value:
    """Look up a field of the operation that ``op`` is the number of."""
    values = [int(getattr(operation, field)) for operation in operations]
    return by_operation(m, op, values, name=name or field)


def after(place: Value, words: int) -> Value:
    """Return the place behind one in a ring of so many words."""
    following = (place + 1)[: len(place)]
    return following if words & (words - 1) == 0 else Mux(place == words - 1, 0, following)


def extended(alone: Value, low: Value, whole: Value) -> Value:
    """Return ``whole``, or where its ``low`` bits are a number ``alone``, that with its sign."""
    beyond = (Mux(alone, low[-1], bit) for bit in whole[len(low) :])
    return Cat(low, *beyond)


def multiply_in_luts(a: Value, b: Value) -> Value:
    """Return ``a * b``, summed up from shifted rows: for products too small for a multiplier.

    Latency: 0 cycles.

    Raises
    ------
    TypeError
        If ``b`` is signed.
    """
    if b.shape().signed:
        raise TypeError("Second factor must be unsigned")
    rows: list[Value] = [Mux(b[i], a, 0) << i for i in range(len(b))]
    while len(rows) > 1:
        paired = [x + y for x, y in zip(rows[0::2], rows[1::2], strict=False)]
        rows = paired + rows[len(paired) * 2 :]
    product = rows[0]
    width = len(a) + len(b)
    return product[:width].as_signed() if product.shape().signed else Cat(product)[:width]
