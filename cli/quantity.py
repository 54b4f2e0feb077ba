"""Numbers with a meaning: times and energies as people write them (``50us``), and plain ones."""

import math
import re
from collections.abc import Callable
from decimal import Decimal

import click

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["COUNT", "COUNT_OR_NONE", "MEGAHERTZ", "PART", "RATE", "SEED", "Number", "quantity"]

#: Powers of ten; µ has two code points.
_PREFIXES = {"": 0, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "k": 3}


class PartName(click.ParamType):
    """A part's name as it is known: in small letters, however it was typed."""

    name = "part"

    def convert(self, value, param, ctx):
        return value.lower()


class Number(click.ParamType):
    """A finite number from ``low`` to ``high`` of ``what``, given times ``unit``.

    ``below`` : whether it has to be less than ``high``.
    """

    name = "number"

    def __init__(
        self, low: float, high: float, *, what: str = "", below: bool = False, unit: float = 1.0
    ):
        self.low, self.high, self.what, self.below, self.unit = low, high, what, below, unit

    def convert(self, value, param, ctx):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if self.low <= number < self.high or (number == self.high and not self.below):
            return number * self.unit
        option = param.opts[0] if param is not None else "a number"
        of = f" of {self.what}" if self.what else ""
        to = "to below" if self.below else "to"
        raise UserError(
            f"{option} must be a number{of} from {self.low:.9g} {to} {self.high:.9g},"
            f" not {shown(value) if isinstance(value, str) else value}"
        )


class Count(click.IntRange):
    """A whole number from ``low`` on, to more than any machine has time or room for."""

    MOST = 10**9

    def __init__(self, low: int):
        super().__init__(min=low)

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if number > self.MOST:
            self.fail(f"{shown(number)} is more than {self.MOST}.", param, ctx)
        return number


#: How many; at least one, or none.
COUNT, COUNT_OR_NONE = Count(1), Count(0)
#: What random number generators are seeded with.
SEED = click.IntRange(0, 2**32 - 1)
#: Of a serial port or a bus, a second.
RATE = Count(1)
#: A clock, slower than any board has to faster than any part; given in hertz.
PART = PartName()
MEGAHERTZ = Number(1e-3, 1e4, what="megahertz", unit=1e6)


def quantity(option: str, unit: str, example: str, *, power: int = 0) -> Callable:
    """Make a callback that reads a positive number with ``unit`` and a prefix.

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
