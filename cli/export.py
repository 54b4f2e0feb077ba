"""``bitformer export``: from a training run to an integer model."""

from pathlib import Path

import click

from .options import PATH, output_file_option, ready_file
from .report import Report, json_option

__all__ = ["command"]


@click.command("export")
@click.argument("run", type=PATH)
@output_file_option
@json_option
def command(run: Path, output: Path, report: Report) -> None:
    """Write the integer model of RUN, the folder of a finished training run.

    \b
    bitformer export runs/mine -o mine.safetensors
    """
    from bitformer.model.export import export_to

    model = export_to(run, ready_file(output))
    config = model.config
    report.line(f"{output}: {config.name}, {config.macs} MACs an inference")
    report.data({"model": str(output), "run": str(run), "config": config.to_dict()})
