"""``bitformer export``: from a training run to an integer model."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .data import read_source
from .options import PATH, output_file_option, ready_file
from .report import Report, json_option

if TYPE_CHECKING:
    from bitformer.model.ir import IntegerModel

__all__ = ["command", "export_to"]


def export_to(run: Path, output: Path) -> "IntegerModel":
    """Write the integer model of a finished run, with the name of its data, to ``output``."""
    from bitformer.model.checkpoint import save_model
    from bitformer.model.export import export_run

    model = export_run(run)
    source = read_source(run)
    if source is not None:
        model = dataclasses.replace(model, meta={**model.meta, "source": source})
    save_model(model, ready_file(output))
    return model


@click.command("export")
@click.argument("run", type=PATH)
@output_file_option
@json_option
def command(run: Path, output: Path, report: Report) -> None:
    """Write the integer model of RUN, the folder of a finished training run.

    \b
    bitformer export runs/mine -o mine.safetensors
    """
    model = export_to(run, output)
    config = model.config
    report.line(f"{output}: {config.name}, {config.macs} MACs an inference")
    report.data({"model": str(output), "run": str(run), "config": config.to_dict()})
