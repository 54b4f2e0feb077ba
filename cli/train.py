"""``bitformer train``: from data to an integer model."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.choice import show_choice
from bitformer.cli.class_options import class_weights_option, reject_option, task_option
from bitformer.cli.judge_options import judge_options
from bitformer.cli.options import (
    PATH,
    baselines_option,
    batch_option,
    epochs_options,
    given,
    training_data_options,
)
from bitformer.cli.quantity import PART
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.scores import show_scores
from bitformer.cli.sections import SectionedCommand, section
from bitformer.cli.sensor_range import range_option, raw_option
from bitformer.model.errors import UserError

__all__ = ["command"]

#: What stands for a picture in the run's folder.
_IN_RUN = Path("RUN/history.png")


def _widths(_context, _parameter, text: str | None) -> tuple[int, ...] | None:
    """Return the widths that ``--lowering`` lists."""
    if text is None or text == "none":
        return None if text is None else ()
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise UserError(f"--lowering must be widths such as 8,4 or none, not {text!r}") from None


def _picture(context: click.Context, _parameter, path: Path | None) -> Path | None:
    """Return the picture's file: in the run's folder where none is named."""
    if path is None or path != _IN_RUN:
        return path
    return Path(context.params["output"]) / "history.png"


@click.command("train", cls=SectionedCommand)
@training_data_options
@section(
    "Model",
    click.option(
        "--config",
        metavar="NAME|FILE.json|auto",
        help="What to start from: tiny, taxi-48-12, etth1-{96,48}-24[-w2a8|-w2a4], etth1-48-24-ed,"
        " {mixer,mlp}-96-24, sense-24-1, strike-25, grid-N-D-B; etth1-96-24-stream or"
        " grid-N-D-B-stream, of which a step takes a patch; or that of a model that"
        " ships ('models'); or a JSON file; auto: choose"
        " window, patch, widths and kind by short trainings [etth1-96-24; sense-24-1 with --sense,"
        " strike-25 for classes].",
    ),
    click.option(
        "--part",
        type=PART,
        metavar="PART",
        help="With --config auto: the FPGA that the model is to fit, xc7s6 to xc7s100 [xc7s15].",
    ),
    task_option,
    click.option("--window", type=int, metavar="STEPS", help="Steps that the model sees."),
    click.option(
        "--horizon",
        type=int,
        metavar="STEPS",
        help="Steps that it forecasts; of a detector, those that it judges at once [the config's; 1"
        " of a detector].",
    ),
    click.option(
        "--patch", type=int, metavar="STEPS", help="Steps in a token; divides the window."
    ),
    click.option(
        "--block",
        type=click.Choice(["attention", "mixer", "mlp"]),
        help="What a layer is: attention or a mixer over tokens, then a feed-forward network; or,"
        " as mlp, the latter alone, most often with --patch as long as --window [the config's].",
    ),
    click.option(
        "--calendar",
        metavar="hour,weekday|none",
        help="What of the time of its last row a window comes with: the hour of the day (tables of"
        " 24 rows), the weekday (7), or both. They cost no multiplication, but rows must have dates"
        " (--time), and the device a clock [as the config says: none].",
    ),
    click.option(
        "--weights",
        metavar="BITS",
        help="Bits of all weights: 1 to 16; 4p: powers of two, 0, 1, 2 and 4 with any sign.",
    ),
    click.option("--activations", type=int, metavar="BITS", help="Bits of activations: 2 to 16."),
    click.option(
        "--precise",
        type=int,
        metavar="BITS",
        help="Bits of the layers kept precise: Linput, Dinput, CMHA, Loutput.",
    ),
    click.option(
        "--name",
        metavar="NAME",
        help="What the model, and what is built from it, is called [after the data, such as"
        " nyc_taxi-value-48-12; a config made for the data keeps its name].",
    ),
)
@section(
    "Training",
    epochs_options,
    click.option("--lr", type=float, help="Peak learning rate without rounding [0.004]."),
    click.option(
        "--qat-lr",
        type=float,
        help="Peak learning rate with rounding [0.0005; 0.004 below 6-bit activations].",
    ),
    batch_option,
    click.option(
        "--dropout",
        type=float,
        help="Probability, without rounding only [0.2 and then 0.05, of which validation chooses;"
        " 0.1 without a linear path].",
    ),
    click.option(
        "--augment",
        metavar="KIND=N,...",
        help="Change training windows a little each time they are seen: noise=0.1 for each value,"
        " in deviations of its column; scale=0.1 for a window; for classes also offset=0.1 for a"
        " column of a window, and shift=1, rows by which it begins earlier or later [nothing].",
    ),
    class_weights_option,
    click.option(
        "--patience",
        type=int,
        metavar="N",
        help="Epochs without a better validation error that end a stage [none do].",
    ),
    click.option(
        "--seed",
        type=int,
        metavar="N",
        help="Of initial weights, order and changes of windows, dropout [0].",
    ),
    click.option(
        "--device", metavar="NAME", help="cpu or cuda; a GPU where there is one by default."
    ),
)
@section(
    "Rounding",
    click.option(
        "--method",
        type=click.Choice(["qat", "ptq"]),
        help="Train with rounding, or only round the trained model [qat].",
    ),
    click.option(
        "--ranges",
        type=click.Choice(["learned", "minmax", "moving-average"]),
        help="Where scales come from [learned].",
    ),
    range_option,
    raw_option,
    click.option(
        "--delta",
        type=int,
        metavar="BITS",
        help="Bits of a window's difference to its last step, if it is subtracted: few, fitted to"
        " the training rows, limit what a jump does to a forecast; 16 hold changes up to 16 times"
        " as large [as other activations].",
    ),
    click.option(
        "--path",
        metavar="BITS",
        help="Bits of the weights of the linear path, beside the network [8].",
    ),
    click.option(
        "--distill",
        type=float,
        metavar="SHARE",
        help="How much of what training with rounding follows is the float model's outputs, 0 to"
        " 1, instead of the data [0].",
    ),
    click.option(
        "--lowering",
        callback=_widths,
        metavar="BITS,BITS",
        help="Widths to train at before those below 4, or none [8,4,2].",
    ),
)
@section(
    "Other runs",
    click.option(
        "--from",
        "float_run",
        type=PATH,
        metavar="RUN",
        help="Start from the float model of another run of the same shape on the same data; a model"
        " with fused queries and keys, also of a run without.",
    ),
    click.option(
        "--keep-scales",
        is_flag=True,
        help="Go on from the quantized model of --from, and train its weights alone, for 'reload'.",
    ),
    click.option(
        "--restart",
        is_flag=True,
        help="Start again, instead of resuming the run in the folder or giving it more epochs.",
    ),
)
@section(
    "Results",
    click.option(
        "-o",
        "--output",
        type=PATH,
        required=True,
        is_eager=True,
        metavar="RUN",
        help="Folder of the run: model.safetensors, history.csv, and what a resumed run needs.",
    ),
    click.option(
        "--plot",
        type=PATH,
        is_flag=False,
        flag_value=_IN_RUN,
        callback=_picture,
        metavar="[FILE]",
        help="Draw loss and validation error by epoch beside the best baseline, as .png, .svg or"
        " .pdf [RUN/history.png].",
    ),
    reject_option,
    judge_options,
    baselines_option,
    json_option,
)
def command(
    data: dict[str, Any],
    judge: dict[str, Any],
    restart: bool,
    output: Path,
    plot: Path | None,
    report: Report,
    **settings: Any,
) -> None:
    """Train a quantized Transformer and write the integer model RUN/model.safetensors.

    \b
    bitformer train --data etth1 -o runs/etth1
    bitformer train --data my.csv --target power --time date \\
        --config etth1-48-24 -o runs/mine
    bitformer train --data my.csv --target power --time date \\
        --config etth1-48-24 --inputs power,wind --window 168 --horizon 12 \\
        --range 0,250 --range wind=0,40 --name plant --plot -o runs/plant
    bitformer train --data my.csv --target power --time date --config auto \\
        -o runs/auto
    bitformer train --data steps.csv --label gait --group person --stride 5 \\
        -o runs/gait
    bitformer train --data air.csv --sense O3 --time time -o runs/ozone
    bitformer train --data adc.csv --target code --raw 12 --config etth1-48-24 \\
        -o runs/node

    A CSV file needs --target, or --sense for a quantity that has no sensor on the device, and, if
    its rows have times, --time. The first 60 % of the rows train, the next 20 % select, the last
    20 % test. Up to 3 lost rows or missing cells in a row take the values before; no window spans a
    longer gap. What cannot be read is refused, with what to type.

    Floats are trained first, then with rounding; the epochs with the least validation error are
    kept. The first line of the result says whether the integer model beats the best baseline,
    ties with it or loses to it, and what to try then: a result, with exit code 0.
    The exit code is 1, with the model written, if rounding costs too much: if the quantized
    model's validation error is over 1.25 times the float one's.

    With --label, or --files, the model tells the class of a window: it is trained by cross entropy,
    and answers with a class's number on the chip. Windows lie in one recording and one class.

    --config auto takes the data's cycle (a day, a week, a year) for windows and patches, trains up
    to eight configurations for seconds each, and chooses by validation among those that fit --part.
    RUN/config.json has the choice, to be named again. --horizon, --window and --patch hold.

    Ctrl-C is safe: the same command resumes the run. With more --epochs or --qat-epochs, it goes on
    from the best models so far, and keeps what is better on validation; training as long from the
    start is another run, by --restart or another -o. Whatever else changes needs another -o.

    With --calendar a model knows what hour it is, and which day: where people or the sun make the
    series, that is often worth more than a longer window. Without dates there is nothing to know.

    A JSON file holds the fields of a configuration; those left out have defaults. An encoder has
    a linear path, unless "linear_path" is false:

    \b
    {"name": "mine", "window": 48, "patch": 4, "horizon": 12, "d_model": 16,
     "heads": 2, "ffn": 32, "default": {"weights": 4, "activations": 8}}
    """
    training = bitformer.Training.run(
        **data,
        **judge,
        **given(settings),
        to=output,
        plot=plot,
        resume=not restart,
        note=report.note,
    )
    if training.choice is not None:
        show_choice(report, training.choice)
    show_scores(report, training.evaluation)
    for one in training.result.continued[-1:]:
        report.note(
            f"The run had {one['epochs']} epochs without and {one['qat_epochs']} with rounding, and"
            " went on from there; --restart begins again"
        )
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
    report.line(f"Epochs: {training.history_file}{'' if plot is None else f', drawn in {plot}'}")
    report.data({**training.to_dict(), "plot": None if plot is None else str(plot)})
    if training.rounding_failure is not None:
        report.note(training.rounding_failure)
        raise click.exceptions.Exit(1)
