"""``bitformer profile``: measured designs for the knowledge base."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import click

from bitformer.cli.options import kb_option, workers_options
from bitformer.cli.quantity import COUNT, COUNT_OR_NONE, MEGAHERTZ, SEED
from bitformer.cli.report import Report, json_option
from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision

__all__ = ["command"]


def _numbers(option: str, text: str) -> list[int]:
    """Positive integers of ``--option 4,6,8``."""
    try:
        numbers = [int(one) for one in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise UserError(f"{option} must be positive integers such as 12,24, not {text!r}")
    return numbers


@click.command("profile")
@click.argument("configs", nargs=-1, metavar="[CONFIG]...")
@click.option("--windows", metavar="N,N", help="Lengths of the published family [12,18,24].")
@click.option("--widths", metavar="D,D", help="Its widths d [8,16,32,64].")
@click.option("--layers", metavar="N,N", help="Its encoder layers [1].")
@click.option(
    "--bits", default="4,6,8", show_default=True, help="Widths: 4, or 2/8 (weights/acts), or 4p/8."
)
@click.option("--parts", default=DEFAULT_PART, show_default=True, help="Parts to lower for.")
@click.option("--lanes", metavar="N,N", help="Products a cycle [what the part allows].")
@click.option("--no-pack", is_flag=True, help="Never two products in a multiplier.")
@click.option(
    "--mixed", type=COUNT_OR_NONE, default=0, help="Random mixed-precision designs instead."
)
@click.option(
    "--shapes",
    type=COUNT,
    metavar="N",
    help="Random designs of every family of shapes instead: decoders, streams, token rows ...",
)
@click.option("--families", metavar="F,F", help="With --shapes: of these families alone [all].")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of random designs.")
@click.option("--units", is_flag=True, help="Each unit by itself, too; doubles the time.")
@click.option("--components", is_flag=True, help="What each component adds instead; far quicker.")
@click.option(
    "--route",
    is_flag=True,
    help="Place and route each design, too, of a part that nextpnr knows (lfe5u-25f, ice40up5k):"
    " the megahertz that 'estimate' and 'search' predict from. Some minutes a seed.",
)
@click.option("--seeds", type=COUNT, metavar="N", help="With --route: seeds of each design [3].")
@click.option(
    "--clock",
    "clock_hz",
    type=MEGAHERTZ,
    metavar="MHZ",
    help="With --route: the clock to aim at [150; 48 of an ice40up5k].",
)
@kb_option
@workers_options
@json_option
def command(
    configs: tuple[str, ...],
    windows: str | None,
    widths: str | None,
    layers: str | None,
    bits: str,
    parts: str,
    lanes: str | None,
    no_pack: bool,
    mixed: int,
    shapes: int | None,
    families: str | None,
    seed: int,
    units: bool,
    components: bool,
    route: bool,
    seeds: int | None,
    clock_hz: float | None,
    kb: Path | None,
    workers: int | None,
    scheduler: str | None,
    report: Report,
) -> None:
    """Synthesize a grid of designs into the knowledge base that estimates are fitted on.

    The grid is the published family of models, or the named CONFIGs; --mixed draws designs of the
    same shapes whose components have bits of their own, instead of the family's. What is in the
    base already is not measured again: a run that was interrupted, or killed, takes up where it
    was.

    --shapes draws designs of all that bitformer builds, of each family of shapes in turn, each for
    a part of its own: models with a decoder, words of 16 bits, streams, layers without attention,
    columns of LUTs, token rows. The n-th of a seed is the same for every N. --families leaves out
    those of others: rows, decoder, wide, stream and the like.

    A component adds memory: its weights, parameters and program rows, and the rows of its results.
    With --components those alone are synthesized, at the widths that the whole design asks for.

    With --route an entry holds the megahertz of each seed, the clock that was asked for, and the
    worst path.

    \b
    bitformer profile --windows 12 --widths 8,16 --bits 4,6,8
    bitformer profile etth1-96-24 --mixed 10 --workers 4
    bitformer profile --windows 12 --widths 8,16 --bits 4,6,8 --components
    bitformer profile --shapes 34 --seed 1
    bitformer profile --shapes 8 --seed 1 --families rows,columns
    bitformer profile --windows 6,12 --widths 16,32 --bits 4,8 \\
        --parts lfe5u-25f --route --seeds 1
    """
    from bitformer.estimate.jobs import Job
    from bitformer.estimate.knowledge import KnowledgeBase
    from bitformer.estimate.profile import family, profile, profile_components
    from bitformer.estimate.profile import mixed as draw
    from bitformer.estimate.shapes import FAMILIES
    from bitformer.estimate.shapes import drawn as all_shapes
    from bitformer.model.config import read_config
    from bitformer.model.progress import progress_bar
    from bitformer.study.workers import open_pool
    from bitformer.synth.route import SEEDS

    if units and components:
        raise UserError("--units must be measured by itself, not with --components")
    if route and (units or components):
        raise UserError("--route must be measured by itself, not with --units or --components")
    if not route and (seeds is not None or clock_hz is not None):
        raise UserError("--seeds and --clock are for --route: give it, too, or leave them out")
    if shapes is not None and (configs or mixed or windows or widths or layers or lanes or route):
        raise UserError(
            "--shapes must be given without configs, --mixed, --windows, --widths, --layers,"
            " --lanes and --route: each design has its own"
        )
    if families is not None and shapes is None:
        raise UserError("--families is for --shapes: give it, too, or leave it out")
    choices = [Precision.parse(one) for one in bits.split(",")]
    lengths = _numbers("--windows", windows or "12,18,24")
    sizes = _numbers("--widths", widths or "8,16,32,64")
    depths = _numbers("--layers", layers or "1")
    if configs:
        bases = [read_config(name) for name in configs]
        designs = list(bases)
        for base in bases:
            drawn = draw(mixed, seed=seed, windows=(), widths=(), bits=choices, base=base)
            designs += drawn
    else:
        designs = family(lengths, sizes, choices, depths)
        if mixed:
            designs = draw(
                mixed, seed=seed, windows=lengths, widths=sizes, bits=choices, layers=depths
            )
    counts = _numbers("--lanes", lanes) if lanes else [None]
    routing: dict[str, Any] = {"seeds": seeds or SEEDS, "clock_hz": clock_hz} if route else {}
    jobs = [
        Job(config=config, part=part, lanes=count, pack=not no_pack, units=units, **routing)
        for config in designs
        for part in parts.split(",")
        for count in counts
    ]
    if shapes is not None:
        chosen = tuple(families.split(",") if families is not None else FAMILIES)
        jobs = [replace(job, units=units) for job in islice(all_shapes(seed, chosen), shapes)]
    base_file = KnowledgeBase(kb)
    fill = profile_components if components else profile
    with progress_bar() as bar, open_pool(workers, scheduler) as pool:
        bar(0, None, "measuring")
        new = fill(jobs, base_file, pool, bar)
    report.line(f"{len(jobs)} designs, {new} new entries: {base_file.path} holds {len(base_file)}")
    report.data(
        {
            "path": str(base_file.path),
            "designs": len(jobs),
            "new": new,
            "entries": len(base_file),
        }
    )
