"""What whole builds take, shell and all: every board with two models, synthesized by Yosys.

    python benchmarks/boards.py                        the table of docs/boards.md
    python benchmarks/boards.py --board sea            this board only
    python benchmarks/boards.py --board sea --reloadable --config etth1-96-24
    python benchmarks/boards.py --shells               shells alone, around no accelerator

A synthesis takes a minute or two; what was synthesized before comes from the cache.
"""

import tempfile
from functools import partial
from pathlib import Path

import click
from board_measures import ShellAlone, synthesize_plan
from rich.console import Console

from bitformer.boards.build.manifest import Manifest
from bitformer.boards.build.project import build_plan
from bitformer.boards.catalog import BOARDS, find_board
from bitformer.boards.shell.contract import contract_of
from bitformer.boards.shell.elastic.shell import ElasticShell
from bitformer.boards.shell.shell import SpiShell, UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.synth.synthesize import synthesize

CONFIGS = ("grid-12-32-4", "etth1-96-24")
COLUMNS = ("board", "link", "model", "LUT", "as memory", "FF", "RAMB18", "DSP", "fits", "µs")


@click.command(help=__doc__)
@click.option("--config", "configs", multiple=True, metavar="C", help=f"[{', '.join(CONFIGS)}]")
@click.option("--reloadable", is_flag=True, help="Designs that take new weights.")
@click.option("--shells", is_flag=True, help="Shells by themselves, for the last config.")
@click.option("--board", "names", multiple=True, metavar="B", help="Of 'bitformer boards' [all].")
def main(names: tuple[str, ...], configs: tuple[str, ...], reloadable: bool, shells: bool) -> None:
    console = Console(stderr=True)
    lowered = lower_reloadable if reloadable else lower
    if shells:
        shell_table(console, (configs or CONFIGS)[-1])
        return
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * 3}{'---:|' * 5}---|---:|", flush=True)
    for board in [find_board(name) for name in names] or BOARDS.values():
        for config in configs or CONFIGS:
            design = lowered(initialize(named_config(config)), part=board.part)
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
                link = Manifest.read(plan).link
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


def shell_table(console: Console, config: str) -> None:
    """Every shell without its accelerator, and the UART's of a design that takes new weights.

    The model has no linear path: with one, `etth1-96-24` with room for new weights leaves the shell
    no block RAM.
    """
    model = initialize(named_config(config).replace(linear_path=False))
    print("| shell | LUT | as memory | FF | RAMB18 | levels |\n|---|---:|---:|---:|---:|---:|")
    for title, make, lowered in (
        ("UART, 115 200 baud", partial(UartShell, baud=115_200), lower),
        ("SPI", SpiShell, lower),
        ("Elastic Node's own", ElasticShell, lower),
        ("UART, reloadable", partial(UartShell, baud=115_200), lower_reloadable),
    ):
        design = lowered(model)
        shell = make(
            accelerator=Accelerator(design=design),
            clock_hz=100_000_000,
            contract=contract_of(design),
        )
        with console.status(title):
            found = synthesize(ShellAlone(shell=shell))
        used, levels = found.resources, max(path.levels for path in found.depth.paths)
        cells = (title, used.luts, used.luts_as_memory, used.ffs, used.ramb18, levels)
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
