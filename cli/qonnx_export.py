"""``bitformer export --onnx``: its options, and what is shown of the graph."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.options import PATH, grouped
from bitformer.cli.quantity import COUNT, SEED
from bitformer.cli.report import Report
from bitformer.model.errors import UserError
from bitformer.model.progress import progress_bar

__all__ = ["asked_for_qonnx", "export_qonnx", "qonnx_options"]

#: Whether QONNX is asked for, and how, as ``qonnx``; None stands for what is not given.
qonnx_options = grouped(
    "qonnx",
    click.option(
        "--onnx",
        is_flag=True,
        help="Write a QONNX graph instead, whose input is a window of integers as the chip takes"
        " it, and whose tensors are the model's, by their names. Needs"
        " pip install 'bitformer[onnx]'.",
    ),
    click.option(
        "--check",
        type=COUNT,
        metavar="WINDOWS",
        help="With --onnx: run the file that was written by QONNX's own executor on so many windows"
        " of the model's own data (random ones of an untrained model), and compare each number of"
        " each tensor with the reference; exits with 1 if one differs.",
    ),
    click.option(
        "--tensors",
        type=PATH,
        metavar="FILE.npz",
        help="With --check: write the windows and all tensors of the reference, for others to"
        " compare theirs with.",
    ),
    click.option(
        "--seed", type=SEED, metavar="N", help="With --check: of windows that are random [0]."
    ),
    click.option(
        "--opset",
        type=click.IntRange(1, 9999),
        metavar="N",
        help="With --onnx: version of ONNX's operators [13, the oldest that does].",
    ),
)


def asked_for_qonnx(options: dict[str, Any]) -> dict[str, Any] | None:
    """Return the options that were given of a QONNX graph; None where none is asked for."""
    given = {name: value for name, value in options.items() if name != "onnx" and value is not None}
    if options["onnx"]:
        for name in {"tensors", "seed"} & set(given):
            if "check" not in given:
                raise UserError(f"--{name} must come with --check, whose windows it is for")
        return given
    for name in given:
        raise UserError(f"--{name} must come with --onnx, whose graph it is for")
    return None


def export_qonnx(
    model: "bitformer.Model", run: Path, output: Path, options: dict[str, Any], report: Report
) -> None:
    """Write a model as QONNX, and say what came of it; exit with 1 where a number differs."""
    with progress_bar() as progress:
        graph = model.to_onnx(output, **options, note=report.note, progress=progress)
    report.line(
        f"{output}: {model.name} as QONNX, opset {graph.opset}: {graph.nodes} nodes,"
        f" {graph.bytes} bytes, from {graph.input} to {graph.output}"
    )
    found = graph.witness
    if found is not None and found.equal:
        report.line(
            f"Equal in QONNX's executor: {found.windows} window(s) ({graph.source}),"
            f" {len(found.tensors)} tensors, {found.numbers} numbers"
        )
        if graph.tensors is not None:
            report.line(f"The windows, and all tensors of the reference: {graph.tensors}")
    elif found is not None:
        report.line(f"Not equal in QONNX's executor: {found.difference}")
    report.data({"run": str(run), "config": model.config.to_dict(), **graph.to_dict()})
    if found is not None and not found.equal:
        raise click.exceptions.Exit(1)
