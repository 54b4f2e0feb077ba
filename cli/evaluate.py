"""``bitformer evaluate``: the test error of an integer model, beside the baselines."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.options import baselines_option, data_options, model_argument
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report, json_option
from bitformer.cli.scores import show_scores
from bitformer.cli.sections import SectionedCommand
from bitformer.model.errors import NotBitExactError
from bitformer.model.progress import progress_bar

__all__ = ["command"]


@click.command("evaluate", cls=SectionedCommand)
@model_argument
@data_options
@click.option(
    "--engine",
    type=click.Choice(["integer", "steps", "python", "native"]),
    default="integer",
    show_default=True,
    help="The integer reference; of a stream, the same by steps, a window going on with that of a"
    " patch before; or the hardware: in Amaranth's Python simulator (slow), or compiled by a C++"
    " compiler (a minute to start, then fast).",
)
@click.option(
    "--samples",
    type=COUNT,
    metavar="N",
    help="Windows, evenly spaced [all of them; 8 for engine python].",
)
@baselines_option
@json_option
def command(
    model: Path,
    data: dict[str, Any],
    engine: str,
    samples: int | None,
    baselines: str,
    report: Report,
) -> None:
    """Score MODEL as it is deployed, by its own scales and step, beside the baselines.

    Of its own data, these are the test windows; of another file all windows, or those after the
    rows that the model has seen. The file is read as the model's own was, unless options say
    otherwise. The baselines are scored on the same windows. Engines python and native exit with 1
    if the hardware differs from the reference in a single bit.

    \b
    bitformer evaluate runs/demo/model.safetensors
    bitformer evaluate runs/demo/model.safetensors --engine native
    bitformer evaluate runs/demo/model.safetensors --baselines all
    bitformer evaluate m.safetensors --data next_year.csv
    """
    loaded = bitformer.load(model)
    try:
        with progress_bar() as progress:
            scores = loaded.evaluate(
                **data,
                engine=engine,
                samples=samples,
                baselines=baselines,
                note=report.note,
                progress=progress,
            )
    except NotBitExactError as error:
        report.note(str(error))
        raise click.exceptions.Exit(1) from None
    show_scores(report, scores)
    report.data({"model": str(model), "engine": engine, **scores.to_dict()})
