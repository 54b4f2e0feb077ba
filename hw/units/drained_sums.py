"""The sums in a column's accumulator: one, or the two of a packed operation."""

from amaranth.hdl import Cat, Const, Module, Mux, Value

from bitformer.hw.units.pipeline import delay, extended
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths

__all__ = ["drained_sums"]


def drained_sums(
    m: Module,
    p: Value,
    packed: Value,
    soft: Value | None,
    *,
    widths: PostProcessorWidths,
    ways: int,
) -> list[tuple[Value, Value]]:
    """Return the sum of each way, and the carry that it is still to take, a cycle later.

    The half that rounds the upper sum of a pair is the carry into it, unless the two are apart: in
    all columns, or in those of LUTs. An operation that is not packed has the same in both ways.

    Parameters
    ----------
    m : Module
        It gets the registers.
    p : Value
        A column's accumulator.
    packed : Value
        The operation is packed; a cycle after ``p``.
    soft : Value or None
        The column is of LUTs beside others whose sums are not apart; None without such.
    widths : PostProcessorWidths
        Where the sums lie.
    ways : int
        Results at a time.
    """
    k = widths.pack_shift
    drained = delay(m, p, 1, name="p").as_signed()
    whole = drained[: widths.product_bits].as_signed()
    only = drained[:k].as_signed() if widths.apart == 2 else whole
    if widths.broad:
        # of a column of LUTs the low sum is all, sign and all
        low_alone = delay(m, soft, 1, name="drained_single")
        only = extended(low_alone, whole[:k], whole).as_signed()
    if ways == 1:
        return [(only, Const(0, 1))]
    low = Cat(whole[:k], drained[len(whole) :]).as_signed()
    carry: Value = packed & whole[k - 1]
    if widths.apart:
        carry = Const(0, 1)
    elif soft is not None:
        carry = carry & ~delay(m, soft, 1, name="drained_soft")
    return [(Mux(packed, low, only), Const(0, 1)), (Mux(packed, whole >> k, only), carry)]
