"""``bitformer export``: from a training run to an integer model, or from an old file to a new."""

from pathlib import Path
from typing import Any

import click

from bitformer.cli.class_options import reject_option
from bitformer.cli.judge_options import judge_options
from bitformer.cli.options import PATH, output_file_option
from bitformer.cli.report import Report, json_option
from bitformer.model.errors import UserError
from bitformer.model.files import ready_file

__all__ = ["command"]


@click.command("export")
@click.argument("run", type=PATH)
@output_file_option
@reject_option
@judge_options
@json_option
def command(
    run: Path,
    output: Path,
    reject: float | None,
    judge: dict[str, Any],
    report: Report,
) -> None:
    """Write the integer model of RUN, the folder of a finished training run.

    RUN may also be a model file: the same model is written anew, as today's files are, which carry
    a digest of all that is in them.

    \b
    bitformer export runs/mine -o mine.safetensors
    bitformer export runs/gait -o careful.safetensors --reject 0.05
    bitformer export runs/pump -o pump.safetensors --smoothing 2 --factor 2 --hold 60
    bitformer export old.safetensors -o new.safetensors
    """
    for name, given in {"reject": reject, **judge}.items():
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
        model = export_to(run, path, reject=share, **judge)
    config = model.config
    report.line(f"{output}: {config.name}, {config.macs} MACs an inference")
    report.data({"model": str(output), "run": str(run), "config": config.to_dict()})
