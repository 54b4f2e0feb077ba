"""The option ``--range``: what values the sensors of columns may give."""

import re
from collections.abc import Sequence

import click

from bitformer.model.errors import UserError

__all__ = ["range_option", "raw_option"]

_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
#: A column's name may have commas and equals signs itself: what is last counts.
_RANGE = re.compile(rf"(?:(?P<name>.+)=)?{_NUMBER},{_NUMBER}", re.DOTALL)


def _ranges(
    _context, _parameter, texts: Sequence[str]
) -> dict[str | None, tuple[float, float]] | None:
    """Return lowest and highest values by column; None stands for the target."""
    found: dict[str | None, tuple[float, float]] = {}
    for text in texts:
        match = _RANGE.fullmatch(text)
        if match is None:
            raise UserError(
                f"--range must be LOW,HIGH or NAME=LOW,HIGH, such as --range 0,100, not {text!r}"
            )
        if match["name"] in found:
            raise UserError(f"--range must be given once for each column, not again as {text!r}")
        found[match["name"]] = float(match[2]), float(match[3])
    return found or None


range_option = click.option(
    "--range",
    "sensor_range",
    multiple=True,
    callback=_ranges,
    metavar="[NAME=]LOW,HIGH",
    help="Values that the sensor may give, in the column's units: the words of the input and the"
    " output cover them, and what is beyond is clipped and counted. Without a name it is the"
    " target's; may be repeated. By default 16 times what the training rows reach, as far as the"
    " words' bits allow (11 bits or fewer just fit the training rows).",
)

raw_option = click.option(
    "--raw",
    type=int,
    metavar="BITS",
    help="The chip takes the words of an ADC of 8 to 16 bits as they are, from 0 on, and gives its"
    " forecast as such words: the node computes nothing. LOW and HIGH of --range are then the"
    " column's values at word 0 and at the highest word, 2^BITS - 1; a column without --range holds"
    " words.",
)
