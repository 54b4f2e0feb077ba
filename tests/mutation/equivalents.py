"""Mutants that no test can notice, each with its reason.

A mutant is named by its file and its lines, before and behind the change; they may move.
"""

__all__ = ["EQUIVALENTS"]

#: (file, lines before, lines behind): the reason.
EQUIVALENTS: dict[tuple[str, str, str], str] = {}
