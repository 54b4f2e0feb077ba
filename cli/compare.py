"""``bitformer compare``: training with rounding against rounding alone, over widths."""

import dataclasses
from typing import Any

import click

from bitformer.cli.report import Report, json_option
from bitformer.cli.sections import SectionedCommand
from bitformer.cli.studies import Study, seeds_option, study_options, widths_option
from bitformer.model.precision import UNIFORM, Width

__all__ = ["command"]


@click.command("compare", cls=SectionedCommand)
@study_options
@widths_option("8,6,4,3,2,1", "Bits of weights.")
@click.option("--activations", type=int, default=8, show_default=True, help="Bits of activations.")
@click.option(
    "--precise",
    type=int,
    metavar="BITS",
    help="Bits of first, last and context-attention layers: 8, 16, or 32 for float32.",
)
@click.option(
    "--method",
    "methods",
    type=click.Choice(["qat", "ptq"]),
    multiple=True,
    default=("qat", "ptq"),
    show_default=True,
    help="With training or by calibration alone; may be repeated.",
)
@seeds_option(3)
@json_option
def command(
    widths: tuple[Width, ...],
    activations: int,
    precise: int | None,
    methods: tuple[str, ...],
    seeds: int,
    report: Report,
    **options: Any,
) -> None:
    """Compare quantization-aware training (qat) with post-training quantization (ptq).

    Every width, method and seed is a training; all of one seed start from the same float model.
    DIR keeps what is done: Ctrl-C is safe, and the same command goes on.

    \b
    bitformer compare --data etth1 --config etth1-48-24 --widths 8,4,2 \\
        -o runs/compare
    bitformer compare --data etth1 --config etth1-48-24-ed --precise 32 \\
        --widths 2 -o runs/ed
    """
    from bitformer.model.task import task_for
    from bitformer.study.comparison import comparison_trials, tabulate

    study = Study(report, **options)
    chosen = study.config
    trials = comparison_trials(
        chosen,
        study.source,
        widths=widths,
        methods=methods,
        seeds=range(seeds),
        activations=activations,
        precise=precise,
        settings=study.settings,
    )
    outcomes = study.run(trials)
    rows = tabulate(outcomes)
    test = f"test {task_for(chosen).error_name}"
    report.table(
        ("weights", "method", test, "spread", "against float", "validation", "compression"),
        (
            (
                _weights(row.bits, row.scheme),
                row.method,
                f"{row.test:.5f}",
                f"{row.test_spread:.5f}",
                f"{row.increase:+.1%}",
                f"{row.val:.5f}",
                f"{row.compression_published:.2f}",
            )
            for row in rows
        ),
        title=f"{chosen.name} on {study.data}: mean of {seeds} seed(s)",
        words=2,
    )
    for outcome in outcomes:
        for warning in outcome.warnings:
            report.note(f"{outcome.trial.key}: {warning}")
    report.line(
        "Compression counts linear layers at nominal widths; bitformer info counts every bit."
    )
    report.data(
        {
            "config": chosen.to_dict(),
            "data": study.data,
            "seeds": seeds,
            "rows": [dataclasses.asdict(row) for row in rows],
            "trials": [
                {
                    "key": one.trial.key,
                    "weights": one.trial.config.default.weights,
                    "scheme": one.trial.config.default.scheme,
                    "settings": dict(one.trial.settings),
                    "float_val": one.float_val,
                    "float_test": one.float_test,
                    "val": one.val,
                    "test": one.test,
                    "warnings": one.warnings,
                    "model": str(one.model) if one.model else None,
                }
                for one in outcomes
            ],
        }
    )


def _weights(bits: int | None, scheme: str) -> str:
    if bits is None:
        return "float32"
    return f"{bits} bit" if scheme == UNIFORM else f"{bits} bit, powers of two"
