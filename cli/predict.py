"""``bitformer predict``: forecasts of what comes after the rows of a file."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bitformer
from bitformer.boards.protocol import COUNTS
from bitformer.cli.class_answers import check_classified, show_answers
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
    from bitformer.model.forecasts.result import Forecast

__all__ = ["command"]

#: Forecasts that a table shows beside each other.
_SHOWN = 6


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

    def __call__(self, windows: "np.ndarray", clock: "np.ndarray | None" = None) -> "np.ndarray":
        """Return the board's forecasts; of a model with a calendar, with the windows' ``clock``."""
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
                forecast = forecaster.predict(windows, clock, progress=progress)
            self.client, self.clipped = client, forecaster.clipped
        return forecast

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
            said.append(
                f"The board has rejected {facts.rejected} windows, of all that it has served"
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


def _show(report: Report, forecast: "Forecast") -> None:
    """Print the newest forecast, those before it beside each other, and their errors."""
    from bitformer.model.intervals import coverage_sentence

    after, what = _headings(forecast), "Forecast" if forecast.ahead else "Sensed value"
    if len(forecast) > 1:
        some = forecast.values[-_SHOWN:]
        report.table(
            ("step", *after[-_SHOWN:]),
            [
                (step + forecast.ahead, *(f"{value:.6g}" for value in row))
                for step, row in enumerate(some.T)
            ],
            title=f"{what}s of {forecast.target}, the newest last",
            words=0,
        )
    rows = _newest(forecast)
    names = [name for name in rows[0] if name != "line"]
    if all(row.get("truth") is None for row in rows):
        names = [name for name in names if name != "truth"]
    report.table(
        names,
        [[_cell(name, row[name]) for name in names] for row in rows],
        title=f"{what} of {forecast.target}, {'newest' if forecast.series else after[-1]}",
        words=("series" in names) + (forecast.times is not None),
    )
    interval = forecast.interval
    if interval is not None:
        known = ""
        if interval.coverage is not None:
            known = f"; the {coverage_sentence({interval.percent: interval.coverage})}"
        report.line(f"Between low and high should lie {interval.percent} % of values{known}")
    error = forecast.error
    if error is not None:
        inside = "" if "inside" not in error else f", {100 * error['inside']:.3g} % in the interval"
        report.line(
            f"Against the {error['values']} values that the file has: MAE {error['mae']:.4g},"
            f" RMSE {error['rmse']:.4g}{inside}"
        )
    if len(forecast) > 1:
        report.line("All forecasts, with times, limits and truth, are in --csv and --json")


def _newest(forecast: "Forecast") -> list[dict[str, object]]:
    """Return the rows of the newest forecast of each series, of the last few if there are many."""
    # a later window of the same series takes the place
    newest = dict(zip(forecast.series or [""] * len(forecast), range(len(forecast)), strict=True))
    rows, steps = list(forecast.rows()), range(forecast.horizon)
    return [rows[n * forecast.horizon + k] for n in list(newest.values())[-_SHOWN:] for k in steps]


def _headings(forecast: "Forecast") -> list[str]:
    """Return which rows each forecast comes after, or is for."""
    where = "after" if forecast.ahead else "at"
    names = [f"{name}, " for name in forecast.series] or [""] * len(forecast)
    return [f"{name}{where} line {line}" for name, line in zip(names, forecast.lines, strict=True)]


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if name in ("forecast", "low", "high", "truth") else str(value)


@click.command("predict", cls=SectionedCommand)
@model_argument
@data_options
@section(
    "Forecasts",
    click.option(
        "--windows",
        type=COUNT,
        default=1,
        metavar="N",
        help="Forecasts, of windows a row apart, the newest last; of older ones the file has the"
        " truth [1].",
    ),
    click.option(
        "--at",
        metavar="LINE|TIME",
        help="Line or time (as 2018-06-26T19:00) of the last row that the newest forecast knows"
        " [the last of the file].",
    ),
    click.option(
        "--interval",
        type=click.IntRange(1, 99),
        metavar="PERCENT",
        help="Part of values between low and high: 50, 80 or 95 [80].",
    ),
    click.option(
        "--engine",
        type=click.Choice(["integer", "python", "native"]),
        help="The integer reference; or the hardware: in Amaranth's Python simulator (slow), or"
        " compiled by a C++ compiler (a minute to start, then fast) [integer].",
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
    click.option(
        "--csv", "csv_file", type=PATH, metavar="FILE", help="Write the forecasts as CSV."
    ),
    click.option(
        "--plot",
        type=PATH,
        metavar="FILE",
        help="Draw history, forecasts and truth: FILE.png, .svg or .pdf. Of several windows, as"
        " many as do not overlap.",
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
    trained on classes tells that of the file's last window.

    The file is read as the model's own data were, unless options say otherwise; without --data it
    is these. Columns are matched by name, in any order. The model computes in integers here, or
    simulated on the hardware (--engine), or on the board that it was built for (--port): the
    numbers are the same. Low and high are quantiles of the errors of validation windows, step by
    step. Exits with 1 if the hardware differs from the reference in a single bit, or if the board's
    self-test fails.

    \b
    bitformer predict m.safetensors --data my.csv
    bitformer predict m.safetensors --data my.csv --windows 169 --plot week.png --csv week.csv
    bitformer predict m.safetensors --data my.csv --at 2018-06-20T00:00 --engine native
    bitformer predict m.safetensors --port /dev/ttyUSB0 --data my.csv
    bitformer predict m.safetensors --port spi:0.0 --data my.csv --windows 24 --json
    """
    _check(link, engine, self_test)
    loaded = bitformer.load(model)
    if loaded.config.task == "classify":
        check_classified(plot=plot, interval=asked.pop("interval"), target=data.pop("target"))
    if plot is not None:
        from bitformer.model.picture import check_picture

        check_picture(plot)
    forecast: Any  # a Forecast, or Classes
    board = None if link["port"] is None else _Board(loaded, link, self_test, report)
    try:
        with progress_bar(None if board is None else False) as progress:
            computing: dict[str, Any] = {"engine": board or engine or "integer"}
            computing |= {"note": report.note, "progress": progress}
            if loaded.config.task == "classify":
                forecast = loaded.classify(**data, **asked, **computing)
            else:
                forecast = loaded.forecast(**data, **asked, **computing)
    except NotBitExactError as error:
        report.note(str(error))
        raise click.exceptions.Exit(1) from None
    from bitformer.model.forecasts.classes import Classes

    if isinstance(forecast, Classes):
        show_answers(report, forecast)
    else:
        _show(report, forecast)
    if board is not None:
        for sentence in board.told():
            report.line(sentence)
    if csv_file is not None:
        forecast.to_csv(csv_file)
        report.line(f"As CSV: {csv_file}")
    if plot is not None and not isinstance(forecast, Classes):
        forecast.plot(plot)
        report.line(f"Picture: {plot}")
    report.data(
        {
            "model": str(model),
            **forecast.to_dict(),
            **({} if board is None else board.to_dict()),
            "csv": None if csv_file is None else str(csv_file),
            "plot": None if plot is None else str(plot),
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
