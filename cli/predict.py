"""``bitformer predict``: what a model answers for the newest rows of a file."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.boards.protocol import COUNTS
from bitformer.cli.class_answers import check_answered, show_answers
from bitformer.cli.flag_answers import show_flags
from bitformer.cli.forecast_answers import show_forecast
from bitformer.cli.options import (
    PATH,
    connected,
    data_options,
    given,
    model_argument,
    optional_port_options,
)
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report, json_option
from bitformer.cli.sections import SectionedCommand, section
from bitformer.model.errors import NotBitExactError, UserError
from bitformer.model.progress import progress_bar

if TYPE_CHECKING:
    import numpy as np

    from bitformer.boards.host.client import Client
    from bitformer.boards.host.forecaster import ClipCount

__all__ = ["command"]


class _Board:
    """A board, connected when it is first asked, and what it said of itself."""

    name = "board"
    client: "Client"
    clipped: "ClipCount"

    def __init__(
        self, model: "bitformer.Model", link: dict[str, Any], self_test: bool, report: Report
    ):
        self._model, self._link = model, link
        self._self_test, self._report = self_test, report

    def __call__(
        self,
        windows: "np.ndarray",
        clock: "np.ndarray | None" = None,
        judged: "np.ndarray | None" = None,
    ) -> "np.ndarray":
        """Return what the board answers for windows.

        ``clock`` : their time, of a model with a calendar; ``judged`` : what came, of a detector.
        """
        from bitformer.boards.host.forecaster import Forecaster

        with connected(**self._link) as client:
            forecaster = Forecaster(client, self._model.integer)
            wrong = client.self_test() if self._self_test else None
            if wrong is not None:
                self._report.note(
                    f"Self-test failed: golden vector {wrong} comes out wrong on the board"
                )
                raise click.exceptions.Exit(1)
            with progress_bar() as progress:
                answers = forecaster.predict(windows, clock, judged=judged, progress=progress)
            self.client, self.clipped = client, forecaster.clipped
        return answers

    def told(self) -> list[str]:
        """Say how long the last inference took, and what the board has counted so far, if any."""
        facts = self.client.registers
        said = [
            f"The last inference took {facts.cycles} cycles,"
            f" {facts.cycles / facts.clock_hz * 1e6:.4g} µs"
        ]
        if facts.input_ends or facts.result_ends:
            said.append(
                f"The board has counted {facts.input_ends} readings and {facts.result_ends} results"
                f" at an end of their range, of all that it has served (modulo {COUNTS})"
            )
        if facts.rejected:
            flags = self._model.integer.detector is not None
            done = "raised its flag in" if flags else "rejected"
            said.append(
                f"The board has {done} {facts.rejected} windows, of all that it has served"
                f" (modulo {COUNTS})"
            )
        return said

    def to_dict(self) -> dict[str, object]:
        """Return what the board says of itself as plain data."""
        facts = self.client.registers
        return {
            "port": self._link["port"],
            "cycles": facts.cycles,
            "clock_hz": facts.clock_hz,
            "resent": self.client.resent,
            "errors": {reason.name.lower(): n for reason, n in facts.errors().items()},
            "sent_clipped": dataclasses.asdict(self.clipped),
            "at_ends": {"readings": facts.input_ends, "results": facts.result_ends},
            "rejected": facts.rejected,
        }


@click.command("predict", cls=SectionedCommand)
@model_argument
@data_options
@section(
    "Answers",
    click.option(
        "--windows",
        type=COUNT,
        metavar="N",
        help="Windows a row apart, the newest last; of older forecasts the file has the truth. A"
        " detector judges them from a reset on [1; of a detector all, or 8 with engine python].",
    ),
    click.option(
        "--at",
        metavar="LINE|TIME",
        help="Line or time (as 2018-06-26T19:00) of the last row that the newest window knows; of a"
        " detector, that it judges [the last of the file].",
    ),
    click.option(
        "--interval",
        type=click.IntRange(1, 99),
        metavar="PERCENT",
        help="Of forecasts: part of values between low and high, 50, 80 or 95 [80].",
    ),
    click.option(
        "--engine",
        type=click.Choice(["integer", "steps", "python", "native"]),
        help="The integer reference; of a stream, the same by steps; or the hardware: in Amaranth's"
        " Python simulator (slow), or compiled by a C++ compiler (a minute to start, then fast)"
        " [integer].",
    ),
)
@section(
    "On a board",
    optional_port_options,
    click.option(
        "--self-test", is_flag=True, help="Let the board replay its golden vectors first."
    ),
)
@section(
    "Results",
    click.option("--csv", "csv_file", type=PATH, metavar="FILE", help="Write the answers as CSV."),
    click.option(
        "--plot",
        type=PATH,
        metavar="FILE",
        help="Of forecasts: draw history, forecasts and truth: FILE.png, .svg or .pdf. Of several"
        " windows, as many as do not overlap.",
    ),
    json_option,
)
def command(
    model: Path,
    data: dict[str, Any],
    link: dict[str, Any],
    engine: str | None,
    self_test: bool,
    csv_file: Path | None,
    plot: Path | None,
    report: Report,
    **asked: Any,
) -> None:
    """Forecast what comes after the last row of a CSV file, in the file's own units.

    A model that was trained to sense a quantity tells it for the last row itself; one that was
    trained on classes tells that of the file's last window. A detector judges all windows of the
    file in their order, as from a reset on, and tells when its flag is up.

    A model of several targets forecasts each of them, in its own units; --plot draws a picture for
    each, FILE-1.png and so on.

    The file is read as the model's own data were, unless options say otherwise; without --data it
    is these. Columns are matched by name, in any order. The model computes in integers here, or
    simulated on the hardware (--engine), or on the board that it was built for (--port): the
    numbers are the same. Low and high are quantiles of the errors of validation windows, step by
    step. A board's detector goes on from the windows that it has judged before. Exits with 1 if the
    hardware differs from the reference in a single bit, or if the board's self-test fails.

    \b
    bitformer predict m.safetensors --data my.csv
    bitformer predict m.safetensors --data my.csv --windows 169 --plot week.png \\
        --csv week.csv
    bitformer predict m.safetensors --data my.csv --at 2018-06-20T00:00 \\
        --engine native
    bitformer predict m.safetensors --port /dev/ttyUSB0 --data my.csv
    bitformer predict m.safetensors --port spi:0.0 --data my.csv --windows 24 \\
        --json
    bitformer predict gait.safetensors --data new.csv --windows 50 \\
        --csv classes.csv
    bitformer predict pump.safetensors --data today.csv
    """
    _check(link, engine, self_test)
    loaded = bitformer.load(model)
    task = loaded.config.task
    if task != "forecast":
        check_answered(task, plot=plot, interval=asked.pop("interval"))
    if task == "classify":
        check_answered(task, target=data.pop("target"))
    if asked["windows"] is None and task != "detect":
        asked["windows"] = 1
    if plot is not None:
        from bitformer.model.picture import check_picture

        check_picture(plot)
    answer: Any  # a Forecast, those of several targets, Classes, or Flags
    board = None if link["port"] is None else _Board(loaded, link, self_test, report)
    try:
        with progress_bar(None if board is None else False) as progress:
            computing: dict[str, Any] = {"engine": board or engine or "integer"}
            computing |= {"note": report.note, "progress": progress}
            answers: dict[str, Any] = {
                "forecast": loaded.forecast,
                "classify": loaded.classify,
                "detect": loaded.detect,
            }
            answer = answers[task](**data, **asked, **computing)
    except NotBitExactError as error:
        report.note(str(error))
        raise click.exceptions.Exit(1) from None
    show: dict[str, Any] = {
        "forecast": show_forecast,
        "classify": show_answers,
        "detect": show_flags,
    }
    show[task](report, answer)
    if board is not None:
        for sentence in board.told():
            report.line(sentence)
    if csv_file is not None:
        answer.to_csv(csv_file)
        report.line(f"As CSV: {csv_file}")
    drawn = [] if plot is None else [str(plot)]
    if plot is not None:
        drawn = [str(one) for one in answer.plot(plot) or drawn]
        report.line(f"Picture: {', '.join(drawn)}")
    report.data(
        {
            "model": str(model),
            **answer.to_dict(),
            **({} if board is None else board.to_dict()),
            "csv": None if csv_file is None else str(csv_file),
            "plot": drawn if len(drawn) > 1 else drawn[0] if drawn else None,
        }
    )


def _check(link: dict[str, Any], engine: str | None, self_test: bool) -> None:
    """Refuse options of a board without its port, and an engine beside it."""
    if link["port"] is not None:
        if engine is not None:
            raise UserError(
                f"--engine must be left out with --port, where the board computes, and is {engine}"
            )
        return
    words = {"--baud": link["baud"], "--sck": link["sck_hz"], "--self-test": self_test or None}
    if others := list(given(words)):
        raise UserError(f"{others[0]} must come with --port P, the port of the board")
