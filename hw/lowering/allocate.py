"""Gives every row its address: rows that never live at once share memory."""

from collections.abc import Iterable
from dataclasses import dataclass

from bitformer.hw.timetable import Event

__all__ = ["FOREVER", "Lifetime", "MemoryBlock", "allocate", "lifetimes", "merge"]


@dataclass(kw_only=True)
class Lifetime:
    """From the first write to the last read: cycles, and places in the order of issue."""

    write: int
    issued: int
    read: int
    last_reader: int


#: Later than any cycle, and than any place in the order of issue.
_NEVER = 1 << 62
#: Of what is kept from inference to inference: nothing else has its memory.
FOREVER = Lifetime(write=0, issued=0, read=_NEVER, last_reader=_NEVER)


@dataclass(kw_only=True)
class MemoryBlock:
    """``words`` consecutive words that live together, aligned to ``align`` words.

    They hold a tensor's row, by ``key``, or from it on ``rows`` rows, ``pitch`` words apart. With
    ``lanes``, so many rows lie side by side in the same words; rows are ``step`` apart then.
    """

    key: tuple[str, int]
    words: int
    lives: Lifetime
    align: int = 1
    rows: int = 1
    pitch: int = 0
    lanes: int = 1
    step: int = 1
    address: int = -1

    @property
    def numbers(self) -> range:
        """The rows of the tensor that it holds."""
        first = self.key[1]
        return range(first, first + self.rows * self.step, self.step)

    @property
    def addresses(self) -> dict[tuple[str, int], int]:
        """The word at which each row begins, by (tensor, row)."""
        return {
            (self.key[0], number): self.address + place // self.lanes * self.pitch
            for place, number in enumerate(self.numbers)
        }


def lifetimes(events: Iterable[Event]) -> dict[tuple[str, int], Lifetime]:
    """Return the lifetime of every row of every tensor that a schedule writes."""
    lives: dict[tuple[str, int], Lifetime] = {}
    for place, event in enumerate(events):
        row = event.row
        for read in row.reads:
            last = event.post_last if read.post else event.engine_last
            for number in read.numbers:
                life = lives.get((read.tensor, number))
                if life is not None:
                    life.read, life.last_reader = max(life.read, last), place
        for number in row.numbers:
            key = (row.tensor, number)
            if key in lives:
                life = lives[key]
                life.write = min(life.write, event.write_first)
            else:
                lives[key] = Lifetime(
                    write=event.write_first,
                    issued=place,
                    read=event.write_last,
                    last_reader=place,
                )
    return lives


def merge(lives: Iterable[Lifetime]) -> Lifetime:
    """Return the lifetime of several rows kept together."""
    every = list(lives)
    return Lifetime(
        write=min(life.write for life in every),
        issued=min(life.issued for life in every),
        read=max(life.read for life in every),
        last_reader=max(life.last_reader for life in every),
    )


def _apart(a: Lifetime, b: Lifetime) -> bool:
    """Return True if ``b`` may take ``a``'s memory: written and issued after ``a``'s last read.

    The order of issue matters as well as the cycle: when the accelerator waits for its input,
    later rows are delayed and earlier ones are not.
    """
    return b.write > a.read and b.issued > a.last_reader


def _first_fit(blocks: Iterable[MemoryBlock]) -> int:
    """Place each block in turn at the lowest address that is free while it lives."""
    placed: list[MemoryBlock] = []
    depth = 0
    for block in blocks:
        rivals = sorted(
            (other.address, other.address + other.words)
            for other in placed
            if not _apart(other.lives, block.lives) and not _apart(block.lives, other.lives)
        )
        address = 0
        for start, end in rivals:
            if address + block.words <= start:
                break
            address = max(address, -(-end // block.align) * block.align)
        block.address = address
        placed.append(block)
        depth = max(depth, address + block.words)
    return depth


def allocate(blocks: Iterable[MemoryBlock], *, by_size: bool = False) -> int:
    """Set every block's address and return the depth: first fit in the order of writing.

    With ``by_size``, for blocks of very different sizes, the largest first where that is better.
    """
    early = sorted(blocks, key=lambda b: (b.lives.write, b.key))
    large = sorted(early, key=lambda b: -b.words)
    if by_size and _first_fit(large) < _first_fit(early):
        return _first_fit(large)
    return _first_fit(early)
