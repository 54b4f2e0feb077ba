"""What ``bitformer predict`` says of a forecaster: the newest forecasts, beside the truth."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.forecasts.result import Forecast
    from bitformer.model.forecasts.several import Forecasts

__all__ = ["show_forecast"]

#: Forecasts that a table shows beside each other.
_SHOWN = 6


def show_forecast(report: "Report", forecast: "Forecast | Forecasts") -> None:
    """Print the newest forecast, those before it beside each other, and their errors."""
    from bitformer.model.forecasts.several import Forecasts

    for one in forecast if isinstance(forecast, Forecasts) else [forecast]:
        _show_one(report, one)
    if len(forecast) > 1:
        report.line("All forecasts, with times, limits and truth, are in --csv and --json")


def _show_one(report: "Report", forecast: "Forecast") -> None:
    """Print the forecasts of a target."""
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
