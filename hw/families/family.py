"""A family of FPGAs as plain data: its multiplier, its memories, its LUTs and its primitives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from bitformer.hw.families.figures import PowerModel, RoutedElsewhere
from bitformer.hw.families.multiplier import Multiplier, MultiplierCell

__all__ = [
    "BlockRam",
    "Carry",
    "Family",
    "JoinCells",
    "Kind",
    "LutRam",
    "Luts",
    "Multiplier",
    "MultiplierCell",
    "PinPatterns",
    "Primitive",
    "Script",
]


@dataclass(frozen=True, kw_only=True)
class BlockRam:
    """A block RAM with one write and one read port.

    Parameters
    ----------
    name : str
        The primitive, as tables name it.
    shapes : tuple of (int, int)
        Words and bits of each configuration, widest first.
    stacked : int
        How many of the shapes, from the widest on, a cut ROM is made of.
    enable_bits : int
        Bits that share a write enable.
    saves : int
        LUTs that a block must save to be worth using.
    kept : int
        Blocks that are left to what is beside an accelerator, such as a board's shell, where LUTs
        could not serve it.
    early : bool
        Whether a word comes as soon after the clock as out of a flip-flop. Then the second register
        of a table is before its address, which has fewer bits.
    """

    name: str
    shapes: tuple[tuple[int, int], ...]
    stacked: int
    enable_bits: int
    saves: int
    kept: int = 0
    early: bool = False

    @property
    def bits(self) -> int:
        """Capacity in bits."""
        return max(words * width for words, width in self.shapes)

    def taken(self, depth: int, width: int, *, sliced: bool) -> tuple[int, int]:
        """Return the blocks of a memory, and how many parts of it are selected among.

        Parts of a deep memory are in blocks of their own. Or, ``sliced``, they lie side by side,
        and a block can have bits of several: so synthesis does with a ROM, and with a RAM if single
        bits have an enable.
        """

        def blocks(shape: tuple[int, int]) -> tuple[int, int]:
            parts = -(-depth // shape[0])
            return -(-parts * width // shape[1]) if sliced else parts * -(-width // shape[1]), parts

        return min(map(blocks, self.shapes))


@dataclass(frozen=True, kw_only=True)
class LutRam:
    """A memory in LUTs: ``words`` of ``bits`` with a write port, in ``luts`` LUTs."""

    words: int
    bits: int
    luts: int

    def cells(self, depth: Any, width: Any) -> Any:
        """Return the LUTs of a RAM of such memories, with one write enable: numbers or arrays."""
        return self.luts * -(-depth // self.words) * -(-width // self.bits)


@dataclass(frozen=True, kw_only=True)
class JoinCells:
    """The primitives that join LUTs of a slice: each selects one of two outputs.

    Parameters
    ----------
    kinds : tuple of str
        That which selects between two LUTs, that between two of these, and so on.
    low, high, select, output : str
        Their pins: what is selected by a 0 and by a 1, the number, and what was selected.
    """

    kinds: tuple[str, ...]
    low: str
    high: str
    select: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Luts:
    """The look-up tables of a family.

    Parameters
    ----------
    inputs : int
        Of one LUT, which is a ROM of ``words`` bits.
    joined : int
        LUTs whose outputs are selected among without another LUT.
    join : JoinCells or None
        How that is instantiated for synthesis; None where that infers it.
    rams : tuple of LutRam
        Memories in LUTs, shallowest first; empty if there are none.
    holds_register : bool
        Whether a flip-flop takes nothing but what its LUT gives: they share a logic cell.
    rom_share : float
        LUTs that synthesis takes for a ROM of any contents, for each of its blocks and of those
        that select among them.
    """

    inputs: int
    joined: int
    join: JoinCells | None = None
    rams: tuple[LutRam, ...] = ()
    holds_register: bool = False
    rom_share: float = 1.0

    @property
    def words(self) -> int:
        """Words of one bit that a LUT holds as ROM."""
        return 1 << self.inputs

    def ram_of(self, depth: int) -> LutRam:
        """Return the memory for so many words: the smallest that holds them, or the largest."""
        return next((ram for ram in self.rams if depth <= ram.words), self.rams[-1])

    @property
    def selected(self) -> int:
        """Bits that one LUT selects among: of six inputs, four bits and two of their number."""
        return max(n for n in range(2, self.inputs) if n + (n - 1).bit_length() <= self.inputs)


class Kind(Enum):
    """What a primitive does, as counts and logic depth see it."""

    LUT = auto()
    INVERTER = auto()
    #: Selects among the outputs of neighbouring LUTs: a part of theirs.
    MULTIPLEXER = auto()
    CARRY = auto()
    BUFFER = auto()
    REGISTER = auto()
    SHIFT_REGISTER = auto()
    #: A memory in LUTs, read asynchronously.
    LUT_RAM = auto()
    BLOCK_RAM = auto()
    MULTIPLIER = auto()
    OTHER = auto()

    @property
    def logic(self) -> bool:
        """Whether its outputs follow its inputs within a cycle, and it is no buffer."""
        return self in (Kind.LUT, Kind.INVERTER, Kind.MULTIPLEXER, Kind.CARRY)


@dataclass(frozen=True, kw_only=True)
class Carry:
    """The pins of a piece of a carry chain.

    Bits of a vector are those of one pin, or of several, lowest first; a pin of no name stands for
    a bit that does not leave the piece.

    Parameters
    ----------
    below : str
        Takes the carry of the piece below.
    inputs : mapping of tuple of str to int
        Other inputs: bit k of one reaches the carries from k on, and the sums from k + this number.
    carries, sums : tuple of str
        Its outputs.
    beside : mapping of str to str
        Pins of the LUT beside it, by those of its own that carry the same; empty where a piece
        needs no such LUT.
    """

    below: str
    inputs: Mapping[tuple[str, ...], int]
    carries: tuple[str, ...]
    sums: tuple[str, ...]
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def pins(self) -> set[str]:
        """All pins by name."""
        vectors = (*self.inputs, self.carries, self.sums)
        return {self.below, *(pin for pins in vectors for pin in pins if pin)}


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """A primitive of a family.

    Parameters
    ----------
    kind : Kind
        What it does.
    size : int
        LUTs or block RAMs that it takes; of a carry, the LUTs that serve no logic beside it.
    reads : tuple of (str, str)
        Of a memory or shift register in LUTs: pins of an address, and the output that follows it.
    carry : Carry or None
        Of a carry: its pins.
    late : (str, str) or None
        Of a multiplier: the parameter, and its value, without a register behind the product.
    tables : (str, tuple of (str, int)) or None
        Of a LUT with several outputs: the parameter with their tables, and of each output the bits
        of it, from the lowest on; inputs count from the lowest pin's name on.
    """

    kind: Kind
    size: int = 1
    reads: tuple[tuple[str, str], ...] = ()
    carry: Carry | None = None
    late: tuple[str, str] | None = None
    tables: tuple[str, tuple[tuple[str, int], ...]] | None = None


_OTHER = Primitive(kind=Kind.OTHER)


@dataclass(frozen=True, kw_only=True)
class PinPatterns:
    """Regular expressions that match the names of pins by what they do, whatever the primitive."""

    clock: str
    enable: str
    reset: str


@dataclass(frozen=True, kw_only=True)
class Script:
    """Yosys' commands for a family.

    Parameters
    ----------
    commands : str
        From a design that has been read to its primitives; ``{top}`` is the module and
        ``{options}`` are those of the command that maps.
    without_pads, flatten, unit_by_unit : str
        Options, with a space behind: for a design that is counted by itself, for one flat module,
        for a module of each unit.
    """

    commands: str
    without_pads: str
    flatten: str = ""
    unit_by_unit: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """What parts of a family have in common.

    Parameters
    ----------
    name : str
        As messages and documents name it.
    multiplier, block_ram, luts
        What it offers.
    primitives : mapping of str to Primitive
        The cells that synthesis makes, by name.
    pins : PinPatterns
        Which of their pins are clocks, enables and resets.
    script : Script
        How they are made.
    power : PowerModel
        Their energies, for the model of power.
    routed : RoutedElsewhere or None
        What a clock is estimated by on parts that no tool here routes.
    most_columns : int
        Multipliers of the engine at most where nobody says how many: beyond, what feeds them costs
        more than they gain.
    any_columns : bool
        Whether their number is what a model's layers make best use of: else it is a multiple of 8
        or a power of two.
    soft_columns : int
        Columns of the engine that may be made of LUTs, for two products of short weights each.
    stopped_hz : float
        The fastest clock of a shell beside which its accelerator's stands still between requests.
    """

    name: str
    multiplier: Multiplier
    block_ram: BlockRam
    luts: Luts
    primitives: Mapping[str, Primitive]
    pins: PinPatterns
    script: Script
    power: PowerModel
    routed: RoutedElsewhere | None = None
    most_columns: int = 16
    any_columns: bool = False
    soft_columns: int = 0
    stopped_hz: float = math.inf

    @property
    def shift_registers(self) -> bool:
        """Whether LUTs serve as shift registers: else delays are flip-flops."""
        return any(one.kind is Kind.SHIFT_REGISTER for one in self.primitives.values())

    def primitive(self, name: str) -> Primitive:
        """Return the primitive of a name; one without properties where the family has none."""
        return self.primitives.get(name, _OTHER)

    def __repr__(self) -> str:
        return f"<Family {self.name}>"
