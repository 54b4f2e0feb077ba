"""Argument checks that several files in ``boards/`` share."""

__all__ = ["check_int"]


def check_int(name: str, value: object, *, least: int = 1) -> int:
    """Return `value`, an integer of at least `least`.

    Raises
    ------
    TypeError
        If `value` is no integer (a bool is none).
    ValueError
        If it is below `least`.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value
