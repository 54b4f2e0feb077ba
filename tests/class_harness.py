"""Recordings with classes, written as one CSV file or as a folder of files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from bitformer.model.data.class_windows import CLASS, GROUP
from bitformer.model.data.csv_source import Series
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.reading import Reading
from bitformer.model.data.windows import Dataset, Windows

_RECORDINGS = 6
#: Ways to cut what :func:`made` makes into windows.
READINGS = st.builds(
    Reading,
    stride=st.integers(1, 7),
    every=st.integers(1, 3),
    max_fill=st.just(0),
    test_groups=st.sampled_from([(), ("g0",), ("g1",), ("g2",)]),
)


def walk(rows: int, level: float, seed: int = 0) -> np.ndarray:
    """Rows of two columns, float64 [rows, 2], around a level, of two decimals."""
    return (level + np.random.default_rng(seed).normal(size=(rows, 2))).round(2)


def folder_of(folder: Path, files: Mapping[str, np.ndarray], columns: Sequence[str] = "xy") -> Path:
    """Write files by their names, with a header of ``columns``."""
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [",".join(columns), *(",".join(f"{one:g}" for one in row) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    return folder


def strides(folder: Path, *, persons: Sequence[str] = "abcd", rows: int = 40) -> Path:
    """Two classes of each person, the one around 0 and the other around 10: 2 files each."""
    return folder_of(
        folder,
        {
            f"{person}_{kind}.csv": walk(rows, level, seed=i)
            for i, person in enumerate(persons)
            for kind, level in (("run", 0.0), ("walk", 10.0))
        },
    )


def table_of(path: Path, rows: Sequence[Sequence[object]], columns: str) -> str:
    """Write a CSV file of any cells."""
    lines = [columns, *(",".join(str(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def load(data: object, **options: object) -> Dataset:
    """Load recordings, by windows of 4 rows unless ``options`` say otherwise."""
    settings: dict = {"window": 4, "horizon": 2, **options}
    return load_dataset(str(data), **settings)


def spans(windows: Windows) -> list[tuple[int, int]]:
    """The rows (first, last) of each window."""
    return list(zip(windows.begin.tolist(), windows.last.tolist(), strict=True))


def made(seed: int, *, groups: bool) -> Series:
    """Recordings of random lengths, one after the other; classes in runs, cells that lack."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 90, _RECORDINGS)
    recording = np.repeat(np.arange(_RECORDINGS), lengths)
    label = np.concatenate(
        [np.repeat(rng.integers(0, 3, 40), rng.integers(1, 25, 40))[:n] for n in lengths]
    )
    values = rng.normal(size=(len(recording), 2))
    values[rng.random(values.shape) < 0.01] = np.nan
    texts = {CLASS: np.array(["a", "b", "c"])[label]}
    texts[CLASS][rng.random(len(label)) < 0.01] = ""
    if groups:
        texts[GROUP] = np.array([f"g{number // 2}" for number in recording])
    return Series(
        columns=("x", "y"),
        values=values,
        lines=np.arange(len(values)) + 2,
        labels=np.array([f"r{number}" for number in recording]),
        texts=texts,
    )
