"""The section Members of a docstring, and whether it has the members of the signature."""

import inspect
import re

from amaranth.hdl import Shape


def members_of(doc):
    """(name or pattern of names, width) of each line of a docstring's Members."""
    section = doc.split("Members\n-------\n")[1]
    section = re.split(r"\n\w+\n-+\n", section)[0]
    found = []
    for line in section.splitlines():
        match = re.match(r"(\S+(?:, \S+)*) : (In|Out)\((.+)\)", line)
        assert match or line.startswith("    ") or not line, f"a member, with its width: {line}"
        if match:
            found += [(name, match[2], match[3]) for name in match[1].split(", ")]
    return found


def as_pattern(name):
    """A name, or with a part in braces one of several: ``x_{way}``."""
    return re.compile(re.sub(r"\\{\w+\\}", r"\\d+", re.escape(name)))


def check_members(unit):
    """Check that Members has each member once, the way it flows.

    A member that there is for each of several has a part in braces.
    """
    listed = members_of(inspect.getdoc(type(unit)))
    members = getattr(unit, "signature", unit).members
    for member, what in members.items():
        here = [line for line in listed if as_pattern(line[0]).fullmatch(member)]
        assert len(here) == 1, f"{member} must be in Members once"
        assert here[0][1] == what.flow.name, f"{member} must be {what.flow.name}"
        if what.is_port and here[0][2].isdecimal():
            assert int(here[0][2]) == Shape.cast(what.shape).width, f"{member} has another width"
    for pattern, *_ in listed:
        assert any(as_pattern(pattern).fullmatch(member) for member in members)
