"""``bitformer evaluate``: the test error of an integer model, beside the baselines."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitformer.cli.options import columns_of, data_options, model_argument
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report, json_option
from bitformer.cli.scores import show_scores

if TYPE_CHECKING:
    import numpy as np

    from bitformer.model.ir import IntegerModel
    from bitformer.model.windows import Dataset

__all__ = ["command"]

#: Windows that Amaranth's simulator is given unless the user says otherwise: it is slow.
SIMULATED = 8


def _simulated(
    model: "IntegerModel", dataset: "Dataset", engine: str, report: Report
) -> "np.ndarray":
    from bitformer.hw.lowering.lower import lower
    from bitformer.model.progress import progress_bar
    from bitformer.sim.run import simulate

    x = model.quantize_input(dataset.test.x)
    with progress_bar() as progress:
        result = simulate(lower(model), x, engine=engine, progress=progress, note=report.note)
    if not result.bit_exact:
        report.note(f"Not bit exact: {result.difference}")
        raise click.exceptions.Exit(1)
    return model.dequantize_output(result.outputs)


@click.command("evaluate")
@model_argument
@data_options
@click.option(
    "--engine",
    type=click.Choice(["integer", "python", "native"]),
    default="integer",
    show_default=True,
    help="The integer reference; or the hardware: in Amaranth's Python simulator (slow), or"
    " compiled by a C++ compiler (a minute to start, then fast).",
)
@click.option(
    "--samples",
    type=COUNT,
    metavar="N",
    help=f"Test windows, evenly spaced [all of them; {SIMULATED} for engine python].",
)
@json_option
def command(
    model: Path,
    data: str | None,
    target: str | None,
    inputs: str | None,
    time: str | None,
    engine: str,
    samples: int | None,
    report: Report,
) -> None:
    """Test error of MODEL beside the baselines, on the data it was trained on unless told others.

    With fewer windows than all, the baselines are scored on the same windows. Engines python and
    native exit with 1 if the hardware differs from the reference in a single bit.

    \b
    bitformer evaluate runs/demo/model.safetensors
    bitformer evaluate runs/demo/model.safetensors --engine native
    bitformer evaluate m.safetensors --data my.csv --target power --time date
    """
    from bitformer.model.checkpoint import load_model
    from bitformer.model.evaluation import Evaluation, mse
    from bitformer.model.own_data import dataset_of, evenly, trained_on
    from bitformer.model.reference import predict

    loaded = load_model(model)
    dataset = dataset_of(loaded, data=data, target=target, inputs=columns_of(inputs), time=time)
    for sentence in dataset.notes:
        report.note(sentence)
    ours = trained_on(loaded)
    scale = (ours.get("target_mean"), ours.get("target_std"))
    if ours and scale != (dataset.target_mean, dataset.target_std):
        report.note(
            f"These are not the data the model was trained on ({ours.get('name')}): they are"
            " scaled by their own training rows"
        )
    if samples is None and engine == "python":
        samples = SIMULATED
    if samples is not None:
        some = dataset.test.take(evenly(samples, len(dataset.test)))
        dataset = dataclasses.replace(dataset, test=some)
    if engine == "integer":
        forecast = predict(loaded, dataset.test.x)
    else:
        forecast = _simulated(loaded, dataset, engine, report)
    scores = Evaluation.of(dataset, {f"{loaded.config.name} ({engine})": mse(forecast, dataset)})
    show_scores(report, scores)
    report.data({"model": str(model), "engine": engine, **scores.to_dict()})
