"""Files of data that README and guides speak of, made small: what a reader has already."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["give"]


def give(name: str, folder: Path) -> bool:
    """Put the file or folder of data that a page speaks of into ``folder``; whether it is known."""
    if (folder / name).exists():
        return True
    if name == "gait":
        _recordings(folder / name)
    elif name in TABLES:
        (folder / name).write_text(TABLES[name](), encoding="utf-8")
    else:
        return False
    return True


def _times(rows: int) -> list[str]:
    hours = np.datetime64("2024-01-01T00:00") + np.arange(rows).astype("timedelta64[h]")
    return [str(hour).replace("T", " ") for hour in hours]


def _wave(rows: int, at: int) -> np.ndarray:
    """A day's wave with noise: the ``at``-th of its kind."""
    noise = np.random.default_rng(at).normal(size=rows)
    return 10 + at + 4 * np.sin(np.arange(rows) * math.tau / 24 + at) + 0.5 * noise


def _series(*names: str, rows: int = 900, faults: str | None = None) -> str:
    """A table by the hour; the last column may mark rows as faults."""
    columns = [_wave(rows, at) for at in range(len(names))]
    lines = [",".join(("time", *names, *([faults] if faults else [])))]
    for row, time in enumerate(_times(rows)):
        fault = [str(int(rows * 0.9 < row < rows * 0.9 + 9))] if faults else []
        lines.append(",".join((time, *(f"{column[row]:.3f}" for column in columns), *fault)))
    return "\n".join(lines) + "\n"


def _counts() -> str:
    """Words of an ADC of 12 bits."""
    return "code\n" + "".join(f"{round(90 * number)}\n" for number in _wave(900, 3))


def _sites() -> str:
    """Two series, one below the other."""
    lines = ["site,time,load"]
    for at, site in enumerate(("north", "south")):
        lines += [f"{site},{t},{n:.3f}" for t, n in zip(_times(600), _wave(600, at), strict=True)]
    return "\n".join(lines) + "\n"


PEOPLE, GAITS = ("anna", "ben", "carl", "dora", "eve", "finn"), ("walk", "run", "rest")


def _steps(person: int, gait: int, rows: int = 320) -> np.ndarray:
    """Two channels of somebody's gait, ``[rows, 2]``."""
    at = np.arange(rows)[:, None] * math.tau / (4 + 3 * gait + person / 5) + np.array([0, 1])
    return np.sin(at) + 0.3 * np.random.default_rng(10 * person + gait).normal(size=(rows, 2))


def _people() -> str:
    """All of them in one table, by turns: each part of a person's rows has every class."""
    lines, times = ["time,x,y,person,activity"], iter(_times(10_000))
    for person, name in enumerate(PEOPLE):
        parts = [np.split(_steps(person, gait), 4) for gait in range(len(GAITS))]
        for turn in range(4):
            for gait, label in enumerate(GAITS):
                rows = parts[gait][turn]
                lines += [f"{next(times)},{x:.3f},{y:.3f},{name},{label}" for x, y in rows]
    return "\n".join(lines) + "\n"


def _recordings(folder: Path) -> None:
    """The same as a folder: a file for each person and gait."""
    folder.mkdir()
    for person, name in enumerate(PEOPLE):
        for gait, label in enumerate(GAITS):
            np.savetxt(
                folder / f"{name}_{label}.csv",
                _steps(person, gait),
                fmt="%.3f",
                delimiter=",",
                header="x,y",
                comments="",
            )


#: Columns that pages name, all in one table.
MINE = ("power_kw", "outdoor_c", "power", "wind", "load", "temp", "volt")
TABLES: dict[str, Callable[[], str]] = {
    "my.csv": lambda: _series(*MINE),
    "newer.csv": lambda: _series(*MINE, rows=1000),
    "next_year.csv": lambda: _series(*MINE, rows=600),
    "air.csv": lambda: _series("O3", "PM10", "NO2", "wind"),
    "device.csv": lambda: _series("PM10", "NO2", "wind", rows=200),
    "machine.csv": lambda: _series("temperature", "current", "flow"),
    "other.csv": lambda: _series("temperature", "current", "flow", rows=400),
    "today.csv": lambda: _series("temperature", "current", "flow", rows=200),
    "pump.csv": lambda: _series("flow", "pressure", faults="fault"),
    "gait.csv": _people,
    "activity.csv": _people,
    "new.csv": _people,
    "sites.csv": _sites,
    "adc.csv": _counts,
}
