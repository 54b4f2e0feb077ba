"""``bitformer export``: a training run as an integer model, an old file as a new one, or QONNX."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.class_options import reject_option
from bitformer.cli.judge_options import judge_options
from bitformer.cli.options import PATH, output_file_option
from bitformer.cli.qonnx_export import asked_for_qonnx, export_qonnx, qonnx_options
from bitformer.cli.report import Report, json_option
from bitformer.model.errors import UserError
from bitformer.model.files import ready_file
from bitformer.model.progress import busy
from bitformer.model.ready.library import ready_path

__all__ = ["command"]


@click.command("export")
@click.argument("run", type=PATH)
@output_file_option
@reject_option
@judge_options
@qonnx_options
@json_option
def command(
    run: Path,
    output: Path,
    reject: float | None,
    judge: dict[str, Any],
    qonnx: dict[str, Any],
    report: Report,
) -> None:
    """Write the integer model of RUN, the folder of a finished training run.

    RUN may also be a model file: the same model is written anew, as today's files are, which carry
    a digest of all that is in them. With --onnx it is written as QONNX: a graph of integers that
    others run and compare tensor by tensor, without this program.

    \b
    bitformer export runs/mine -o mine.safetensors
    bitformer export runs/gait -o careful.safetensors --reject 0.05
    bitformer export runs/pump -o pump.safetensors --smoothing 2 --factor 2 \\
        --hold 60
    bitformer export old.safetensors -o new.safetensors
    bitformer export mine.safetensors --onnx -o mine.onnx --check 50
    """
    for name, given in {"reject": reject, **judge}.items():
        if run.is_file() and given is not None:
            raise UserError(
                f"--{name} must come with the folder of a run, which knows its validation windows,"
                f" not with the file {run}"
            )
    run = run if run.exists() else ready_path(run) or run
    asked, path = asked_for_qonnx(qonnx), ready_file(output)
    if run.is_file():
        from bitformer.model.checkpoint import read_model, save_model

        model, digest = read_model(run, old=True)
        if asked is None:
            save_model(model, path)
        if not digest:
            report.note(f"{run} has no digest: whether it is as it was saved cannot be told")
    else:
        from bitformer.model.torch_installed import require_torch

        require_torch("Exporting a run")
        from bitformer.model.export import deployed, export_to

        answer: dict[str, Any] = {"reject": reject or 0.0, **judge}
        with busy("Exporting the run"):
            model = deployed(run, **answer) if asked is not None else export_to(run, path, **answer)
    if asked is not None:
        export_qonnx(bitformer.Model(model), run, path, asked, report)
        return
    config = model.config
    report.line(f"{output}: {config.name}, {config.macs} MACs an inference")
    report.data({"model": str(output), "run": str(run), "config": config.to_dict()})
