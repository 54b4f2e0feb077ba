"""``bitformer sensitivity``: what rounding each component costs."""

from pathlib import Path
from typing import Any

import click

from bitformer.cli.options import PATH
from bitformer.cli.report import Report, json_option
from bitformer.cli.sections import SectionedCommand
from bitformer.cli.studies import Study, seeds_option, study_options, widths_option
from bitformer.model.files import ready_file
from bitformer.model.precision import Width

__all__ = ["command"]


@click.command("sensitivity", cls=SectionedCommand)
@study_options
@widths_option("8,6,4,3,2", "Bits of a component's weights and activations.")
@click.option(
    "--method",
    type=click.Choice(["ptq", "qat"]),
    default="ptq",
    show_default=True,
    help="By calibration alone, in seconds each, or with training.",
)
@seeds_option(1)
@click.option("--plot", type=PATH, metavar="FILE", help="Draw the table: .png, .svg or .pdf.")
@json_option
def command(
    widths: tuple[Width, ...],
    method: str,
    seeds: int,
    plot: Path | None,
    report: Report,
    **options: Any,
) -> None:
    """Quantize each component alone at each width, and spare each alone from the lowest.

    Errors are those of validation windows, so that a search may use them. DIR keeps what is done:
    Ctrl-C is safe, and the same command goes on.

    \b
    bitformer sensitivity --data etth1 -o runs/sensitivity --plot sensitivity.png
    bitformer sensitivity --data etth1 --widths 8,4,2 --method qat --seeds 3 \\
        -o runs/sensitivity
    """
    from bitformer.study.sensitivity import sensitivity_trials, tabulate

    study = Study(report, **options)
    chosen = study.config
    if plot is not None:
        ready_file(plot)
    trials = sensitivity_trials(
        chosen,
        study.source,
        widths=widths,
        method=method,
        seeds=range(seeds),
        settings=study.settings,
    )
    outcomes = study.run(list(trials.values()))
    result = tabulate(dict(zip(trials, outcomes, strict=True)))
    report.table(
        ("component", *(f"{bits} bit" for bits in widths), f"spared from {result.low_bits} bit"),
        (
            (
                name,
                *(f"{errors[bits] / result.base - 1:+.1%}" for bits in widths),
                f"{result.spared[name] / result.base - 1:+.1%}",
            )
            for name, errors in result.alone.items()
        ),
        title=(
            f"{chosen.name} on {study.data}, {method}: validation error over the float model's"
            f" {result.base:.5f}, one component rounded"
        ),
    )
    report.line(
        f"Everything at {result.low_bits} bit: {result.low / result.base - 1:+.1%}. The last column"
        " keeps one component in float32 there."
    )
    if plot is not None:
        from bitformer.study.sensitivity_plot import plot_sensitivity

        plot_sensitivity(result, plot)
        report.line(f"Picture: {plot}")
    report.data(
        {
            "config": chosen.to_dict(),
            "data": study.data,
            "method": method,
            "seeds": seeds,
            "float_val": result.base,
            "alone": result.alone,
            "low_bits": result.low_bits,
            "low": result.low,
            "spared": result.spared,
        }
    )
