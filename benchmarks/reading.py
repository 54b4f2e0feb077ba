"""How long a file of a million rows takes to read, and how much memory.

    python benchmarks/reading.py            seconds of the processor and the peak, of each dialect
    python benchmarks/reading.py --rows 100000 --json

Each dialect is written to a temporary file and read by a process of its own: times and three
columns.
"""

import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bitformer.model.data.csv_source import read_csv
from bitformer.model.data.reading import Reading

#: How a row's time and number are written, what separates cells, and how that is read.
DIALECTS: dict[str, tuple[str, Callable[[float], str], str, dict[str, Any]]] = {
    "ISO 8601": ("%Y-%m-%d %H:%M:%S", str, ",", {}),
    "d/m/Y": ("%d/%m/%Y %H:%M:%S", str, ",", {}),
    "AM/PM": ("%m/%d/%Y %I:%M:%S %p", str, ",", {}),
    "--time-format": ("%d.%m.%y %H:%M:%S", str, ";", {"time_format": "%d.%m.%y %H:%M:%S"}),
    "--time-zone": ("%Y-%m-%d %H:%M:%S", str, ",", {"time_zone": "Europe/Berlin"}),
    "--decimal ,": (
        "%d.%m.%Y %H:%M:%S",
        lambda value: f"{value}".replace(".", ","),
        ";",
        {"decimal": ","},
    ),
    "decimal comma, found": (
        "%d.%m.%Y %H:%M:%S",
        lambda value: f"{value:.2f}".replace(".", ","),
        ";",
        {},
    ),
    "epoch": ("%s", str, ",", {"time_format": "epoch"}),
}


def write(path: Path, rows: int, dialect: str) -> None:
    pattern, number, separator, _ = DIALECTS[dialect]
    begin = datetime(2023, 1, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write(separator.join(("when", "a", "b", "c")) + "\n")
        for row in range(rows):
            # from a day past the 12th on, and never in the hour that spring skips
            when = begin + timedelta(seconds=2 * row + 103 * 86400)
            text = str(int(when.timestamp())) if pattern == "%s" else when.strftime(pattern)
            cells = (number(value) for value in (20 + row % 997 / 10, row * 0.001, -row % 89 / 4))
            file.write(separator.join((text, *cells)) + "\n")


def measure(path: Path, dialect: str, pipe) -> None:
    options = DIALECTS[dialect][3]
    start, wall = time.process_time(), time.monotonic()
    series = read_csv(path, columns=("a", "b", "c"), reading=Reading(time="when", **options))
    assert series.times is not None
    assert series.times[1] - series.times[0] == 2
    pipe.send(
        {
            "dialect": dialect,
            "rows": len(series.values),
            "megabytes": path.stat().st_size / 1e6,
            "cpu_s": time.process_time() - start,
            "wall_s": time.monotonic() - wall,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        }
    )


def measured(rows: int, dialect: str) -> dict[str, Any]:
    """Read a file of ``rows`` rows in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write(path, rows, dialect)
        mine, its = context.Pipe()
        process = context.Process(target=measure, args=(path, dialect, its))
        process.start()
        found = mine.recv()
        process.join()
    return found


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--dialect", "dialects", multiple=True, type=click.Choice(list(DIALECTS)))
@click.option("--json", "as_json", is_flag=True)
def main(rows: int, dialects: tuple[str, ...], as_json: bool) -> None:
    """Measure how files are read."""
    found = [measured(rows, dialect) for dialect in dialects or DIALECTS]
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    click.echo("| dialect | rows | MB | CPU s | s | peak MB |")
    click.echo("|---|---:|---:|---:|---:|---:|")
    for one in found:
        click.echo(
            f"| {one['dialect']} | {one['rows']} | {one['megabytes']:.0f} | {one['cpu_s']:.1f}"
            f" | {one['wall_s']:.1f} | {one['peak_mb']:.0f} |"
        )


if __name__ == "__main__":
    main()
