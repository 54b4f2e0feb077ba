"""``bitformer init``: a model without training."""

from pathlib import Path

import click

import bitformer
from bitformer.cli.options import output_file_option
from bitformer.cli.quantity import SEED
from bitformer.cli.report import Report, json_option
from bitformer.model.files import ready_file

__all__ = ["command"]


@click.command("init")
@click.argument("config")
@output_file_option
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of weights.")
@json_option
def command(config: str, output: Path, seed: int, report: Report) -> None:
    """Make an untrained integer model of CONFIG: random weights, calibrated on random windows.

    It has the shapes, bits and ranges of a real model, and has learned nothing. CONFIG is tiny,
    taxi-48-12, etth1-96-24, etth1-48-24 (both also -w2a8, -w2a4), etth1-48-24-ed, mixer-96-24,
    mlp-96-24, sense-24-1, strike-25 (classes), grid-N-D-B (N steps, width D, B bits) or a JSON
    file.

    \b
    bitformer init grid-12-32-4 -o grid.safetensors
    """
    from bitformer.model.config import read_config
    from bitformer.model.initialize import initialize

    model = bitformer.Model(initialize(read_config(config), seed))
    model.save(ready_file(output))
    report.line(f"{output}: {model.name}, untrained, seed {seed}, {model.macs} MACs")
    report.data({"model": str(output), "config": model.config.to_dict(), "seed": seed})
