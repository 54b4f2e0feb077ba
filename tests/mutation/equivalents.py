"""Mutants that no test can notice, each with its reason.

A mutant is named by its file, its rule, and what becomes of the place; the line may move.
"""

__all__ = ["EQUIVALENTS"]

#: (file, rule, before, after): the reason.
EQUIVALENTS: dict[tuple[str, str, str, str], str] = {}
