"""``bitformer search``: the model that a part, a latency, an energy and data ask for."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.doctor import predictor_of
from bitformer.cli.options import MOST_LANES, PATH, kb_option, part_option, together
from bitformer.cli.quantity import COUNT, COUNT_OR_NONE, MEGAHERTZ, SEED, quantity
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.search_report import show_search
from bitformer.cli.studies import given, prepared, study_options
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    from bitformer.model.precision import Precision
    from bitformer.search.engine import Engine
    from bitformer.search.limits import Limits

__all__ = ["command"]

_limit_options = together(
    part_option,
    click.option(
        "--max-latency",
        metavar="TIME",
        callback=quantity("--max-latency", "s", "50us", power=-6),
        help="Of a forecast: 50us, 0.05ms.",
    ),
    click.option(
        "--max-energy",
        metavar="ENERGY",
        callback=quantity("--max-energy", "J", "5uJ"),
        help="Of a forecast, by a model of power: 5uJ.",
    ),
    click.option("--max-luts", type=COUNT_OR_NONE, metavar="N", help="LUTs [all the part has]."),
    click.option(
        "--max-lutram", type=COUNT_OR_NONE, metavar="N", help="LUTs as memory [the same]."
    ),
    click.option("--max-ffs", type=COUNT_OR_NONE, metavar="N", help="Flip-flops [the same]."),
    click.option(
        "--max-ramb18", type=COUNT_OR_NONE, metavar="N", help="Block RAMs of 18 Kb [the same]."
    ),
    click.option("--max-dsps", type=COUNT_OR_NONE, metavar="N", help="DSP blocks [the same]."),
    click.option(
        "--clock",
        "clock_mhz",
        type=MEGAHERTZ,
        default=100.0,
        show_default=True,
        metavar="MHZ",
        help="Clock in megahertz, for latency and energy.",
    ),
)


def _limits(options: dict[str, Any]) -> "Limits":
    """The limits among the options, which are taken out."""
    from bitformer.hw.parts import DEFAULT_PART
    from bitformer.search.limits import Limits

    clock = options.pop("clock_mhz")
    return Limits(
        part=options.pop("part") or DEFAULT_PART,
        latency_us=options.pop("max_latency"),
        energy_j=options.pop("max_energy"),
        clock_hz=clock * 1e6,
        **{
            name: options.pop(f"max_{name}") for name in ("luts", "lutram", "ffs", "ramb18", "dsps")
        },
    )


def _bits(text: str) -> "tuple[Precision, ...]":
    """The choices of ``--bits 4,2/8``."""
    from bitformer.model.precision import Precision

    return tuple(Precision.parse(one) for one in text.split(","))


def _engines(lanes: str, pack: str) -> "tuple[Engine, ...]":
    """The choices of ``--lanes auto,16`` and of ``--pack``, the part's own engine first."""
    from bitformer.search.engine import Engine

    counts = [None if one == "auto" else one for one in lanes.split(",")]
    for one in counts:
        if one is not None and not (one.isdecimal() and 1 <= int(one) <= MOST_LANES):
            raise UserError(
                f"--lanes must be numbers from 1 to {MOST_LANES} or auto, such as auto,16,"
                f" not {lanes!r}"
            )
    return tuple(
        Engine(lanes=None if one is None else int(one), pack=packed)
        for one in counts
        for packed in {"yes": (True,), "no": (False,), "both": (True, False)}[pack]
    )


def _tool(report: Report, synthesis: str) -> str:
    """The Yosys there is; a sentence where there is none."""
    from bitformer.synth.yosys import find_tool

    if synthesis == "none":
        return ""
    try:
        return find_tool().version
    except UserError as error:
        report.note(f"Nothing is synthesized, and predicted figures are kept. {error}")
        return ""


def _remember(report: Report, kb: Path | None, entries: list[dict]) -> None:
    """Add what was synthesized to the knowledge base, which may fail."""
    from bitformer.estimate.knowledge import Entry, KnowledgeBase

    if not entries:
        return
    try:
        KnowledgeBase(kb).add(Entry.from_dict(one) for one in entries)
    except UserError as error:
        report.note(f"Not remembered: {error}")


def _picture(report: Report, output: Path, result: Mapping[str, Any]) -> str | None:
    from bitformer.search.plot import plot_exploration

    try:
        plot_exploration(result, output / "pareto.png")
    except UserError as error:
        report.note(f"No picture: {error}")
        return None
    return "pareto.png"


@click.command("search")
@study_options
@_limit_options
@click.option(
    "--bits",
    default="4,6,8",
    show_default=True,
    metavar="B,...",
    help="Choices of each component: 4, or weights and activations apart, 2/8.",
)
@click.option(
    "--baselines",
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
    "--trials", type=PATH, metavar="DIR", help="Folder of trainings that searches share [DIR]."
)
@kb_option
@json_option
def command(
    data: str | None,
    target: str | None,
    inputs: str | None,
    time: str | None,
    config: str,
    workers: int | None,
    scheduler: str | None,
    output: Path,
    bits: str,
    baselines: str | None,
    score: str,
    top: int,
    seed: int,
    lanes: str,
    pack: str,
    sensitivity: Path | None,
    method: str,
    per_tensor: bool,
    tries: int,
    windows: int,
    synthesis: str,
    trials: Path | None,
    kb: Path | None,
    report: Report,
    **rest: Any,
) -> None:
    """Find models that fit a part and keep your limits: trained, proved bit-exact, ready to build.

    What rounding each component costs is measured on validation windows. All combinations of bits
    are predicted and filtered; the best by --score are trained, and so is each of
    --baselines everywhere, to be compared with. They are simulated and synthesized, and
    handed over as DIR/1-NAME.safetensors and so on, the best validation error first, with
    DIR/search.json and DIR/pareto.png. DIR keeps what is done: Ctrl-C is safe, and the same
    command goes on.

    The exit code is 1 if none of the candidates turns out to fit, bit for bit.

    \b
    bitformer search --part xc7s15 --data etth1 --max-latency 50us -o runs/search
    bitformer search --part xc7s6 --data etth1 --max-energy 5uJ --top 20 -o runs/small
    bitformer search --data etth1 --bits 2/8,4/6,4/8 --max-luts 2500 -o runs/narrow
    bitformer search --part xc7s6 --data etth1 --lanes auto,6,12 -o runs/engines
    """
    from bitformer.estimate.knowledge import known_entries
    from bitformer.model.folder_lock import held
    from bitformer.search.engine import Engine
    from bitformer.search.request import SearchRequest
    from bitformer.search.run import run_search
    from bitformer.study.sensitivity import read_added
    from bitformer.study.trials import FOLDERS
    from bitformer.study.workers import open_pool

    limits = _limits(rest)
    choices = _bits(bits)
    added = None if sensitivity is None else read_added(sensitivity)
    chosen, source = prepared(
        report, config=config, data=data, target=target, inputs=inputs, time=time
    )
    question = SearchRequest(
        config=chosen,
        source=source,
        limits=limits,
        bits=choices,
        baselines=None if baselines is None else _bits(baselines),
        score=score,
        top=top,
        seed=seed,
        engines=_engines(lanes, pack),
        method=method,
        settings=given(rest),
        per_tensor=per_tensor,
        tries=tries,
        windows=windows,
        synthesis=synthesis,
    )
    if not question.enumerated and not per_tensor:
        report.note(
            "The space is too large to look at all of it: NSGA-II draws bits for each weight and"
            " tensor"
        )

    predictor = predictor_of(report, known_entries(kb))
    if predictor is None:
        raise UserError("A search needs measured designs to predict by: 'bitformer profile' first")
    tool = _tool(report, synthesis)
    with ExitStack() as stack:
        for folder in {one.resolve() for one in (output, trials or output)}:
            stack.enter_context(held(folder, inside=(*FOLDERS, "proofs")))
        tell = stack.enter_context(progress_bar())
        pool = stack.enter_context(open_pool(workers, scheduler))
        result = run_search(
            question,
            output,
            pool,
            predictor,
            added=added,
            trials=trials,
            tool=tool,
            progress=tell,
        )
    _remember(report, kb, result.pop("entries"))
    picture = _picture(report, output, result)
    show_search(report, result, limits)
    winner = result["chosen"]
    path = None
    if winner is not None:
        path = output / result["candidates"][winner["rank"] - 1]["model"]
        engine = Engine(**result["candidates"][winner["rank"] - 1]["engine"]).arguments.split()
        build = ("build", path, *engine, "--board", "sea", "-o", output / "build")
        report.line(f"Next: {command_line(*build)}")
    report.data(
        {
            "output": str(output),
            "model": None if path is None else str(path),
            "picture": None if picture is None else str(output / picture),
            **result,
        }
    )
    if winner is None:
        raise click.exceptions.Exit(1)
