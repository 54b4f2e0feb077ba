"""Arguments and options that several commands share, and what becomes of them."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.quantity import COUNT, MEGAHERTZ, RATE
from bitformer.cli.report import visible
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.boards.host.client import Client
    from bitformer.hw.design import Design
    from bitformer.model.config import TransformerConfig
    from bitformer.model.ir import IntegerModel

__all__ = [
    "batch_option",
    "clock_option",
    "columns_of",
    "connected",
    "data_options",
    "epochs_options",
    "given",
    "hardware_options",
    "kb_option",
    "load_config",
    "lowered",
    "model_argument",
    "output_file_option",
    "part_option",
    "placements",
    "port_options",
    "ready_file",
    "reloadable_option",
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


PATH = _Path(path_type=Path)
#: More lanes than any known part has multipliers for.
MOST_LANES = 512

Decorator = Callable[[Callable], Callable]


def together(*decorators: Decorator) -> Decorator:
    """Several decorators as one; the first is the first in ``--help``."""

    def decorate(function: Callable) -> Callable:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


model_argument = click.argument("model", type=PATH)

output_file_option = click.option(
    "-o", "--output", type=PATH, required=True, metavar="M.safetensors", help="File to write."
)

part_option = click.option(
    "--part", metavar="PART", help="FPGA to place the stores for: xc7s6 to xc7s100 [xc7s15]."
)

clock_option = click.option(
    "--clock", "clock_mhz", type=MEGAHERTZ, metavar="MHZ", help="Clock in megahertz [100]."
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
        help="Processes; by default one for each core.",
    ),
    click.option(
        "--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers do the work."
    ),
)

hardware_options = together(
    click.option(
        "--lanes",
        type=click.IntRange(1, MOST_LANES),
        metavar="N",
        help="Products a cycle; by default what the part's DSP blocks allow.",
    ),
    click.option(
        "--pack/--no-pack",
        default=True,
        show_default=True,
        help="Two products in a DSP block where weights prove it safe: faster, for more LUTs.",
    ),
    click.option(
        "--place",
        "place",
        multiple=True,
        metavar="STORE=PLACEMENT",
        help="Keep a store in block, distributed, registers or auto; may be repeated.",
    ),
)

reloadable_option = click.option(
    "--reloadable",
    is_flag=True,
    help="Keep the weights writable, and twice, for 'reload' to load others.",
)

port_options = together(
    click.option(
        "--port",
        required=True,
        metavar="P",
        help="Serial port, such as /dev/ttyUSB0 or COM3; or spi:BUS.DEVICE.",
    ),
    click.option("--baud", type=RATE, metavar="B", help="Rate of a serial port [115200]."),
    click.option("--sck", type=RATE, metavar="HZ", help="Clock of an SPI bus [1000000]."),
)


def connected(port: str, baud: int | None, sck: int | None) -> "Client":
    """The shell on the port that the options name."""
    from bitformer.boards.host import ports
    from bitformer.boards.host.client import Client

    rates = {name: rate for name, rate in (("baud", baud), ("sck_hz", sck)) if rate is not None}
    return Client(ports.open_transport(port, **rates))


def _looked_up(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """A name or a path, as it was typed, after the check of paths."""
    if text is not None:
        PATH.convert(text, parameter, context)
    return text


data_options = together(
    click.option(
        "--data",
        callback=_looked_up,
        metavar="NAME|CSV",
        help="etth1, etth2, beijing-air, synthetic, or a CSV file.",
    ),
    click.option("--target", metavar="COLUMN", help="Column to forecast; needed for a CSV file."),
    click.option(
        "--inputs", metavar="A,B", help="Columns the model sees; of a CSV file, the target alone."
    ),
    click.option(
        "--time", metavar="COLUMN", help="Column of times; without it rows count as evenly spaced."
    ),
)

epochs_options = together(
    click.option("--epochs", type=int, metavar="N", help="Most epochs without rounding [12]."),
    click.option("--qat-epochs", type=int, metavar="N", help="Most epochs with rounding [12]."),
)

batch_option = click.option("--batch", type=int, metavar="N", help="Windows of a step [128].")


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}


def ready_file(path: Path) -> Path:
    """``path``, which can be written as far as its folder goes; the folder is made."""
    if path.is_dir():
        raise UserError(f"Output {path} must be a file, not a directory")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Folder {path.parent} cannot be made: {error.strerror}") from None
    return path


def columns_of(inputs: str | None) -> tuple[str, ...] | None:
    """The columns that ``--inputs`` names."""
    if inputs is None:
        return None
    return tuple(name.strip() for name in inputs.split(",") if name.strip())


def placements(place: Sequence[str]) -> dict[str, str]:
    """Stores and placements of ``--place STORE=PLACEMENT``."""
    found: dict[str, str] = {}
    for text in place:
        store, separator, placement = text.partition("=")
        if not separator or not store or not placement:
            raise UserError(f"--place must be STORE=PLACEMENT, not {text!r}")
        if found.get(store, placement) != placement:
            raise UserError(
                f"--place must give store {store} one placement, not {found[store]} and {placement}"
            )
        found[store] = placement
    return found


def lowered(
    model: "IntegerModel",
    *,
    part: str | None,
    lanes: int | None,
    pack: bool,
    place: Sequence[str],
    reloadable: bool = False,
) -> "Design":
    """The model's design with the options of the command line."""
    from bitformer.hw.lowering.lower import lower
    from bitformer.hw.lowering.reload import lower_reloadable
    from bitformer.hw.parts import DEFAULT_PART

    return (lower_reloadable if reloadable else lower)(
        model, part=part or DEFAULT_PART, lanes=lanes, pack=pack, placement=placements(place)
    )


def load_config(name_or_path: str) -> "TransformerConfig":
    """The named configuration, or the one in a JSON file."""
    from bitformer.model.config import TransformerConfig, named_config
    from bitformer.model.strict_json import read_json

    path = Path(name_or_path)
    if path.suffix != ".json":
        return named_config(name_or_path)
    data = read_json(path, "Config file")
    try:
        return TransformerConfig.from_dict(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
