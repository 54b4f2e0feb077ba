import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitformer.boards.protocol import (
    OVERHEAD,
    REGISTER_BYTES,
    Feature,
    Frame,
    FrameError,
    Reason,
    Registers,
    encode,
    find_frame,
    version_of,
)

FRAMES = st.builds(
    Frame,
    sequence=st.integers(0, 0xFFFFFFFF),
    command=st.integers(0, 255),
    payload=st.binary(max_size=300),
)
REGISTERS = Registers(
    features=Feature.SELF_TEST | Feature.SPI,
    input_bits=8,
    result_bits=10,
    inputs=672,
    results=24,
    capacity=672,
    vectors=3,
    latency=0x123456,
    model_hash=bytes(range(8)),
    structure=b"\x01\x02\x03\x04",
    clock_hz=100_000_000,
)


def crc32(data):
    """CRC-32 bit by bit, from its polynomial."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def test_frame_on_the_line():
    # the check value of CRC-32 in every catalogue
    assert crc32(b"123456789") == 0xCBF43926
    data = encode(Frame(sequence=0x42434445, command=0x02, payload=b"\x01\xff"))
    assert data[:10] == b"\xa5\x02\x00\x45\x44\x43\x42\x02\x01\xff"
    assert data[10:] == crc32(data[1:10]).to_bytes(4, "little")
    assert len(data) == OVERHEAD + 2


@given(FRAMES, st.binary(max_size=20), st.binary(max_size=20))
def test_frame_is_found_between_other_bytes(frame, before, after):
    before = before.replace(b"\xa5", b"")
    assert find_frame(before + encode(frame) + after) == (frame, after)


@settings(max_examples=60)
@given(FRAMES, st.data())
def test_part_of_a_frame_is_none_yet(frame, data):
    whole = encode(frame)
    assert find_frame(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


@settings(max_examples=200)
@given(FRAMES, st.data())
def test_changed_byte_is_found(frame, data):
    whole = bytearray(encode(frame))
    place = data.draw(st.integers(3, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError) as caught:
        find_frame(bytes(whole))
    assert caught.value.reason is Reason.CRC


def test_too_long_a_frame_is_refused_at_its_length():
    with pytest.raises(FrameError, match=r"refused for LENGTH"):
        find_frame(encode(Frame(sequence=1, command=1, payload=bytes(9)))[:8], longest=8)


def test_registers_go_round():
    data = REGISTERS.constants() + bytes(REGISTER_BYTES - 32)
    assert len(data) == REGISTER_BYTES
    assert Registers.parse(data) == REGISTERS
    changed = bytearray(data)
    changed[32:48] = b"".join(n.to_bytes(2, "little") for n in range(1000, 1008))
    changed[48:52] = b"\x07\x56\x34\x12"
    found = Registers.parse(bytes(changed))
    assert found.counters == tuple(range(1000, 1008))
    assert found.errors()[Reason.CRC] == 1000 + Reason.CRC
    assert Reason.ACCEPTED not in found.errors()
    assert (found.status, found.cycles) == (7, 0x123456)
    changed[52:58] = b"\x02\x01\xff\xfe\x03\x80"
    found = Registers.parse(bytes(changed))
    assert (found.input_ends, found.result_ends, found.rejected) == (0x102, 0xFEFF, 0x8003)
    assert found.constants() + found.changing() == changed


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (b"BF\x02" + bytes(49), 2),
        (b"BF\x03" + bytes(53), 3),
        (b"BF\x04" + bytes(55), 4),
        (b"BF\x07", 7),
        (b"BF", None),
        (b"", None),
        (b"FB\x03" + bytes(53), None),
    ],
)
def test_version_is_known_whatever_the_length(data, version):
    assert version_of(data) == version


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BF",
        bytes(REGISTER_BYTES),
        b"XX" + bytes(56),
        b"BF\x03" + bytes(55),
        b"BF\x04" + bytes(53),
    ],
)
def test_other_registers_are_refused(data):
    with pytest.raises(ValueError, match=r"Registers must be 58 bytes from b'BF' and 4 on"):
        Registers.parse(data)


def test_undetected_damage_is_as_rare_as_32_bits_make_it():
    # one burst of up to 32 bits is always found: the CRC of the difference is never 0
    rng = random.Random(0)
    for _ in range(300):
        size = rng.randrange(5, 60)
        burst = rng.getrandbits(32) | 1
        difference = (burst << rng.randrange(8 * size - 32)).to_bytes(size, "little")
        assert zlib.crc32(difference) != zlib.crc32(bytes(size))
