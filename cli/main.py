"""The ``bitformer`` command: loads the subcommand that is asked for, and says what went wrong.

Exit codes: 0 done, 1 a check failed, 2 a mistake of the user's, 130 interrupted. A mistake is one
sentence on the standard error. Anything unexpected keeps its traceback: it is a defect.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from bitformer.cli.entry import main
from bitformer.cli.interrupt import INTERRUPTED, ctrl_c
from bitformer.cli.report import visible
from bitformer.model.alike import meant
from bitformer.model.errors import UserError
from bitformer.model.files import is_of_disk, unwritable

__all__ = ["cli", "main"]

#: Letters of a sentence.
LONGEST = 600

#: Subcommands by section, with the line that ``--help`` shows. Their modules are loaded when used.
SECTIONS = {
    "Start here": {
        "demo": "The whole job on real data: train, check, estimate, build.",
        "models": "Trained models to start from, each with a card.",
        "tools": "Which tools are here, what each is for, how to get the others.",
    },
    "Your data, a model": {
        "train": "Train a quantized Transformer on a data set or a CSV file.",
        "evaluate": "Errors on test windows, or of new data, beside the baselines'.",
        "predict": "Answer for a file's newest rows: here or on a board.",
        "info": "Show what an integer model holds.",
        "show": "A model, run, build or search as one page to look at.",
        "import": "Round a trained model of PyTorch or Hugging Face on a CSV file.",
        "export": "Write a finished run as an integer model, or as QONNX.",
    },
    "A model, a board": {
        "boards": "List the boards.",
        "estimate": "Cycles, resources and energy on a part, before synthesis.",
        "simulate": "Run the accelerator; compare every tensor bit for bit.",
        "build": "Make a board's project, and its bitstream where the tools are.",
        "report": "What the tools say of a build, and whether it is good; energy.",
        "bundle": "A model, its design, its build and its proof in one file.",
        "verify": "Check a bundle: is it the same here, to the bit?",
        "program": "Load a bitstream into a board, through openFPGALoader.",
        "host": "The driver for firmware, in MicroPython or C.",
        "reload": "New weights for a board, without a new bitstream.",
    },
    "A model that fits": {
        "search": "Models for a part, limits and data: trained, proved, ready.",
        "doctor": "What a model takes too much of, the cheapest ways to fit.",
        "compare": "Training with rounding against rounding alone, over widths.",
        "sensitivity": "What rounding each component costs, what sparing it gains.",
        "noise": "How much rounding disturbs each tensor, which costs most.",
    },
    "Hardware by itself": {
        "init": "Make an untrained integer model, for hardware work.",
        "elaborate": "Write the accelerator as Verilog.",
        "synthesize": "LUTs, memories, DSPs and logic depth, measured with Yosys.",
        "profile": "Measure designs for the base that estimates are fitted on.",
        "kb": "Show, merge and export that knowledge base.",
    },
    "This program": {
        "completion": "Let your shell complete commands, options and names.",
    },
}
#: Modules that are not called like their command.
MODULES = {"report": "build_report", "import": "import_model"}
COMMANDS = {name: text for section in SECTIONS.values() for name, text in section.items()}


class CommandLine(click.Group):
    """A group whose subcommands live in modules, of the same name as a rule, as ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"bitformer.cli.{MODULES.get(cmd_name, cmd_name)}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {name!r}{meant(name, COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command line and exit with its code."""
        try:
            code = self._run(*args, **extra)
        except BaseException:
            if not ctrl_c.pressed:
                raise
            code = _interrupted()
        sys.exit(code)

    def _run(self, args: Sequence[str] | None = None, **extra: Any) -> int:
        """Run a command line; its exit code."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, **extra)
            sys.stdout.flush()  # here, where a full disk can still be told
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = error.exit_code
        except click.ClickException as error:
            code = _refuse(_sentence(error), error.exit_code)
        except UserError as error:
            code = _refuse(str(error), 2)
        except OSError as error:
            if not is_of_disk(error):
                raise
            code = _refuse(str(unwritable(error.filename or "The output", error)), 2)
            _forget_output()
        except (click.Abort, KeyboardInterrupt):
            code = _interrupted()
        return code if isinstance(code, int) else 0


def _refuse(sentence: str, code: int) -> int:
    """Print the sentence; of one that shows what is too long, the middle is left out."""
    if ctrl_c.pressed:  # which is why
        return _interrupted()
    text = visible(" ".join(sentence.split()))
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    click.echo(f"Error: {text}", err=True)
    return code


def _forget_output() -> None:
    """Drop what a full disk refused: Python would try it again, and fail in its own words."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    own = sys.__stdout__
    if own is not None and sys.stdout is own:
        os.dup2(os.open(os.devnull, os.O_WRONLY), own.fileno())


def _interrupted() -> int:
    click.echo("Interrupted", err=True)
    return INTERRUPTED


def _sentence(error: click.ClickException) -> str:
    """Return what click has to say, and where to read on."""
    text = error.format_message().strip()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        text = f"{text.rstrip('.')} (see '{error.ctx.command_path} --help')"
    return text


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command takes --json, and --help shows how it is used.",
)
@click.version_option(package_name="bitformer", message="bitformer %(version)s")
def cli() -> None:
    """Train quantized time-series Transformers, and build accelerators of them for tiny FPGAs.

    Every accelerator computes in integers only, and is proved bit exact in simulation.

    \b
    bitformer demo                                  everything, on real data
    bitformer train --data my.csv --target power --time date -o runs/mine
    bitformer predict runs/mine/model.safetensors   what comes next
    bitformer simulate runs/mine/model.safetensors  every tensor, bit for bit
    bitformer build runs/mine/model.safetensors --board sea -o build/mine
    """


if __name__ == "__main__":
    main()
