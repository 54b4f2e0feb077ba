"""``bitformer show``: a model, a run, a build or a search as one HTML file."""

from pathlib import Path
from typing import Any

import click

from bitformer.cli.options import (
    MODEL,
    PATH,
    clock_option,
    data_options,
    hardware_options,
    kb_option,
)
from bitformer.cli.quantity import COUNT_OR_NONE, PART
from bitformer.cli.report import Report, json_option
from bitformer.cli.sections import SectionedCommand
from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.progress import progress_bar

__all__ = ["command"]


@click.command("show", cls=SectionedCommand)
@click.argument("what", type=MODEL, metavar="MODEL|RUN|BUILD|SEARCH")
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("report.html"),
    show_default=True,
    metavar="FILE.html",
    help="The page to write.",
)
@click.option(
    "--model",
    type=PATH,
    metavar="M",
    help="Of a BUILD, its model's file [model.safetensors beside the folder, if it is that].",
)
@data_options
@click.option(
    "--part",
    type=PART,
    metavar="PART",
    help="FPGA that a model is shown on [xc7s15; of a BUILD or a SEARCH, its own].",
)
@hardware_options
@clock_option
@kb_option
@click.option(
    "--samples",
    type=COUNT_OR_NONE,
    default=2,
    show_default=True,
    metavar="N",
    help="Windows to simulate and compare bit for bit; 0 for none.",
)
@click.option(
    "--engine",
    type=click.Choice(["python", "native", "auto"]),
    default="python",
    show_default=True,
    help="What simulates: see 'bitformer simulate'.",
)
@click.option(
    "--noise",
    type=COUNT_OR_NONE,
    default=128,
    show_default=True,
    metavar="N",
    help="Test windows that noise is measured on, which needs torch; 0 for none.",
)
@click.option(
    "--synthesize",
    is_flag=True,
    help="Measure what each unit takes with Yosys: a minute or so, once.",
)
@click.option(
    "--hide-data",
    is_flag=True,
    help="Leave out windows of the data. Errors over all of them stay.",
)
@json_option
def command(
    what: Path,
    output: Path,
    model: Path | None,
    data: dict[str, Any],
    part: str | None,
    hardware: dict[str, Any],
    clock_hz: float | None,
    kb: Path | None,
    samples: int,
    engine: str,
    noise: int,
    synthesize: bool,
    hide_data: bool,
    report: Report,
) -> None:
    """Write one HTML file that shows a model, a training run, a build or a search.

    The page opens in any browser, without a network. It has the verdict, forecasts beside the
    truth, errors by step, by hour and against every baseline, bits and rounding, the timetable,
    what is taken of the part, energy with sliders, a search's front, and what was verified: each
    where its data are here. A dozen windows of the data are in it: --hide-data leaves them out.

    \b
    bitformer show runs/demo -o report.html
    bitformer show m.safetensors --part lfe5u-25f --clock 60
    bitformer show build/mine --model runs/mine/model.safetensors
    bitformer show runs/search -o search.html
    """
    from bitformer.model.files import ready_file
    from bitformer.report.gather import Asked
    from bitformer.report.page import write_page
    from bitformer.report.sources import page_of
    from bitformer.synth.router import usual_hz

    ready_file(output)
    with progress_bar() as progress:
        asked = Asked(
            data=data,
            clock_hz=clock_hz or usual_hz(part or DEFAULT_PART),
            kb=kb,
            samples=samples,
            engine=engine,
            rows=not hide_data,
            noise=noise,
            synthesis=synthesize,
            note=report.note,
            progress=progress,
        )
        facts = page_of(what, asked, model=model, part=part, hardware=hardware)
    write_page(facts, output)
    for sentence in facts["summary"]["sentences"]:
        report.line(sentence["text"])
    for one in facts["missing"]:
        report.note(f"Not in it: {one['part']}: {one['why']}")
    report.line(f"Page: {output} (open it in a browser)")
    report.data(
        {
            "page": str(output),
            "bytes": output.stat().st_size,
            "kind": facts["kind"],
            "parts": list(facts["parts"]),
            "summary": facts["summary"],
            "missing": facts["missing"],
        }
    )
