"""The pins of an SPI master, a cycle of the slave's clock at a time."""

__all__ = ["as_bits", "edges", "transfer"]


def transfer(data, *, bits=None, clock=(3, 3), lead=5, trail=3, gap=8, falls=False):
    """The pins of a transfer in each cycle: (cs, sck, mosi).

    ``bits`` cuts it off. A period has ``clock``'s (low, high) cycles; ``lead`` come before the
    first edge, ``trail`` behind the last period, and ``gap`` without chip select. Bits are read
    where SCK rises, or ``falls``.
    """
    low, high = clock
    sent = as_bits(data)[:bits]
    if falls:
        yield from [(1, 0, 0)] * lead
        for bit in sent:
            yield from [(1, 1, bit)] * high + [(1, 0, bit)] * low
    else:
        yield from [(1, 0, sent[0] if sent else 0)] * (lead - low)
        for bit in sent:
            yield from [(1, 0, bit)] * low + [(1, 1, bit)] * high
    yield from [(1, 0, 0)] * trail + [(0, 0, 0)] * gap


def edges(pins, *, falls=False):
    """The cycles in which bits are read, and those in which chip select begins and ends."""
    before, reads, begins, ends = (0, 0, 0), [], [], []
    for cycle, now in enumerate(pins):
        if now[0] and (before[1], now[1]) == ((1, 0) if falls else (0, 1)):
            reads.append(cycle)
        if now[0] != before[0]:
            (begins if now[0] else ends).append(cycle)
        before = now
    return reads, begins, ends


def as_bits(data):
    """The bits of bytes, the highest first."""
    return [byte >> 7 - k & 1 for byte in data for k in range(8)]
