"""``bitformer noise``: what rounding does to each tensor, and which tensor costs most."""

import math
from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.options import PATH, data_options
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report, json_option
from bitformer.cli.sections import SectionedCommand
from bitformer.model.progress import progress_bar

__all__ = ["command"]


@click.command("noise", cls=SectionedCommand)
@click.argument("model", type=PATH, metavar="MODEL|RUN")
@data_options
@click.option(
    "--samples",
    type=COUNT,
    default=512,
    show_default=True,
    metavar="N",
    help="Test windows to look at, evenly spaced.",
)
@click.option("--plot", type=PATH, metavar="FILE", help="Draw the table: .png, .svg or .pdf.")
@json_option
def command(
    model: Path,
    data: dict[str, Any],
    samples: int,
    plot: Path | None,
    report: Report,
) -> None:
    """Show the noise that rounding adds to each tensor of MODEL, and the one that costs most.

    Test windows are computed in integers, and in floats with the same weights. The ratio of a
    tensor's signal to its noise is in decibels, of which a bit gives 6: "alone" where only this
    tensor is rounded, "all" where everything is. The tensor that costs most is the one whose
    rounding, alone, changes the forecast most. Of a RUN, the folder of a training, "trained"
    compares the integers with the float model that the training began with.

    \b
    bitformer noise runs/demo/model.safetensors
    bitformer noise runs/demo --plot noise.png

    Give a tensor more bits in a JSON file of the configuration, and train that:
    "tensors": {"layers.0.hidden": 6}. What bits of weights cost is what 'sensitivity' measures:
    training chose those integers, so they are no noise here.
    """
    loaded = bitformer.load(model / "model.safetensors" if model.is_dir() else model)
    with progress_bar() as progress:
        found = loaded.noise(
            **data,
            samples=samples,
            run=model if (model / "run.json").is_file() else None,
            plot=plot,
            note=report.note,
            progress=progress,
        )
    trained = any(one.trained is not None for one in found.tensors)
    shares = found.shares
    report.table(
        (
            *("tensor", "bits", "alone", "all"),
            *(("trained",) if trained else ()),
            *("clipped", "forecast", "share"),
        ),
        (
            (
                one.name,
                one.bits,
                _decibels(one.own),
                _decibels(one.total),
                *((_decibels(one.trained),) if trained else ()),
                f"{one.clipped:.1%}" if one.clipped else "",
                f"{one.forecast:.2e}",
                f"{shares[one.name]:.0%}",
            )
            for one in found.tensors
        ),
        title=(
            f"{loaded.name}, {found.windows} test windows: signal to quantization noise in dB, and"
            " change of the forecast (mean square)"
        ),
    )
    report.line(
        f"Test MSE {found.mse:.5f} with nothing rounded but the weights, {found.integer_mse:.5f} in"
        f" integers; the forecasts differ by {found.forecast:.2e} (mean square)."
    )
    report.line(f"{found}.")
    if plot is not None:
        report.line(f"Picture: {plot}")
    report.data(
        {
            "model": str(loaded.path),
            **found.to_dict(),
            "plot": None if plot is None else str(plot),
        }
    )


def _decibels(ratio: float | None) -> str:
    if ratio is None or math.isinf(ratio):
        return "" if ratio is None else "exact" if ratio > 0 else "none"
    return f"{ratio:.1f}"
