"""``bitformer reload``: new weights for a board, without a new bitstream."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.lowering import lowered
from bitformer.cli.options import (
    PATH,
    connected,
    hardware_options,
    model_argument,
    part_option,
    port_options,
)
from bitformer.cli.report import Report, json_option
from bitformer.model.progress import progress_bar

__all__ = ["command"]


@click.command("reload")
@model_argument
@click.option(
    "--on",
    "built_from",
    type=PATH,
    required=True,
    metavar="M.safetensors",
    help="The model that the bitstream was built from, with --reloadable.",
)
@port_options
@part_option
@hardware_options
@json_option
def command(
    model: Path,
    built_from: Path,
    link: dict[str, Any],
    part: str,
    hardware: dict[str, Any],
    report: Report,
) -> None:
    """Load the weights of MODEL into a board that was built with 'build --reloadable'.

    --on, --part, --lanes, --no-pack, --place and --effort are those of the build. The board goes on
    with its old weights until the new ones are there whole and have passed their golden vectors on
    the chip.
    'train --from RUN --keep-scales' trains weights that fit. Exits with 2, and one sentence, if the
    model needs other hardware or the old weights stay.

    \b
    bitformer build first.safetensors --board sea --reloadable -o build/mine
    bitformer reload second.safetensors --on first.safetensors --port /dev/ttyUSB0
    """
    from bitformer.boards.host.reload import load_model as load_into
    from bitformer.hw.lowering.reload import new_images
    from bitformer.model.checkpoint import load_model
    from bitformer.model.identity import model_hash

    new, first = load_model(model), bitformer.load(built_from)
    design = lowered(first, part=part, reloadable=True, **hardware).lowered
    lowering = {name: hardware[name] for name in ("lanes", "pack")}
    new_images(design, new, **lowering)  # before the port is opened in vain
    with connected(**link) as client, progress_bar() as progress:
        sent = load_into(client, design, new, **lowering, progress=progress)
        resent = client.resent
    report.line(
        f"New weights are live on {link['port']}: {sent} bytes, model {model_hash(new).hex()}"
    )
    report.data(
        {
            "model": str(model),
            "port": link["port"],
            "bytes": sent,
            "resent": resent,
            "model_hash": model_hash(new).hex(),
        }
    )
