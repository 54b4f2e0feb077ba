"""``bitformer export``: from a training run to an integer model, or from an old file to a new."""

from pathlib import Path

import click

from bitformer.cli.class_options import reject_option
from bitformer.cli.options import PATH, output_file_option
from bitformer.cli.quantity import Number
from bitformer.cli.report import Report, json_option
from bitformer.model.errors import UserError
from bitformer.model.files import ready_file

__all__ = ["command"]


@click.command("export")
@click.argument("run", type=PATH)
@output_file_option
@reject_option
@click.option(
    "--factor",
    type=Number(1e-3, 1e6),
    metavar="TIMES",
    help="Of a detector: its threshold, as a multiple of the largest score of the rows that it was"
    " trained on [1.5]. A larger one raises fewer false alarms and finds less.",
)
@click.option(
    "--hold",
    type=click.IntRange(0, 65535),
    metavar="WINDOWS",
    help="Of a detector: for how many windows its flag stays up after the last score above the"
    " threshold [0], so that one event is one alarm.",
)
@json_option
def command(
    run: Path,
    output: Path,
    reject: float | None,
    factor: float | None,
    hold: int | None,
    report: Report,
) -> None:
    """Write the integer model of RUN, the folder of a finished training run.

    RUN may also be a model file: the same model is written anew, as today's files are, which carry
    a digest of all that is in them.

    \b
    bitformer export runs/mine -o mine.safetensors
    bitformer export runs/gait -o careful.safetensors --reject 0.05
    bitformer export runs/pump -o pump.safetensors --factor 2 --hold 60
    bitformer export old.safetensors -o new.safetensors
    """
    for name, given in (("reject", reject), ("factor", factor), ("hold", hold)):
        if run.is_file() and given is not None:
            raise UserError(
                f"--{name} must come with the folder of a run, which knows its validation windows,"
                f" not with the file {run}"
            )
    if run.is_file():
        from bitformer.model.checkpoint import read_model, save_model

        model, digest = read_model(run, old=True)
        save_model(model, ready_file(output))
        if not digest:
            report.note(f"{run} has no digest: whether it is as it was saved cannot be told")
    else:
        from bitformer.model.torch_installed import require_torch

        require_torch("Exporting a run")
        from bitformer.model.export import export_to

        path, share = ready_file(output), reject or 0.0
        model = export_to(run, path, reject=share, factor=factor, hold=hold)
    config = model.config
    report.line(f"{output}: {config.name}, {config.macs} MACs an inference")
    report.data({"model": str(output), "run": str(run), "config": config.to_dict()})
