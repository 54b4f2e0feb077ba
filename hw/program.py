"""What the accelerator executes: operations (constants of a layer) and instructions (its rows).

An instruction names an operation and the addresses of one row. It is issued a fixed number of
cycles after the one before it (``delta``), so a program is also its own timetable.
"""

import enum
from dataclasses import dataclass, fields

from bitformer.model.later import later, shown

__all__ = [
    "Addend",
    "Destination",
    "Factor",
    "Instruction",
    "MachineOperation",
    "Program",
    "Source",
]


class Source(enum.IntEnum):
    """Where the matrix engine takes its activations."""

    ACTIVATION = 0
    INPUT = 1
    SCORE = 2
    ONE = 3


class Factor(enum.IntEnum):
    """The post-processor's multiplier."""

    IMMEDIATE = 0
    PARAMETER = 1
    RECIPROCAL = 2
    NORM = 3


class Addend(enum.IntEnum):
    """What the post-processor adds after the multiplication."""

    NONE = 0
    ACTIVATION = 1
    POSITION = 2
    LAST = 3
    PARAMETER = 4


class Destination(enum.IntEnum):
    """Where results go."""

    ACTIVATION = 0
    SCORE = 1
    KEY = 2
    VALUE = 3
    OUTPUT = 4
    SUMS = 5


@dataclass(frozen=True, kw_only=True)
class MachineOperation:
    """The fields that all rows of a layer share; each is a constant in the hardware's decoder.

    ``matrix``: ``groups`` dot products of ``length`` terms for ``columns`` columns (0 for all), one
    group every ``pitch`` cycles; the result of columns ``skip``.. is drained, all of them in a
    group but ``last_columns`` in the last. Weights lie as ``weight_format`` says. Otherwise a
    vector operation of ``slots`` words through the post-processor, or, without slots, no operation.

    A ``wide`` operation (:mod:`bitformer.hw.lowering.wide`) has its results one a cycle; of its
    rows those that the engine reads (``wide_x``), that it writes (``wide_y``) and that the
    post-processor reads (``wide_r``) may have an element a word.

    With a ``stride``, the addresses of activations are so many elements apart: a column of rows.

    With ``gelu``, what is clamped are whole steps, and the results, of so many bits, are GELU of
    them with its zero point (:mod:`bitformer.model.gelu`).

    With a ``clock`` above 0, that number of the window's time, counted from 1, selects the row of a
    table of parameters, the first of which begins at ``parameters``. An operation that waits for
    input waits for the samples that it reads, or, if ``whole``, for all of the window and the time
    behind it.

    Where last values of several channels of the input are added, ``channel`` is the operation's.

    Of a stream's steps, the first operation ``starts`` one. What is subtracted is the last step of
    the ``previous`` one's patch, or else of its own. Behind element ``ring_last``, if that is above
    0, the address of activations goes on at ``ring_first``.

    With several token rows, an operation has a block of ``rows`` rows side by side, from the first
    token row on; or a single one, that of token row ``lane``. A ``split`` operation has one row,
    each of whose dot products is the sum of those of all token rows, which have weights of their
    own; what it writes and adds lies in ``lane``.

    Where dot products are summed part by part, the results of all but the last are no results, but
    sums that are kept, where the parameters of a result are. One that ``resumes`` goes on with
    these in place of the bias.
    """

    tensor: str = ""
    matrix: bool = False
    slots: int = 0
    source: Source = Source.ACTIVATION
    length: int = 1
    pitch: int = 1
    groups: int = 1
    last_columns: int = 1
    columns: int = 0
    skip: int = 0
    packed: bool = False
    dynamic: bool = False
    weight_base: int = 0
    weight_step: int = 1
    weight_group: int = 0
    weight_format: int = 0
    wait_input: bool = False
    wait_output: bool = False
    release_input: bool = False
    parameters: int = 0
    bias: bool = False
    factor: Factor = Factor.IMMEDIATE
    multiplier: int = 0
    shift: int = 0
    addend: Addend = Addend.NONE
    addend_shift: int = 0
    zero: int = 0
    low: int = 0
    high: int = 0
    destination: Destination = Destination.ACTIVATION
    statistics: bool = False
    normalize: bool = False
    wide: bool = False
    wide_x: bool = False
    wide_y: bool = False
    wide_r: bool = False
    odd: bool = False
    stride: int = later(0)
    gelu: int = later(0)
    clock: int = later(0)
    whole: bool = later(False)
    channel: int = later(0)
    starts: bool = later(False)
    previous: bool = later(False)
    ring_first: int = later(0)
    ring_last: int = later(0)
    rows: int = later(1)
    lane: int = later(0)
    split: bool = later(False)
    resumes: bool = later(False)

    def __repr__(self) -> str:
        return shown(self)

    @property
    def act_step(self) -> int:
        """Elements from one activation to the next: of wide rows, two are a word apart."""
        return self.stride or 1 + self.wide_x

    @property
    def cycles(self) -> int:
        """Cycles in which a row's groups hold the engine."""
        return (self.groups - 1) * self.pitch + self.length


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One row: ``act``, ``dst`` and ``res`` are addresses in the stores that the operation names.

    ``row`` is the row of the operation's tensor (for the trace, not in hardware); ``first`` the
    tensor's feature that the first result belongs to.
    """

    op: int
    delta: int = 0
    act: int = 0
    dst: int = 0
    res: int = 0
    row: int = 0
    first: int = 0


@dataclass(frozen=True, kw_only=True)
class Program:
    """Operations and instructions, with the widths that the hardware gives their fields.

    Behind the last instruction comes that of number ``loop``; those from there on are the same
    inference so many times as ``steps`` says, at other addresses. Each inference runs once for each
    of so many ``phases`` before the next one.
    """

    operations: tuple[MachineOperation, ...]
    instructions: tuple[Instruction, ...]
    loop: int = later(0)
    steps: int = later(1)
    phases: int = later(1)

    def __repr__(self) -> str:
        return shown(self)

    @property
    def cycles(self) -> int:
        """Cycles from the first issue to the next inference's first issue."""
        return sum(i.delta for i in self.instructions[self.loop :]) // self.steps

    @property
    def step_instructions(self) -> int:
        """The instructions of an inference."""
        return (len(self.instructions) - self.loop) // self.steps

    @staticmethod
    def encoded(instruction: Instruction, field: str) -> int:
        """Return a field as the hardware reads it: ``delta`` less one, the others as they are."""
        return getattr(instruction, field) - (field == "delta")

    def width(self, field: str) -> int:
        """Return the bits of an instruction field."""
        if field == "op":
            return max(1, (len(self.operations) - 1).bit_length())
        return max(1, max(getattr(i, field) for i in self.instructions).bit_length())

    @property
    def word_bits(self) -> int:
        """Bits of an instruction."""
        return sum(self.width(field) for field in self.layout())

    @staticmethod
    def layout() -> tuple[str, ...]:
        """Return the instruction fields in the hardware, lowest bits first."""
        return ("op", "delta", "act", "dst", "res")

    def words(self) -> list[int]:
        """Return the program ROM's contents."""
        words, widths = [], {field: self.width(field) for field in self.layout()}
        for instruction in self.instructions:
            word = offset = 0
            for field, width in widths.items():
                word |= self.encoded(instruction, field) << offset
                offset += width
            words.append(word)
        return words

    def values(self, field: str) -> list[int]:
        """Return one field of every operation, for the hardware's decoder."""
        if field not in {f.name for f in fields(MachineOperation)}:
            raise ValueError(f"Field must be one of a MachineOperation's, not {field!r}")
        return [int(getattr(op, field)) for op in self.operations]
