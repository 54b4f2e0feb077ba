"""``bitformer train``: from data to an integer model."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.options import PATH, batch_option, data_options, epochs_options, given
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.scores import show_scores
from bitformer.cli.sensor_range import range_option
from bitformer.model.errors import UserError

__all__ = ["command"]


def _widths(_context, _parameter, text: str | None) -> tuple[int, ...] | None:
    """Return the widths that ``--lowering`` lists."""
    if text is None or text == "none":
        return None if text is None else ()
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise UserError(f"--lowering must be widths such as 8,4 or none, not {text!r}") from None


@click.command("train")
@data_options
@click.option(
    "--config",
    default="etth1-96-24",
    show_default=True,
    metavar="NAME|FILE.json",
    help="tiny, etth1-{96,48}-24[-w2a8|-w2a4], etth1-48-24-ed, grid-N-D-B, or a JSON file.",
)
@click.option("--window", type=int, metavar="STEPS", help="Steps that the model sees.")
@click.option("--horizon", type=int, metavar="STEPS", help="Steps that it forecasts.")
@click.option("--patch", type=int, metavar="STEPS", help="Steps in a token; divides the window.")
@click.option("--weights", type=int, metavar="BITS", help="Bits of all weights: 1 to 16.")
@click.option("--activations", type=int, metavar="BITS", help="Bits of activations: 2 to 16.")
@click.option(
    "--precise",
    type=int,
    metavar="BITS",
    help="Bits of the layers kept precise: Linput, Dinput, CMHA, Loutput.",
)
@click.option(
    "--method",
    type=click.Choice(["qat", "ptq"]),
    help="Train with rounding, or only round the trained model [qat].",
)
@click.option(
    "--ranges",
    type=click.Choice(["learned", "minmax", "moving-average"]),
    help="Where scales come from [learned].",
)
@click.option(
    "--lowering",
    callback=_widths,
    metavar="BITS,BITS",
    help="Widths to train at before those below 4, or none [8,4,2].",
)
@click.option(
    "--from",
    "float_run",
    type=PATH,
    metavar="RUN",
    help="Start from the float model of another run of the same shape on the same data.",
)
@click.option(
    "--keep-scales",
    is_flag=True,
    help="Go on from the quantized model of --from, and train its weights alone, for 'reload'.",
)
@range_option
@epochs_options
@click.option("--lr", type=float, help="Peak learning rate without rounding [0.004].")
@click.option(
    "--qat-lr",
    type=float,
    help="Peak learning rate with rounding [0.0005; 0.004 below 6-bit activations].",
)
@batch_option
@click.option("--dropout", type=float, help="Probability, without rounding only [0.1].")
@click.option("--patience", type=int, metavar="N", help="Epochs without gain that end it [12].")
@click.option("--seed", type=int, help="Of weights and order of windows [0].")
@click.option("--device", metavar="NAME", help="cpu or cuda; a GPU where there is one by default.")
@click.option("--restart", is_flag=True, help="Start again instead of resuming the run.")
@click.option("-o", "--output", type=PATH, required=True, metavar="RUN", help="Folder of the run.")
@json_option
def command(
    data: dict[str, Any], restart: bool, output: Path, report: Report, **settings: Any
) -> None:
    """Train a quantized Transformer and write the integer model RUN/model.safetensors.

    Floats first, then with rounding. Ctrl-C is safe: the same command resumes the run. Of the rows
    of a CSV file the first 60 % train, the next 20 % select, the last 20 % test. Up to 3 missing
    cells in a row take the value before; longer gaps are left out, and no window spans one. Times
    that repeat or go back, and cells that are no numbers, are refused.

    Exits with 1, with the model written, if rounding costs too much: if the quantized model's
    validation error is over 1.25 times the float one's.

    \b
    bitformer train --data etth1 -o runs/etth1
    bitformer train --data my.csv --target power --inputs power,wind --time date \\
        --window 48 --horizon 12 --weights 4 --range 0,250 --range wind=0,40 -o runs/mine

    A JSON file holds the fields of a configuration; those left out have defaults:

    \b
    {"name": "mine", "window": 48, "patch": 4, "horizon": 12, "d_model": 16, "heads": 2,
     "ffn": 32, "default": {"weights": 4, "activations": 8}}
    """
    training = bitformer.Training.run(
        **data, **given(settings), to=output, resume=not restart, note=report.note
    )
    show_scores(report, training.evaluation)
    for sentence in training.result.warnings:
        report.note(f"Dead range: {sentence}")
    for sentence in training.clipped_sentences:
        report.note(sentence)
    done = f"Trained in {training.result.seconds:.0f} s."
    if training.model is not None:
        report.note(training.coverage_sentence)
        report.line(f"{done} Integer model: {training.model.path}")
        report.line(f"Next: {command_line('simulate', training.model.path)}")
    else:
        report.line(f"{done} No integer model: parts are kept in floats")
    report.data(training.to_dict())
    if training.rounding_failure is not None:
        report.note(training.rounding_failure)
        raise click.exceptions.Exit(1)
