# amaranth: UnusedElaboratable=no
"""A store of several memories: what is written to any is read two cycles after its address."""

import random
from dataclasses import replace

import pytest

from bitformer.hw.memory import SPLIT, StorePart, StoreSpec
from bitformer.hw.units.split_store import SplitStore


def part(base, depth, placement, ports, *, width=12, granule=4, early=False):
    memory = StoreSpec(
        name="kept",
        depth=depth,
        width=width,
        granule=granule,
        read_ports=len(ports),
        placement=placement,
        early=early,
    )
    return StorePart(base=base, spec=memory, ports=ports, tensors=(f"from_{base}",))


def store(*parts, ports=2, **fields):
    end = parts[-1].end if parts else 1
    spec = StoreSpec(name="kept", depth=end, width=12, granule=4, read_ports=ports, placement=SPLIT)
    return replace(spec, parts=parts, **fields)


#: Of every kind of memory, with gaps and without, and parts that a port does not read.
STORES = {
    "two": store(part(0, 16, "block", (0, 1)), part(16, 5, "distributed", (0, 1))),
    "in a gap": store(
        part(0, 9, "distributed", (0, 1)),
        part(12, 3, "block", (0,)),
        part(16, 2, "registers", (1,)),
    ),
    "inside the first one's span": store(
        part(0, 18, "block", (0, 1)),
        part(20, 4, "distributed", (0, 1)),
        part(24, 2, "registers", (0, 1)),
        part(26, 1, "distributed", (1,)),
    ),
    "a port each": store(part(0, 8, "block", (1,)), part(8, 8, "distributed", (0,))),
    "deep": store(part(0, 80, "distributed", (0, 1)), part(96, 20, "block", (0, 1))),
    "early": store(part(0, 16, "block", (0, 1), early=True), part(16, 6, "registers", (0, 1))),
    "a port of none": store(part(0, 8, "registers", (0,)), part(8, 8, "distributed", (0,))),
    "one port": store(part(0, 16, "distributed", (0,)), part(16, 16, "block", (0,)), ports=1),
}


def steps_of(spec, cycles, seed):
    """Random traffic at addresses of words; half of the reads are of what was just written."""
    chance = random.Random(seed)
    words = [place for one in spec.parts for place in range(one.base, one.end)]
    steps = []
    for _ in range(cycles):
        last = steps[-1]["w_addr"] if steps else words[-1]
        steps.append(
            {
                f"addr_{p}": chance.choice([last, *chance.sample(words, 1)])
                for p in range(spec.read_ports)
            }
            | {
                "w_addr": chance.choice(words),
                "w_data": chance.getrandbits(spec.width),
                "w_en": chance.getrandbits(3) if chance.random() < 0.8 else 0,
            }
        )
    return steps


@pytest.mark.parametrize("name", STORES)
def test_words_of_every_part_are_kept_apart(play, name):
    spec = STORES[name]
    dut, script = SplitStore(spec=spec), steps_of(spec, 250, len(name))
    shown = play(dut, script + [{}] * dut.latency, [f"data_{p}" for p in range(spec.read_ports)])
    known = 0
    for expected, got in zip(dut.model(script), shown[dut.latency :], strict=True):
        known += sum(word is not None for word in expected)
        assert (
            tuple(None if e is None else g for e, g in zip(expected, got, strict=True)) == expected
        )
    assert known > 100


def test_model_knows_what_no_part_of_a_port_holds():
    spec = STORES["a port each"]
    steps = [
        {"w_addr": 3, "w_data": 0x123, "w_en": 0b111},
        {"w_addr": 9, "w_data": 0x456, "w_en": 0b011},
        {"addr_0": 9, "addr_1": 3},
        {"addr_0": 3, "addr_1": 9},
    ]
    assert SplitStore(spec=spec).model(steps)[2:] == [(0x056, 0x123), (None, None)]
    gap = SplitStore(spec=STORES["deep"]).model([{"addr_0": 85, "addr_1": 96}])
    assert gap == [(None, 0)]


FIRST, SECOND = part(0, 16, "block", (0, 1)), part(16, 5, "distributed", (0, 1))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (store(FIRST), r"^Parts must be two or more, not 1$"),
        (store(), r"^Parts must be two or more, not 0$"),
        (store(FIRST, replace(SECOND, base=20)), r"^Base must be a multiple of 8, not 20$"),
        (
            store(FIRST, replace(SECOND, base=8)),
            r"^Base must be at least 16, where a part ends, not 8$",
        ),
        (store(replace(FIRST, base=16), replace(SECOND, base=32)), r"^Base of the first part must"),
        (store(FIRST, SECOND, depth=22), r"^Depth must be 21, where the last part ends, not 22$"),
        (store(FIRST, SECOND, width=16), r"^Parts must have words of 16 bits, as kept has$"),
        (store(FIRST, replace(SECOND, ports=(0,))), r"^Parts must have a read port for each"),
    ],
)
def test_parts_that_make_no_store(spec, message):
    with pytest.raises(ValueError, match=message):
        SplitStore(spec=spec)
