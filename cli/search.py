"""``bitformer search``: the model that a part, a latency, an energy and data ask for."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.cli.options import (
    MOST_LANES,
    PATH,
    given,
    kb_option,
    part_option,
    phases_option,
    together,
)
from bitformer.cli.quantity import COUNT, COUNT_OR_NONE, MEGAHERTZ, SEED, quantity
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.search_report import show_search
from bitformer.cli.sections import SectionedCommand
from bitformer.cli.studies import study_options
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.search.engine import Engine

__all__ = ["command"]

_limit_options = together(
    part_option,
    click.option(
        "--max-latency",
        "latency_us",
        metavar="TIME",
        callback=quantity("--max-latency", "s", "50us", power=-6),
        help="Of an inference: 50us, 0.05ms.",
    ),
    click.option(
        "--max-energy",
        "energy_j",
        metavar="ENERGY",
        callback=quantity("--max-energy", "J", "5uJ"),
        help="Of an inference, by a model of power: 5uJ.",
    ),
    click.option(
        "--max-luts", "luts", type=COUNT_OR_NONE, metavar="N", help="LUTs [all the part has]."
    ),
    click.option(
        "--max-lutram", "lutram", type=COUNT_OR_NONE, metavar="N", help="LUTs as memory [the same]."
    ),
    click.option(
        "--max-ffs", "ffs", type=COUNT_OR_NONE, metavar="N", help="Flip-flops [the same]."
    ),
    click.option(
        "--max-ramb18",
        "ramb18",
        type=COUNT_OR_NONE,
        metavar="N",
        help="Block RAMs of 18 Kb [the same].",
    ),
    click.option(
        "--max-dsps", "dsps", type=COUNT_OR_NONE, metavar="N", help="DSP blocks [the same]."
    ),
    click.option(
        "--clock",
        "clock_hz",
        type=MEGAHERTZ,
        default=100.0,
        show_default=True,
        metavar="MHZ",
        help="Clock in megahertz, for latency and energy.",
    ),
)


def _choices(_context, _parameter, text: str | None) -> list[str] | None:
    return None if text is None else text.split(",")


def _engines(lanes: str, pack: str, phases: int = 1) -> "tuple[Engine, ...]":
    """Return the choices of ``--lanes auto,16`` and ``--pack``, the part's own engine first."""
    from bitformer.search.engine import Engine

    counts = [None if one == "auto" else one for one in lanes.split(",")]
    for one in counts:
        if one is not None and not (one.isdecimal() and 1 <= int(one) <= MOST_LANES):
            raise UserError(
                f"--lanes must be numbers from 1 to {MOST_LANES} or auto, such as auto,16,"
                f" not {lanes!r}"
            )
    return tuple(
        Engine(lanes=None if one is None else int(one), pack=packed, phases=phases)
        for one in counts
        for packed in {"yes": (True,), "no": (False,), "both": (True, False)}[pack]
    )


@click.command("search", cls=SectionedCommand)
@study_options
@_limit_options
@click.option(
    "--bits",
    callback=_choices,
    default="4,6,8",
    show_default=True,
    metavar="B,...",
    help="Choices of each component: 4, or weights and activations apart, 2/8; with weights that"
    " are powers of two, 4p/8.",
)
@click.option(
    "--block",
    "blocks",
    callback=_choices,
    metavar="KIND,...",
    help="Kinds of layers to choose among, of about the same MACs: attention, mixer, mlp [that of"
    " --config].",
)
@click.option(
    "--baselines",
    callback=_choices,
    metavar="B,...",
    help="Bits that everything has, trained to be compared with [--bits].",
)
@click.option(
    "--score",
    type=click.Choice(["loss", "bits"]),
    default="loss",
    show_default=True,
    help="Rank by the error that bits are predicted to add, or by the published sum of bits.",
)
@click.option(
    "--top",
    type=COUNT,
    default=5,
    show_default=True,
    metavar="N",
    help="Candidates to train: about half a minute each on a core, so 20 are affordable.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of all trainings.")
@click.option(
    "--lanes",
    default="auto",
    show_default=True,
    metavar="N,...",
    help="Choices of products a cycle; auto is what the part's DSP blocks allow.",
)
@click.option(
    "--pack",
    type=click.Choice(["yes", "no", "both"]),
    default="both",
    show_default=True,
    help="Two products in a DSP block where that is safe: faster, for more LUTs.",
)
@click.option(
    "--rows",
    type=click.Choice(["one", "several", "both"]),
    default="one",
    show_default=True,
    help="Token rows of the engine: one; several, with columns of LUTs beside the DSP blocks, where"
    " these are faster; or both to choose from.",
)
@phases_option
@click.option(
    "--sensitivity",
    type=PATH,
    metavar="FILE",
    help="Sensitivities as 'sensitivity --json' prints them, instead of measuring.",
)
@click.option(
    "--method",
    type=click.Choice(["ptq", "qat"]),
    default="ptq",
    show_default=True,
    help="How sensitivities are measured: by calibration alone, in seconds each, or with training.",
)
@click.option(
    "--per-tensor",
    is_flag=True,
    help="Bits for each weight and tensor, by NSGA-II; so are spaces too large to be enumerated.",
)
@click.option(
    "--tries",
    type=COUNT,
    default=400,
    show_default=True,
    metavar="N",
    help="Designs that NSGA-II looks at, some a second.",
)
@click.option(
    "--windows",
    type=COUNT,
    default=8,
    show_default=True,
    metavar="N",
    help="Validation windows that each candidate is simulated on.",
)
@click.option(
    "--synthesis",
    type=click.Choice(["all", "chosen", "none"]),
    default="all",
    show_default=True,
    help="Which of the trained are synthesized: a minute or two each on a core.",
)
@click.option(
    "--route",
    type=click.Choice(["all", "chosen", "none"]),
    default="chosen",
    show_default=True,
    help="Which of the synthesized are placed and routed with three seeds, on a part that nextpnr"
    " knows (lfe5u-25f, ice40up5k): some minutes each. Without, the clock is predicted.",
)
@click.option(
    "--trials", type=PATH, metavar="DIR", help="Folder of trainings that searches share [DIR]."
)
@kb_option
@json_option
def command(
    data: dict[str, Any],
    output: Path,
    lanes: str,
    pack: str,
    phases: int,
    report: Report,
    **options: Any,
) -> None:
    """Find models that fit a part and keep your limits: trained, proved bit-exact, ready to build.

    What rounding each component costs is measured on validation windows. All combinations of bits
    are predicted and filtered; the best by --score are trained, and so is each of
    --baselines everywhere, to be compared with. They are simulated and synthesized, and
    handed over as DIR/1-NAME.safetensors and so on, the best validation error first, with
    DIR/search.json and DIR/pareto.png. DIR keeps what is done: Ctrl-C is safe, and the same
    command goes on.

    Limits hold at --clock. What designs reach is told beside: measured for what was placed and
    routed, predicted from routed designs of the part or calibrated for others. A design that was
    measured to reach less than --clock must keep the limits at what it reaches.

    The exit code is 1 if none of the candidates turns out to fit, bit for bit.

    \b
    bitformer search --part xc7s15 --data etth1 --max-latency 50us -o runs/search
    bitformer search --part xc7s6 --data etth1 --max-energy 5uJ --top 20 \\
        -o runs/small
    bitformer search --data etth1 --bits 2/8,4/6,4/8 --max-luts 2500 \\
        -o runs/narrow
    bitformer search --part xc7s6 --data etth1 --lanes auto,6,12 -o runs/engines
    bitformer search --data etth1 --rows both --max-latency 15us -o runs/rows
    bitformer search --data etth1 --block attention,mixer,mlp --bits 4/8,8 \\
        -o runs/kinds
    """
    with progress_bar() as progress:
        found = bitformer.find(
            **data,
            engines=_engines(lanes, pack, phases),
            to=output,
            note=report.note,
            progress=progress,
            **given(options),
        )
    show_search(report, found.facts)
    best = found.best
    if best is not None:
        from bitformer.boards.catalog import board_of
        from bitformer.search.engine import Engine

        part = found.facts["question"]["limits"]["part"]
        board = board_of(part)
        if board.part != part:
            report.line(f"No board is known with the {part}: what follows is for the {board.part}")
        engine = Engine(**best.facts["engine"]).arguments.split()
        build = ("build", best.path, *engine, "--board", board.name, "-o", output / "build")
        report.line(f"Next: {command_line(*build)}")
    report.data(found.to_dict())
    if best is None:
        raise click.exceptions.Exit(1)
