"""``bitformer tools``: which programs and packages are here, and what each is for."""

import click

from bitformer.cli.report import Report, json_option

__all__ = ["command", "show_tools"]


def show_tools(report: Report) -> None:
    """Print which tools are here, and how to get the others."""
    import bitformer

    found = bitformer.tools()
    report.table(
        ("tool", "for", "found"),
        [(tool.name, tool.purpose, tool.found or "not here") for tool in found],
        words=3,
    )
    for tool in found:
        if tool.remedy:
            report.line(f"{tool.name}: {tool.remedy}")
    report.data({"tools": [tool.to_dict() for tool in found]})


@click.command("tools")
@json_option
def command(report: Report) -> None:
    """Say which tools are here, what each is for, and how to get the others.

    None is needed to train, predict, estimate, simulate or write a board's project but torch, for
    training. Programs are looked for on the PATH, and where a variable such as YOSYS or
    NEXTPNR_ECP5 says; those from PyPI serve where there is no native one.

    \b
    bitformer tools
    bitformer tools --json
    """
    show_tools(report)
