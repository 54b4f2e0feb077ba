"""What benchmarks that measure designs have in common: their options, and how they end."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from bitformer.model.errors import UserError

__all__ = ["measuring", "run"]


def measuring(results: Path) -> Callable[[Callable], Callable]:
    """Return a decorator: a command of CONFIGS that are simulated, and where ``results`` are kept.

    It gives ``configs``, ``engine``, ``samples``, ``seed`` and ``results``.
    """
    shared = (
        click.argument("configs", nargs=-1),
        click.option("--engine", default="native", show_default=True, help="native, python, auto."),
        click.option("--samples", type=click.IntRange(0), default=100, show_default=True),
        click.option("--seed", type=int, default=0, show_default=True),
        click.option(
            "--results", type=click.Path(path_type=Path), default=results, show_default=True
        ),
    )

    def decorate(command: Callable) -> Callable:
        for option in reversed(shared):
            command = option(command)
        return command

    return decorate


def run(command: Callable[[], object]) -> None:
    """Run a command; what a user has done wrong ends it in one sentence."""
    try:
        command()
    except UserError as error:
        sys.exit(f"Error: {error}")
