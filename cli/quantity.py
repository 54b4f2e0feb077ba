"""Times and energies as people write them: ``50us``, ``0.05 ms``, ``5uJ``."""

import math
import re
from collections.abc import Callable
from decimal import Decimal

from bitformer.model.errors import UserError

__all__ = ["quantity"]

#: Powers of ten; µ has two code points.
_PREFIXES = {"": 0, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "k": 3}


def quantity(option: str, unit: str, example: str, *, power: int = 0) -> Callable:
    """A callback that reads a positive number with ``unit`` and a prefix.

    Gives it in that unit times 10 to the ``power``: -6 for microseconds.
    """
    pattern = re.compile(rf"([-+0-9.eE]+?)\s*([mnkuµμ]?){unit}")

    def read(_context, _parameter, text: str | None) -> float | None:
        if text is None:
            return None
        match = pattern.fullmatch(text.strip())
        try:
            number = Decimal(match[1]) if match else Decimal("nan")
            value = float(number.scaleb(_PREFIXES[match[2]] - power if match else 0))
        except ArithmeticError:
            value = math.nan
        if not 0 < value < math.inf:
            raise UserError(
                f"{option} must be a positive number with its unit, such as {example}, not {text!r}"
            )
        return value

    return read
