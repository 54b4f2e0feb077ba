"""How numbers are added in a family's LUTs, as plain data."""

from dataclasses import dataclass

__all__ = ["AdderCells", "LutAdder"]


@dataclass(frozen=True, kw_only=True)
class AdderCells:
    """The primitives of a sum whose every bit takes one LUT with two outputs, of five inputs.

    Parameters
    ----------
    lut : str
        The LUT. Its table has the second output's bits below the first one's, by the inputs'
        number; of its inputs the last is 1.
    inputs : tuple of str
        Its inputs, lowest first.
    outputs : (str, str)
        Its first and its second output.
    table : str
        Parameter of its table.
    carry : str
        A piece of a carry chain.
    bits : int
        Bits of a piece.
    below, begin : str
        Inputs of a piece: the carry of the piece below; the carry where a chain begins.
    select, data : str
        Its inputs, a bit for each of the sum: whether the carry passes, and the carry that is
        given on else.
    sums, carries : str
        Its outputs.
    """

    lut: str
    inputs: tuple[str, ...]
    outputs: tuple[str, str]
    table: str
    carry: str
    bits: int
    below: str
    begin: str
    select: str
    data: str
    sums: str
    carries: str


@dataclass(frozen=True, kw_only=True)
class LutAdder:
    """A sum of two numbers or three in a LUT a bit.

    Parameters
    ----------
    terms : int
        Numbers that one carry chain adds: 2 or 3.
    cells : AdderCells or None
        How it is instantiated for synthesis; None where that infers it.
    """

    terms: int
    cells: AdderCells | None = None
