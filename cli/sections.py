"""``--help`` with options under headings."""

from collections.abc import Callable

import click

__all__ = ["FILES", "SectionedCommand", "section"]

Decorator = Callable[[Callable], Callable]
#: The heading of options that stand under none.
OTHERS = "Options"
#: The heading that stands last: its options are many, and the same in every command.
FILES = "How a CSV file is read"


def section(heading: str, *options: Decorator) -> Decorator:
    """Make one decorator of options that ``--help`` shows under ``heading``, in their order."""

    def decorate(function: Callable) -> Callable:
        parameters = getattr(function, "__click_params__", [])
        known = list(map(id, parameters))
        for option in reversed(options):
            function = option(function)
        for parameter in getattr(function, "__click_params__", []):
            if id(parameter) not in known:
                parameter.heading = heading
        return function

    return decorate


class SectionedCommand(click.Command):
    """A command that shows its options by :func:`section`, the headings in their order."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those without a heading behind the others, and files' last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                heading = getattr(parameter, "heading", OTHERS)
                sections.setdefault(heading, []).append(record)
        last = {heading: sections.pop(heading, []) for heading in (OTHERS, FILES)}
        for heading, records in (sections | last).items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
