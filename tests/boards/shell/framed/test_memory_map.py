"""What lies where in an endpoint's memory: the buffer, constants, golden vectors."""

import pytest
from amaranth.hdl import signed, unsigned

from bitformer.boards.protocol import Feature, Registers
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.framed.memory_map import LOAD_BYTES, MemoryMap

SHAPES = signed(8), signed(12)


def made(contract, shapes=SHAPES, features=Feature.NONE):
    return MemoryMap(
        contract=contract,
        input_shape=shapes[0],
        result_shape=shapes[1],
        clock_hz=48_000_000,
        features=features,
    )


def contract_of(inputs=3, results=2, vectors=0, **others):
    golden = tuple(((n,) * inputs, (-n,) * results) for n in range(vectors))
    return Contract(inputs=inputs, results=results, vectors=golden, latency=77, **others)


@pytest.mark.parametrize("inputs", [1, 3, 31, 32, 33, 64, 65])
@pytest.mark.parametrize("results", [1, 16, 17])
@pytest.mark.parametrize(("vectors", "image"), [(0, ()), (2, ()), (2, ((4, 3), (5, 1)))])
def test_regions_are_whole_and_begin_at_multiples_of_32(inputs, results, vectors, image):
    found = made(contract_of(inputs, results, vectors, image=image))
    longest = max(inputs, 2 * results, 66 if image else 0)
    size = 32 + vectors * (inputs + 2 * results)
    assert (found.sample, found.answer, found.registers.capacity) == (inputs, 2 * results, longest)
    places, regions = [], 1 + bool(image)
    place = longest
    for _ in range(regions):
        place += -place % 32
        places.append(place)
        place += size
    assert found.regions == places
    assert found.depth == found.memory.depth == place
    # the first region is as configured; the buffer, and the other, are empty
    golden = b"".join(
        bytes([n]) * inputs + (-n).to_bytes(2, "little", signed=True) * results
        for n in range(vectors)
    )
    constants = found.registers.constants()
    expected = bytes(places[0]) + constants + golden
    assert found.contents() == expected + bytes(found.depth - len(expected))
    if image:
        assert found.loader.bytes == 4 * 3 + 5 + size
    else:
        assert found.loader is None


@pytest.mark.parametrize(
    ("changes", "feature"),
    [
        ({}, Feature.NONE),
        ({"vectors": 1}, Feature.SELF_TEST),
        ({"vectors": 1, "image": ((1, 1),)}, Feature.SELF_TEST | Feature.RELOADABLE),
        ({"unsigned": True}, Feature.UNSIGNED),
    ],
)
def test_registers_say_what_the_shell_can_do(changes, feature):
    for link in (Feature.NONE, Feature.SPI):
        found = made(contract_of(**changes), features=link).registers
        assert found == Registers(
            features=feature | link,
            input_bits=8,
            result_bits=12,
            inputs=3,
            results=2,
            capacity=LOAD_BYTES if "image" in changes else 4,
            vectors=changes.get("vectors", 0),
            latency=77,
            model_hash=bytes(8),
            structure=bytes(4),
            clock_hz=48_000_000,
        )
    assert LOAD_BYTES == 66


@pytest.mark.parametrize(
    ("inputs", "results", "shapes", "name"),
    [
        (65535, 1, (signed(8), signed(16)), ""),
        (1, 65535, (signed(8), unsigned(8)), ""),
        (32767, 1, (signed(9), signed(8)), ""),
        (32768, 1, (signed(9), signed(8)), "window"),
        (1, 32768, (signed(8), unsigned(16)), "results"),
    ],
)
def test_a_window_and_its_results_fit_a_frame(inputs, results, shapes, name):
    contract = Contract(inputs=inputs, results=results)
    if not name:
        assert made(contract, shapes).registers.capacity in (65535, 65534)
        return
    with pytest.raises(ValueError, match=f"{name} must take at most 65535 bytes .*, not 65536"):
        made(contract, shapes)
