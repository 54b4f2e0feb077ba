"""Addresses of the Elastic Node: what may lie where, to the last address."""

from itertools import product

import pytest

from bitformer.boards.shell.elastic.address_map import V1, V2, ElasticMap

#: Of a map; beside each other, apart, in one another, and at the ends of what there is.
PLACES = (0, 1, 15, 16, 17, 18, 34)
BASES = (5, 0x0100)
TOP = 1 << 16


def made(size=1, **fields):
    """Whether a map may be, with so many bytes of data."""
    try:
        ElasticMap(**fields).check(size=size)
    except ValueError:
        return False
    return True


def apart(base, size, model_id, start, data):
    """Whether no address is two things, and none is beyond the last."""
    areas = [range(model_id, model_id + 16), range(start, start + 1), range(data, data + size)]
    used = [base + address for area in areas for address in area]
    return len(set(used)) == len(used) and max(used) < TOP


@pytest.mark.parametrize("size", [1, 2, 17])
def test_what_is_apart_is_taken_and_nothing_else(size):
    for model_id, start, data in product(PLACES, repeat=3):
        fields = {"model_id": model_id, "start": start, "data": data}
        assert made(size, **fields) == apart(0x0100, size, **fields), fields


@pytest.mark.parametrize("base", BASES)
def test_each_area_may_end_with_the_last_address(base):
    last = TOP - base
    sound = {"base": base, "model_id": 0, "start": 20, "data": 40}
    for beyond in (0, 1):
        assert made(**sound | {"model_id": last - 16 + beyond}) == (not beyond)
        assert made(**sound | {"start": last - 1 + beyond}) == (not beyond)
        assert made(3, **sound | {"data": last - 3 + beyond}) == (not beyond)


@pytest.mark.parametrize(
    ("field", "taken", "refused"),
    [("base", 5, 4), ("base", 5, -1), ("phase", 0, -1), ("phase", 1, 2), ("start", 16, -1)],
)
def test_limits(field, taken, refused):
    assert getattr(ElasticMap(**{field: taken}), field) == taken
    with pytest.raises(ValueError, match=f"^Elastic Node: {field} must be .*, not {refused}$"):
        ElasticMap(**{field: refused})


def test_messages_have_the_places():
    with pytest.raises(ValueError, match=r"the start must end below address 65280, .* at 65281$"):
        ElasticMap(start=65280)
    with pytest.raises(ValueError, match=r"start at 100 must .* the data, 101 byte\(s\) from 0 on"):
        V1.check(size=101)
    V1.check(size=100)


def test_published_maps():
    """As the firmware's stubs have them; see docs/protocol.md."""
    assert vars(V2) == {"model_id": 0, "start": 16, "data": 18, "base": 256, "phase": 1}
    assert vars(V1) == {"model_id": 2000, "start": 100, "data": 0, "base": 256, "phase": 1}
