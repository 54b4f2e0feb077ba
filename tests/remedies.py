"""What a refusal tells its reader to type."""

import re
import shlex
from typing import Any

__all__ = ["told"]

#: An option and its value, as a shell reads it.
_OPTION = re.compile(r"--([a-z-]+) ('[^']*'|[^\s']+)")


def told(sentence: str) -> dict[str, Any]:
    """The options that a sentence names, by the names of a reading's fields; the first of two."""
    found: dict[str, Any] = {}
    for option, value in _OPTION.findall(sentence):
        (text,) = shlex.split(value) if value.startswith("'") else (value,)
        text = text if len(text) == 1 else text.rstrip(",;:")
        found.setdefault(option.replace("-", "_"), int(text) if option == "skip" else text)
    return found
