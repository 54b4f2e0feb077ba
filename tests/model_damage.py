"""Damaged model files: bytes that changed, and contents that are wrong but carry a right digest."""

import copy
import json
import random
from collections.abc import Callable, Iterator

import numpy as np
from safetensors.numpy import load, save

from bitformer.model.identity import signed

__all__ = ["assembled", "damaged", "forged", "taken_apart"]

#: What a field of JSON may turn into.
NASTY = (
    *(None, True, False, 0, 1, -1, 2, 7, 16, 17, 63, 64, 4.0, 0.5, -1e308, 10**8, 2**31, 2**63),
    *(-(2**63), "", "x", "input", "output", "4", "\x00", "höhe", "../../x", "a" * 5000),
    *([], {}, [[]], [1, 2], {"a": 1}, {"op": {}}, [None], list(range(100))),
)


def taken_apart(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """The header, as objects, and the arrays of a sound file."""
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    return json.loads(metadata["bitformer"]), load(data)


def assembled(header: dict | str, arrays: dict[str, np.ndarray]) -> bytes:
    """A file of both, with a right digest where it has a place for one."""
    text = header if isinstance(header, str) else json.dumps(header)
    data = save(arrays, metadata={"bitformer": text})
    try:
        return signed(data)[0]
    except ValueError:
        return data


def _flip(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(9000, len(data)))
    data[place] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    place, count = rng.randrange(len(data)), rng.randrange(1, 40)
    data[place : place + count] = rng.randbytes(len(data[place : place + count]))


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _take_out(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    del data[place : place + rng.randrange(1, 64)]


def _repeat(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    data[place:place] = data[place : place + rng.randrange(1, 64)]


def _append(data: bytearray, rng: random.Random) -> None:
    data += rng.randbytes(rng.randrange(1, 64))


def _digits(data: bytearray, rng: random.Random) -> None:
    """Another digit in the header: lengths, offsets, numbers of the graph."""
    size = int.from_bytes(data[:8], "little")
    places = [at for at in range(8, min(8 + size, len(data))) if chr(data[at]).isdigit()]
    if places:
        data[rng.choice(places)] = ord(rng.choice("0123456789"))


def _exchange(data: bytearray, rng: random.Random) -> None:
    """The offsets of two arrays of the same size."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    names = [name for name in header if name != "__metadata__"]
    rng.shuffle(names)
    for a in names:
        for b in names:
            one, other = header[a], header[b]
            if a < b and one["shape"] == other["shape"] and one["dtype"] == other["dtype"]:
                offsets = one["data_offsets"]
                one["data_offsets"], other["data_offsets"] = other["data_offsets"], offsets
                text = json.dumps(header).encode()
                data[: 8 + size] = len(text).to_bytes(8, "little") + text
                return


_DAMAGE: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _flip, _flip, _overwrite, _cut, _take_out, _repeat, _append, _digits, _exchange),
)


def damaged(data: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """``count`` files that differ from a sound one, under a name to find them again by."""
    rng = random.Random(seed)
    made = 0
    while made < count:
        how, changed = rng.choice(_DAMAGE), bytearray(data)
        how(changed, rng)
        if bytes(changed) != data:
            yield f"{made}{how.__name__}", bytes(changed)
            made += 1


def _places(value: object, at: tuple = ()) -> Iterator[tuple]:
    """Paths to everything within a value of JSON."""
    if isinstance(value, dict):
        inside = list(value.items())
    else:
        inside = list(enumerate(value)) if isinstance(value, list) else []
    for key, one in inside:
        yield (*at, key)
        yield from _places(one, (*at, key))


def _holder(header: dict, place: tuple):
    for key in place[:-1]:
        header = header[key]
    return header


def _field(header, arrays, rng):
    place = rng.choice([one for one in _places(header) if one != ("digest",)])
    _holder(header, place)[place[-1]] = copy.deepcopy(rng.choice(NASTY))


def _nudge(header, arrays, rng):
    """A number that is another one."""
    numbers = [p for p in _places(header) if type(_holder(header, p)[p[-1]]) in (int, float)]
    place = rng.choice(numbers)
    _holder(header, place)[place[-1]] += rng.choice((-8, -2, -1, 1, 2, 8))


def _without(header, arrays, rng):
    place = rng.choice([one for one in _places(header) if one != ("digest",)])
    del _holder(header, place)[place[-1]]


def _unknown(header, arrays, rng):
    inside = [_holder(header, place)[place[-1]] for place in _places(header)]
    objects = [header, *(one for one in inside if isinstance(one, dict))]
    rng.choice(objects)["odd"] = copy.deepcopy(rng.choice(NASTY))


def _rewired(header, arrays, rng):
    """Another tensor is read or written."""
    names = [spec["name"] for spec in header["tensors"]]
    for _ in range(rng.choice((1, 1, 2, 3))):
        op = rng.choice(header["operations"])
        fields = [name for name in ("x", "y", "q", "k", "v", "scores") if name in op]
        if "residual" in op and rng.random() < 0.3:
            op["residual"]["source"] = rng.choice(names)
        else:
            op[rng.choice(fields)] = rng.choice(names)


def _reordered(header, arrays, rng):
    """Operations in another order, once more, or one left out; their arrays follow."""
    count = len(header["operations"])
    order = list(range(count))
    how = rng.randrange(3)
    if how == 0:
        a, b = rng.sample(order, 2)
        order[a], order[b] = order[b], order[a]
    elif how == 1:
        order.insert(rng.randrange(count), rng.choice(order))
    else:
        del order[rng.randrange(count)]
    header["operations"] = [copy.deepcopy(header["operations"][n]) for n in order]
    before = {name: value for name, value in arrays.items() if name[0].isdigit()}
    for name in before:
        del arrays[name]
    for new, old in enumerate(order):
        for name, value in before.items():
            if name.startswith(f"{old}."):
                arrays[f"{new}.{name.partition('.')[2]}"] = value


def _twice(header, arrays, rng):
    specs = header["tensors"]
    specs.insert(rng.randrange(len(specs) + 1), copy.deepcopy(rng.choice(specs)))


def _other_array(header, arrays, rng):
    name = rng.choice(list(arrays))
    value = arrays[name]
    made = [
        value.astype(np.float32),
        value.astype(np.uint8),
        value.astype(bool),
        value.astype(np.int64) * rng.choice((-1, 2, 2**20, 2**55)),
        value[:-1],
        value[..., None],
        value.reshape(-1),
        np.zeros((0, *value.shape[1:]), value.dtype),
        np.array(3, value.dtype),
        value.T,
    ]
    arrays[name] = np.ascontiguousarray(rng.choice(made))


def _renamed_array(header, arrays, rng):
    name = rng.choice(list(arrays))
    others = ["", "x", "constant.", "constant.x", "0.weight", "1.x", "1.y", "99.bias", "00.bias"]
    arrays[rng.choice([*others, *arrays])] = arrays.pop(name)


def _exchanged_arrays(header, arrays, rng):
    a, b = rng.sample(list(arrays), 2)
    arrays[a], arrays[b] = arrays[b], arrays[a]


def _value(header, arrays, rng):
    name = rng.choice(list(arrays))
    value = arrays[name].astype(np.int64)
    value.flat[rng.randrange(value.size)] = rng.choice(
        (-(2**62), -129, -1, 0, 1, 127, 2**15, 2**40)
    )
    arrays[name] = value


_FORGERIES = (
    *(_field, _field, _field, _nudge, _nudge, _without, _unknown, _rewired, _rewired, _rewired),
    *(_reordered, _twice, _other_array, _renamed_array, _exchanged_arrays, _value),
)


def forged(data: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """``count`` files whose digest is right and whose contents someone changed."""
    rng = random.Random(seed)
    sound = taken_apart(data)
    for number in range(count):
        header, arrays = copy.deepcopy(sound)
        how = [rng.choice(_FORGERIES) for _ in range(rng.choice((1, 1, 1, 2)))]
        try:
            for one in how:
                one(header, arrays, rng)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            pass  # the second found nothing to change where the first had been
        yield f"{number}{''.join(one.__name__ for one in how)}", assembled(header, arrays)
