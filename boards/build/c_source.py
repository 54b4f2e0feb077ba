"""Numbers and texts as they stand in a source in C."""

import math

from bitformer.model.errors import UserError

__all__ = ["array_of_bytes", "real", "string"]


def real(value: float) -> str:
    """Return a finite float as a constant of the type ``bitformer_real``, exact as a double."""
    if not math.isfinite(value):
        raise UserError(f"scales of a model must be finite numbers, not {value}")
    return f"(bitformer_real){value!r}"


def string(value: str) -> str:
    """Return a text as a string of C, in UTF-8; all that could end it or mean more is escaped."""
    plain = {*map(chr, range(0x20, 0x7F))} - {*'"\\?'}
    escaped = "".join(
        char
        if char in plain
        else "".join(f"\\{byte:03o}" for byte in char.encode(errors="replace"))
        for char in value
    )
    return f'"{escaped}"'


def array_of_bytes(data: bytes) -> str:
    """Return bytes as the initial value of an array."""
    return "{" + ", ".join(f"0x{byte:02x}" for byte in data) + "}"
