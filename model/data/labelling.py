"""What a user says of classes and groups, checked before a file is opened."""

import re
from collections.abc import Mapping, Sequence

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = ["LABELLING", "MOST_CLASSES", "PLACES", "check_labelling"]

#: Fields of a ``Reading`` that say where classes and groups are, and which are in which part.
LABELLING = frozenset({"label", "files", "group", "stride", "test_groups", "val_groups"})

#: The most classes that a model may tell apart.
MOST_CLASSES = 256
#: What a pattern of names of files may tell.
PLACES = ("group", "label")


def check_labelling(
    *,
    files: str | None,
    label: str | None,
    group: str | None,
    counts: Mapping[str, int],
    test_groups: Sequence[str],
    val_groups: Sequence[str],
) -> None:
    """Raise :class:`UserError` unless the fields of a ``Reading`` suit one another.

    ``counts`` : numbers of rows that must be positive, by their names.
    """
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{name} must be a whole number of rows, 1 or more, not {shown(value)}")
    if files is not None:
        _check_pattern(files, label=label, group=group)
    if val_groups and not test_groups:
        raise UserError(
            f"test_groups must name groups, too, where val_groups does ({', '.join(val_groups)}):"
            " say --test-groups A,B"
        )
    both = [name for name in val_groups if name in test_groups]
    if both:
        raise UserError(
            f"Groups must be in one part each, but {', '.join(both)} would be in two: name"
            f" {'it' if len(both) == 1 else 'them'} with --test-groups or with --val-groups alone"
        )


def _check_pattern(files: str, *, label: str | None, group: str | None) -> None:
    """Raise :class:`UserError` unless a pattern says what the columns do not."""
    found = re.findall(r"\{([^{}]*)\}", files)
    rest = re.sub(r"\{[^{}]*\}", "", files)
    odd = {"{", "}"} & set(rest) or files.startswith(("/", "\\")) or not files.strip()
    if odd or not set(found) <= set(PLACES) or len(set(found)) < len(found):
        raise UserError(
            "files must be a pattern with {label}, {group} (each once) and * for what does not"
            f" count, not {shown(files)}: say --files '{{group}}_{{label}}.csv'"
        )
    if "label" not in found and label is None:
        raise UserError(
            f"files must have {{label}} where the class stands in the files' names, not"
            f" {shown(files)}: say --files '{{group}}_{{label}}.csv', or name the column of classes"
            " with --label"
        )
    for name, column in (("label", label), ("group", group)):
        if name in found and column is not None:
            raise UserError(
                f"{name} must be a column or a part of the files' names, not both: leave out"
                f" --{name} {column}, or {{{name}}} of {shown(files)}"
            )
