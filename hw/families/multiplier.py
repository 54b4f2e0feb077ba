"""A family's multiplier as plain data, and what columns of LUTs beside it add with."""

from dataclasses import dataclass

from bitformer.hw.families.adder import LutAdder

__all__ = ["Multiplier", "MultiplierCell"]


@dataclass(frozen=True, kw_only=True)
class MultiplierCell:
    """How a multiplier with its registers is instantiated, where synthesis packs none into it.

    Its operands and its product are registered.

    Parameters
    ----------
    long, short, product : str
        Pins, with the number of the bit behind each name, or with ``vectors`` a pin for all bits.
    clock : str
        Pin of the clock of all registers.
    parameters : tuple of (str, str or int)
        Its parameters, by name.
    tied : tuple of (str, int or str)
        Inputs that are constant, by name: a bit, or a string of bits.
    signed : tuple of str
        Parameters that say whether the long and the short operand are signed; none where both are.
    vectors : bool
        Whether a pin has all bits of a number.
    """

    long: str
    short: str
    product: str
    clock: str
    parameters: tuple[tuple[str, str | int], ...]
    tied: tuple[tuple[str, int | str], ...]
    signed: tuple[str, ...] = ()
    vectors: bool = False


@dataclass(frozen=True, kw_only=True)
class Multiplier:
    """A hard multiplier with signed ports, and an accumulator in it or in LUTs.

    Parameters
    ----------
    name : str
        The primitive, as messages name it.
    long_bits, short_bits : int
        Signed widths of its two ports. Two packed weights, or a post-processor's multiplicand, are
        at the long one; an activation, or a requantizer's multiplier, is at the short one.
    accumulator_bits : int
        Signed width of its sum.
    cell : MultiplierCell or None
        How it is instantiated for synthesis; None where that infers it, with its registers.
    unsigned : bool
        Whether each operand may be unsigned, which gives it a bit more.
    rows : int
        Bits that a shorter operand may have beyond its port: rows of LUTs multiply them.
    uppers : int
        Multipliers for the upper bits of a post-processor's multiplicand, at most.
    apart : bool
        Whether the sums of two products that share it may be kept apart: they are in LUTs.
    half_bits : int
        Signed width of the operands of two products that a multiplier makes in another mode, in
        which it makes no others; 0 where it has none.
    half_cell : MultiplierCell or None
        How it is instantiated in that mode: each pin has both numbers, the first ones lowest.
    soft : int
        Bits of a weight times bits of an activation that columns of LUTs multiply, at most, where
        nobody asks for such columns.
    adder : LutAdder or None
        What columns of LUTs that are asked for add with; None where only those of ``soft`` may be.
    """

    name: str
    long_bits: int
    short_bits: int
    accumulator_bits: int
    cell: MultiplierCell | None = None
    unsigned: bool = False
    rows: int = 0
    uppers: int = 1
    apart: bool = False
    half_bits: int = 0
    half_cell: MultiplierCell | None = None
    soft: int = 0
    adder: LutAdder | None = None

    @property
    def split(self) -> int:
        """Lower bits of a wide multiplicand: with a sign bit they fill the long port."""
        return self.long_bits - 1

    @property
    def part_bits(self) -> int:
        """Lower bits of an operand longer than the long port that fill it, none of them a sign."""
        return self.long_bits - (not self.unsigned)

    @property
    def factor_bits(self) -> int:
        """Signed width of the longest shorter operand, its rows of LUTs included."""
        return self.short_bits + self.rows

    @property
    def multiplicand_bits(self) -> int:
        """Signed width of the longest multiplicand of a post-processor, in all its parts."""
        return self.split + self.part_bits * (self.uppers - 1) + self.long_bits

    @property
    def short_split(self) -> int:
        """Lower bits of a long sum that is squared: with a sign bit they fill the short port."""
        return self.short_bits - 1

    def blocks(self, bits: int) -> int:
        """Return the multipliers that a product takes whose longer operand is of ``bits`` bits."""
        return 1 if bits <= self.long_bits else 1 + self.blocks(bits - self.part_bits)
