"""Arguments and options that several commands share, each group given as one mapping."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.quantity import COUNT, COUNT_OR_NONE, MEGAHERTZ, PART, RATE
from bitformer.cli.reading_options import CLASS_OPTIONS, FILE_OPTIONS, GROUP_OPTIONS, ROW_OPTIONS
from bitformer.cli.report import visible
from bitformer.cli.sections import FILES, section
from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.boards.host.client import Client

__all__ = [
    "MODEL",
    "baselines_option",
    "batch_option",
    "clock_option",
    "connected",
    "data_options",
    "epochs_options",
    "fitting_options",
    "given",
    "hardware_options",
    "kb_option",
    "model_argument",
    "optional_port_options",
    "output_file_option",
    "part_option",
    "phases_option",
    "port_options",
    "reloadable_option",
    "training_data_options",
    "workers_options",
]


class _Path(click.Path):
    """A path that the system can look up: what is there is the command's to say."""

    def convert(self, value, param, ctx):
        path = super().convert(value, param, ctx)
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self.fail(f"{visible(str(path))}: {error.strerror}", param, ctx)
        return path


class _Model(_Path):
    """A model's file, or the name of one that ships."""

    def shell_complete(self, ctx, param, incomplete):
        from click.shell_completion import CompletionItem

        from bitformer.model.ready.library import ready_names

        names = [CompletionItem(one) for one in ready_names() if one.startswith(incomplete)]
        return [*names, *super().shell_complete(ctx, param, incomplete)]


PATH = _Path(path_type=Path)
#: A file of an integer model: :func:`bitformer.load` knows names as well.
MODEL = _Model(path_type=Path)
#: More lanes than any known part has multipliers for.
MOST_LANES = 512
#: The most token rows.
MOST_ROWS = 8

Decorator = Callable[[Callable], Callable]


def together(*decorators: Decorator) -> Decorator:
    """Make one decorator of several; the first is the first in ``--help``."""

    def decorate(function: Callable) -> Callable:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def grouped(group: str, *options: Decorator) -> Decorator:
    """Make one decorator of options, which gives their values as one mapping called ``group``."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def command(**values: Any) -> Any:
            return function(**{group: {name: values.pop(name) for name in names}}, **values)

        named: Any = together(*options)(lambda: None)
        names = [parameter.name for parameter in named.__click_params__]
        return together(*options)(command)

    return decorate


model_argument = click.argument("model", type=MODEL)

output_file_option = click.option(
    "-o", "--output", type=PATH, required=True, metavar="M.safetensors", help="File to write."
)

part_option = click.option(
    "--part",
    type=PART,
    default=DEFAULT_PART,
    metavar="PART",
    help="FPGA to place the stores for: xc7s6 to xc7s100, lfe5u-25f to -85f [xc7s15].",
)

clock_option = click.option(
    "--clock",
    "clock_hz",
    type=MEGAHERTZ,
    metavar="MHZ",
    help="Clock in megahertz [100; 48 of an ice40up5k].",
)

kb_option = click.option(
    "--kb",
    type=PATH,
    metavar="FILE",
    help="Knowledge base [BITFORMER_KB, or one in your data folder].",
)

workers_options = together(
    click.option(
        "--workers",
        type=COUNT,
        metavar="N",
        help="Processes; by default one for each core, where Dask is installed.",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers do the work."
    ),
)


def _placements(_context, _parameter, place: Sequence[str]) -> dict[str, str]:
    """Return stores and results with their placements, of ``--place NAME=PLACEMENT``."""
    found: dict[str, str] = {}
    for text in place:
        name, _, placement = text.partition("=")
        if not name or not placement:
            raise UserError(f"--place must be NAME=PLACEMENT, of a store or a result, not {text!r}")
        if found.setdefault(name, placement) != placement:
            raise UserError(
                f"--place must give {name} one placement, not {found[name]} and {placement}"
            )
    return found


def _lut_lanes(_context, _parameter, text: str | None) -> int | str | None:
    """Return the number of ``--lut-lanes``, or ``auto``; what is neither is told as it is."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else text


def _rows(_context: click.Context, _parameter: click.Parameter, text: str) -> int | str:
    """Return a number of token rows, or what else was asked for: lowering knows ``auto``."""
    return int(text) if text.isascii() and text.isdigit() else text


_FITTING = (
    click.option(
        "--lanes",
        type=click.IntRange(1, MOST_LANES),
        metavar="N",
        help="Products a cycle; by default what the part's DSP blocks allow.",
    ),
    click.option(
        "--rows",
        callback=_rows,
        default="1",
        metavar="N|auto",
        help="Rows of tokens that the engine has side by side: 1, 2, 4, 8, or the fastest [1].",
    ),
    click.option(
        "--posts",
        type=click.IntRange(1, MOST_ROWS),
        default=1,
        metavar="N",
        help="Post-processors, each for its share of these rows; auto rows choose them [1].",
    ),
    click.option(
        "--pack/--no-pack",
        default=True,
        show_default=True,
        help="Two products in a DSP block where weights prove it safe: faster, for more LUTs.",
    ),
    click.option(
        "--place",
        "placement",
        multiple=True,
        callback=_placements,
        metavar="NAME=PLACEMENT",
        help="Keep a store, or an intermediate result such as layers.0.q apart from its store, in"
        " block, distributed, registers or auto; results=auto: each where it takes least; may be"
        " repeated.",
    ),
)

#: Arguments of :func:`bitformer.lower` that say how a design fits a part.
fitting_options = grouped("hardware", *_FITTING)

phases_option = click.option(
    "--phases",
    type=COUNT,
    default=1,
    metavar="N",
    help="Of a stream, rings for so many that take steps in turn: as many as a patch has steps"
    " for a forecast at each step, for so many times the memory of rings [1].",
)

#: These and what a design of the same size can be better by.
hardware_options = grouped(
    "hardware",
    *_FITTING,
    click.option(
        "--lut-lanes",
        callback=_lut_lanes,
        metavar="N|auto",
        help="Products a cycle of LUTs beside those: for packed layers; auto takes what is free.",
    ),
    click.option(
        "--effort",
        type=click.IntRange(0, 1_000_000),
        default=0,
        metavar="N",
        help="Orders of the rows to try for one of fewer cycles; 1000 gain some 1 to 5 % [0].",
    ),
    phases_option,
)

reloadable_option = click.option(
    "--reloadable",
    is_flag=True,
    help="Keep the weights writable, and twice, for 'reload' to load others.",
)


def _port_options(*, required: bool, otherwise: str = "") -> Decorator:
    return grouped(
        "link",
        click.option(
            "--port",
            required=required,
            metavar="P",
            help="Serial port, such as /dev/ttyUSB0 or COM3; or spi:BUS.DEVICE." + otherwise,
        ),
        click.option("--baud", type=RATE, metavar="B", help="Rate of a serial port [115200]."),
        click.option(
            "--sck", "sck_hz", type=RATE, metavar="HZ", help="Clock of an SPI bus [1000000]."
        ),
    )


#: Arguments of :func:`connected`.
port_options = _port_options(required=True)
optional_port_options = _port_options(
    required=False, otherwise=" The board computes, instead of this machine."
)


def connected(port: str, **rates: int | None) -> "Client":
    """Connect to the shell on the port that the options name."""
    from bitformer.boards.host import ports
    from bitformer.boards.host.client import Client

    return Client(ports.open_transport(port, **given(rates)))


def _looked_up(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return a name or a path as it was typed, after the check of paths."""
    if text is not None:
        PATH.convert(text, parameter, context)
    return text


def _targets(
    context: click.Context, parameter: click.Parameter, names: tuple[str, ...]
) -> str | tuple[str, ...] | None:
    """Return the only text as it was typed, which may be a list, or several, which are names."""
    return names if len(names) > 1 else names[0] if names else None


_DATA_OPTIONS = (
    click.option(
        "--data",
        callback=_looked_up,
        metavar="NAME|CSV|FOLDER",
        help="nyc-taxi, etth1, etth2, beijing-air, metro-traffic, synthetic; strikewatch, which has"
        " classes; skab, machine-temperature, ambient-temperature, ec2-request-latency,"
        " art-daily-flatmiddle, art-daily-jumpsup; a CSV file, or a folder (--files).",
    ),
    click.option(
        "--target",
        multiple=True,
        callback=_targets,
        metavar="A,B|all",
        help="Column to forecast, or several, each of which has forecasts of its own: A,B, one with"
        " a comma quoted, or the option again; all: each column of numbers but the times. Training"
        " on a CSV file needs it, or --label or --sense [of a model, its own].",
    ),
    click.option(
        "--inputs",
        metavar="A,B|all",
        help="Columns the model sees, one with a comma quoted as in '\"Power, kW\",load'; all:"
        " each column of numbers but the times [the targets alone; of a model, its own].",
    ),
)
_ANOMALY_OPTION = click.option(
    "--anomaly",
    metavar="COLUMN",
    help="Column that marks the rows of anomalies by 1 and 0, or true and false: a detector is"
    " scored by it. Nothing is learned of the marks.",
)
_SENSE_OPTIONS = (
    click.option(
        "--sense",
        metavar="COLUMN",
        help="A virtual sensor, instead of --target: tell this column, for the window's last row,"
        " from the others (all of numbers, or --inputs). The device never sees it.",
    ),
    click.option(
        "--ahead",
        type=COUNT_OR_NONE,
        metavar="ROWS",
        help="Rows from the window's last to the first that is forecast: 1 is the next, 0 the last"
        " itself, of a target that is no input; a detector with 0 reconstructs it [1; 0 with"
        " --sense].",
    ),
)
_FILE_SECTION = section(FILES, *FILE_OPTIONS, *ROW_OPTIONS)
#: A data set, as arguments of functions that load one for a model that is there.
data_options = grouped(
    "data",
    section("Data", *_DATA_OPTIONS, _ANOMALY_OPTION),
    section("Classes", *CLASS_OPTIONS),
    _FILE_SECTION,
)
#: The same for models that are to be trained.
training_data_options = grouped(
    "data",
    section("Data", *_DATA_OPTIONS, *_SENSE_OPTIONS, _ANOMALY_OPTION),
    section("Classes", *CLASS_OPTIONS, *GROUP_OPTIONS),
    _FILE_SECTION,
)

epochs_options = together(
    click.option(
        "--epochs",
        type=int,
        metavar="N",
        help="Most epochs without rounding [12 to 40: the more, the fewer windows].",
    ),
    click.option(
        "--qat-epochs",
        type=int,
        metavar="N",
        help="Most epochs with rounding [8 to 20, in the same way].",
    ),
)

batch_option = click.option(
    "--batch",
    type=int,
    metavar="N",
    help="Windows of a step [16, 32, 64 or 128: about a 64th of the training windows].",
)


baselines_option = click.option(
    "--baselines",
    type=click.Choice(["simple", "all"]),
    default="simple",
    show_default=True,
    help="What the model has to beat. simple: repeats and regressions, in a moment. all: also an"
    " MLP of as many MACs, in floats, and LightGBM where it is installed, trained on the same"
    " windows in a minute or two, once: the forecasts are kept.",
)


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}
