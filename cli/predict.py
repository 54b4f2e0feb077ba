"""``bitformer predict``: forecasts from a board."""

from pathlib import Path
from typing import Any

import click

from bitformer.cli.options import PATH, connected, model_argument, port_options
from bitformer.cli.quantity import COUNT
from bitformer.cli.report import Report, json_option
from bitformer.model.progress import progress_bar

__all__ = ["command"]

#: Forecasts that a table shows.
_SHOWN = 6


@click.command("predict")
@model_argument
@port_options
@click.option("--data", type=PATH, required=True, metavar="CSV", help="The newest rows.")
@click.option("--time", metavar="COLUMN", help="Column of times; without it no gap is seen.")
@click.option(
    "--windows",
    type=COUNT,
    default=1,
    metavar="N",
    help="Forecasts, of windows a row apart; the newest is the last [1].",
)
@click.option("--self-test", is_flag=True, help="Let the board replay its golden vectors first.")
@json_option
def command(
    model: Path,
    link: dict[str, Any],
    data: Path,
    time: str | None,
    windows: int,
    self_test: bool,
    report: Report,
) -> None:
    """Forecast what comes after the rows of a CSV file, on the board that MODEL was built for.

    The file must have the columns that the model was trained on. The board must hold this very
    model. Exits with 1 if its self-test fails.

    \b
    bitformer predict m.safetensors --port /dev/ttyUSB0 --data my.csv
    bitformer predict m.safetensors --port spi:0.0 --data my.csv --windows 24 --json
    """
    from bitformer.boards.host.forecaster import Forecaster
    from bitformer.model.checkpoint import load_model
    from bitformer.model.forecast import newest_windows, scaling_of

    loaded = load_model(model)
    scaling = scaling_of(loaded)
    newest = newest_windows(data, model=loaded, scaling=scaling, count=windows, time=time)
    for sentence in newest.notes:
        report.note(sentence)
    with connected(**link) as client:
        forecaster = Forecaster(client, loaded)
        wrong = client.self_test() if self_test else None
        if wrong is not None:
            report.note(f"Self-test failed: golden vector {wrong} comes out wrong on the board")
            raise click.exceptions.Exit(1)
        with progress_bar() as progress:
            forecast = scaling.in_units(forecaster.predict(newest.x, progress=progress))
        facts = client.registers
    columns = ("step", *(f"after line {line}" for line in newest.lines[-_SHOWN:]))
    report.table(
        columns,
        [
            (step + 1, *(f"{value:.6g}" for value in row))
            for step, row in enumerate(forecast[-_SHOWN:].T)
        ],
        title=f"Forecast of {scaling.target}",
        words=0,
    )
    if len(forecast) > _SHOWN:
        report.line(f"{len(forecast) - _SHOWN} older forecasts are in --json")
    microseconds = facts.cycles / facts.clock_hz * 1e6
    report.line(f"The last inference took {facts.cycles} cycles, {microseconds:.4g} µs")
    report.data(
        {
            "model": str(model),
            "port": link["port"],
            "target": scaling.target,
            "lines": newest.lines,
            "forecast": forecast.tolist(),
            "cycles": facts.cycles,
            "clock_hz": facts.clock_hz,
            "resent": client.resent,
            "errors": {reason.name.lower(): n for reason, n in facts.errors().items()},
        }
    )
