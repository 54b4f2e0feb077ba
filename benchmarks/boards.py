"""What whole builds take, shell and all: every board with two models, synthesized by Yosys.

    python benchmarks/boards.py                        the table of docs/boards.md
    python benchmarks/boards.py --board sea            this board only

A synthesis takes a minute or two; what was synthesized before comes from the cache.
"""

import json
import tempfile
from pathlib import Path

import click
from rich.console import Console

from bitformer.boards.build import build_plan
from bitformer.boards.catalog import BOARDS, find_board
from bitformer.boards.plan_directory import PLAN_FILE
from bitformer.boards.plan_synthesis import synthesize_plan
from bitformer.hw.accelerator import Accelerator
from bitformer.hw.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

CONFIGS = ("grid-12-32-4", "etth1-96-24")
COLUMNS = ("board", "link", "model", "LUT", "as memory", "FF", "RAMB18", "DSP", "fits", "µs")


@click.command(help=__doc__)
@click.option("--board", "names", multiple=True, metavar="B", help="Of 'bitformer boards' [all].")
def main(names: tuple[str, ...]) -> None:
    console = Console(stderr=True)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * 3}{'---:|' * 5}---|---:|", flush=True)
    for board in [find_board(name) for name in names] or BOARDS.values():
        for config in CONFIGS:
            design = lower(initialize(named_config(config)), part=board.part)
            with (
                tempfile.TemporaryDirectory() as folder,
                console.status(f"{board.name}, {config}"),
            ):
                plan = build_plan(
                    board,
                    lambda design=design: Accelerator(design=design),
                    name="net",
                    directory=Path(folder) / "plan",
                )
                link = json.loads((plan / PLAN_FILE).read_text())["link"]
                found = synthesize_plan(plan)
            cells = (
                board.name,
                link,
                config,
                *(f"{use.used:,} of {use.available:,}".replace(",", " ") for use in found.uses),
                "no" if found.over else "yes",
                f"{design.latency / board.clock_hz * 1e6:.1f}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
