"""Constants of the post-processor's operation in hand, looked up a cycle ahead of its operands."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import data

from bitformer.hw.program import MachineOperation
from bitformer.hw.units.pipeline import by_operation, decode, delay, registered
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths

__all__ = ["Choices", "WideChoices"]


class WideChoices:
    """Constants that choose the operands of wide operations, in registers.

    ``wide`` : the operation is wide. ``whole`` : the stored row is wide. ``upper`` : the slot's
    result is the second element of words of two.
    """

    def __init__(
        self, m: Module, operations: Sequence[MachineOperation], slot: data.View, name: str
    ):
        wide, whole = (
            decode(m, slot.op, operations, field, name=f"{field}_{name}")
            for field in ("wide", "wide_r")
        )
        self.wide = delay(m, wide, 1, name=f"wide_{name}")
        self.whole = delay(m, whole, 1, name=f"wide_r_{name}")
        self.upper: Value = Const(0, 1)
        if "upper" in slot.shape().members:
            wide = decode(m, slot.op, operations, "wide", name=f"upper_{name}")
            self.upper = delay(m, wide & slot.upper, 1, name=f"upper_{name}")


class Choices:
    """Constants of a slot's operation, in registers when the slot's operands are there.

    ``addends`` numbers the different pairs of an addend and its shift; ``addend`` is the number
    for each way, 0 for none. In a wide operation only way 0 adds.
    """

    def __init__(
        self,
        m: Module,
        operations: Sequence[MachineOperation],
        slot: data.View,
        widths: PostProcessorWidths,
    ):
        def constant(values: Sequence[int], name: str) -> Value:
            return registered(m, by_operation(m, slot.op, values, name=name), name=name)

        self._widths, self._ways = widths, len(slot.valid)
        self._wide_rows = any(o.wide_y for o in operations)
        pairs = sorted({(o.addend, o.addend_shift) for o in operations if o.addend})
        self.addends = {pair: number for number, pair in enumerate(pairs, start=1)}
        kinds = [self.addends.get((o.addend, o.addend_shift), 0) for o in operations]
        narrow = [0 if o.wide else kind for o, kind in zip(operations, kinds, strict=True)]
        self.addend = [constant(kinds, "addend_kind")] * 2
        self.factor = constant([o.factor for o in operations], "factor_kind")
        self.normalize = constant([o.normalize for o in operations], "normalize")
        self.multiplier = constant([o.multiplier for o in operations], "immediate")
        #: Numbers of the addends that way 1 takes.
        self.narrow = set(narrow)
        self.now: WideChoices | None = None
        if any(o.wide for o in operations):
            self.addend[1] = constant(narrow, "narrow_addend_kind")
            self.now = WideChoices(m, operations, slot, "now")
        #: Those of a vector's slot when its row is there to be normalised.
        self.early = self.now

    def fields(self, word: Value, way: int) -> tuple[Value, Value]:
        """Return value and scale of one way in a parameter word."""
        value, both = self._widths.value_bits, self._widths.value_bits + self._widths.scale_bits
        word = word[way * both :]
        return word[:value].as_signed(), word[value:both].as_signed()

    def value(self, word: Value, way: int, wide: Value | None) -> Value:
        """Return the value of one way; way 0 of a ``wide`` operation takes the fields of both."""
        value = self.fields(word, way)[0]
        if wide is None or way or self._ways == 1:
            return value
        return Mux(wide, Cat(value, self.fields(word, 1)[0]).as_signed(), value)

    def element(self, word: Value, way: int, *, early: bool = False) -> Value:
        """Return one way's element of a word; way 0 of a wide operation has the slot's."""
        wide, bits = self.early if early else self.now, len(word) // self._ways
        elements = [word[n * bits : (n + 1) * bits].as_signed() for n in range(self._ways)]
        if way or self._ways == 1 or wide is None:
            return elements[way]
        return Mux(wide.upper, elements[1], elements[0])

    def stored(self, word: Value, way: int, *, early: bool = False) -> Value:
        """Return one way's element of a stored row; in a wide row, all of the word."""
        wide, element = self.early if early else self.now, self.element(word, way, early=early)
        if way or wide is None or not self._wide_rows:
            return element
        return Mux(wide.whole, word.as_signed(), element)
