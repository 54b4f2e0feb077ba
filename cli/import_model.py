"""``bitformer import``: from a trained model of PyTorch or Hugging Face to an integer model."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.class_options import class_weights_option, reject_option
from bitformer.cli.options import (
    PATH,
    baselines_option,
    batch_option,
    given,
    training_data_options,
)
from bitformer.cli.report import Report, command_line, json_option
from bitformer.cli.scores import show_scores
from bitformer.cli.sections import SectionedCommand, section

__all__ = ["command"]


@click.command("import", cls=SectionedCommand)
@click.argument("path", type=PATH)
@training_data_options
@section(
    "Model",
    click.option(
        "--scaling",
        multiple=True,
        metavar="data|none|[COLUMN=]MEAN:DEVIATION",
        help="What the model was trained on. data: values standardised by the training rows' mean"
        " and deviation; none: values in the file's units; or the mean and the deviation that were"
        " used, of the only column or, repeated, of each [data].",
    ),
    click.option(
        "--channel",
        type=click.IntRange(0, 9999),
        metavar="N",
        help="Of a PatchTST with an embedding for each channel (share_embedding false), which one,"
        " from 0 on.",
    ),
    click.option(
        "--weights",
        metavar="BITS",
        help="Bits of all weights: 1 to 16; 4p: powers of two, 0, 1, 2 and 4 with any sign [8].",
    ),
    click.option(
        "--activations", type=int, metavar="BITS", help="Bits of activations: 2 to 16 [8]."
    ),
    click.option(
        "--precise",
        type=int,
        metavar="BITS",
        help="Bits of the first and the last layer [as --weights].",
    ),
    click.option(
        "--name", metavar="NAME", help="What the model, and what is built from it, is called."
    ),
)
@section(
    "Rounding",
    click.option(
        "--method",
        type=click.Choice(["qat", "ptq"]),
        help="Fine-tune with rounding, or calibrate alone [qat].",
    ),
    click.option(
        "--qat-epochs",
        type=int,
        metavar="N",
        help="Most epochs with rounding [8 to 20: the more, the fewer windows].",
    ),
    click.option(
        "--qat-lr",
        type=float,
        help="Peak learning rate with rounding [0.0005; 0.004 below 6-bit activations].",
    ),
    batch_option,
    click.option(
        "--distill",
        type=float,
        metavar="SHARE",
        help="How much of what training with rounding follows is the imported model's outputs, 0 to"
        " 1, instead of the data [0].",
    ),
    click.option(
        "--ranges",
        type=click.Choice(["learned", "minmax", "moving-average"]),
        help="Where scales come from [learned].",
    ),
    class_weights_option,
    click.option(
        "--patience",
        type=int,
        metavar="N",
        help="Epochs without a better validation error that end a stage [none do].",
    ),
    click.option("--seed", type=int, metavar="N", help="Of the order of windows [0]."),
    click.option(
        "--device", metavar="NAME", help="cpu or cuda; a GPU where there is one by default."
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
        metavar="RUN",
        help="Folder of the run: model.safetensors, history.csv, and what a resumed run needs.",
    ),
    reject_option,
    baselines_option,
    json_option,
)
def command(
    path: Path,
    data: dict[str, Any],
    scaling: tuple[str, ...],
    channel: int | None,
    restart: bool,
    output: Path,
    report: Report,
    **settings: Any,
) -> None:
    """Round a trained model from elsewhere on your data, and write RUN/model.safetensors.

    \b
    bitformer import checkpoints/patchtst --data my.csv --target power \\
        --time date -o runs/mine
    bitformer import encoder/ --data my.csv --target power --inputs power,wind \\
        --time date --weights 4 --scaling power=17.2:9.1 --scaling wind=4.4:2.0 \\
        -o runs/encoder
    bitformer import checkpoints/patchtst --data my.csv --target power \\
        --method ptq -o runs/ptq

    PATH is a folder with model.safetensors and config.json, or a safetensors file with config.json
    beside it: Hugging Face's PatchTST (PatchTSTForPrediction, PatchTSTForClassification) as
    save_pretrained writes it, or a torch.nn.TransformerEncoder with a linear layer before and one
    behind it, whose state_dict safetensors.torch.save_file writes. The latter's config.json:

    \b
    {"model_type": "torch.nn.TransformerEncoder", "window": 96, "inputs": 1,
     "horizon": 24, "patch": 8, "nhead": 2, "norm_first": false,
     "activation": "relu", "position": "sinusoidal", "pooling": "flatten"}

    A module that is in memory goes by bitformer.from_torch in Python, and needs no config.json.

    What the hardware has no unit for is refused by its name, with what would replace it. The run is
    one as 'train' makes it: the first line of the table is the model as it came, then rounded; the
    rest of the commands take RUN/model.safetensors. Rows are split 60 % to train, 20 % to select,
    20 % to test. Ctrl-C is safe: the same command resumes.
    The exit code is 1, with the model written, if rounding costs too much: if the quantized model's
    validation error is over 1.25 times the float one's.
    """
    from bitformer.model.torch_installed import require_torch

    require_torch("An import")
    from bitformer.model.imports.files import from_files
    from bitformer.model.imports.units import read_scales

    training = bitformer.Training.of_import(
        from_files(path, channel=channel),
        **data,
        **given(settings),
        scaling=read_scales(scaling),
        to=output,
        resume=not restart,
        note=report.note,
    )
    show_scores(report, training.evaluation)
    for sentence in (*training.result.warnings, *training.clipped_sentences):
        report.note(sentence)
    done = f"Rounded in {training.result.seconds:.0f} s."
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
