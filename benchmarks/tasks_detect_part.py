"""Detectors on the part: is every window exact, the flag too, and what does a window cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tasks_cells import SEEDS, Cell
from tasks_detect import FILES, SKAB, whole

import bitformer
from bitformer.model.data.datasets import load_dataset
from bitformer.model.data.detection import load_detection
from bitformer.model.data.detection_windows import series_windows
from bitformer.model.data.windows import Windows
from bitformer.model.export import export_run
from bitformer.model.ir import IntegerModel
from bitformer.model.task.thresholds import Rule, learn, residuals_of, with_judge
from bitformer.sim.run import simulate

__all__ = ["PART", "part_cells"]

PART = "xc7s15"


def _measured(model: IntegerModel, windows: np.ndarray) -> dict[str, Any]:
    """What the part makes of windows, integers [N, steps, channels], in order from a reset on."""
    design = bitformer.lower(bitformer.Model(model), part=PART)
    ran = simulate(design.lowered, windows, engine="native")
    estimate = design.estimate()
    return {
        "windows": len(ran.outputs),
        "flagged": int(np.asarray(ran.outputs).sum()),
        "exact": ran.bit_exact,
        "as_predicted": ran.cycles_as_predicted,
        "latency": design.latency,
        "fits": estimate.fits,
        "energy_uj": None if estimate.energy_j is None else estimate.energy_j * 1e6,
        "macs": model.config.macs,
    }


def _best(folder: Path, keys: list[str]) -> dict[str, Any]:
    """What was trained with the seed of least validation error."""
    known = [Cell(key=key, compute=dict).record(folder) for key in keys]
    return min((one["trained"] for one in known if one is not None), key=lambda one: one["val"])


def _skab(folder: Path) -> dict[str, Any]:
    """All windows of all files, one file after the other, by the threshold of the first."""
    trained = _best(folder, [f"{SKAB}-{seed}" for seed in SEEDS])
    model = export_run(trained["run"])
    window = model.config.window
    every = [
        (one, series_windows(one, window=window, ahead=0))
        for one in load_detection(SKAB, step="row").series
    ]
    series, first = every[0]
    left = residuals_of(model, first)
    judge = learn(model, [left[first.first < series.clean]], Rule())
    model = with_judge(model, judge)
    q = [model.quantize_input(one.x, None, one.y) for _, one in every]
    return _measured(model, np.concatenate(q))


def _nab(name: str) -> Callable[[Path], dict[str, Any]]:
    def compute(folder: Path) -> dict[str, Any]:
        trained = _best(folder, [f"{name}-{seed}" for seed in SEEDS])
        model = export_run(trained["run"])
        dataset = load_dataset(
            name,
            window=model.config.window,
            horizon=1,
            calendar=model.config.calendar,
            task="detect",
        )
        windows: Windows = whole(dataset)
        clean = windows.first <= dataset.val.first[-1]
        judge = learn(model, [residuals_of(model, windows)[clean]], Rule())
        model = with_judge(model, judge)
        return _measured(model, model.quantize_input(windows.x, windows.clock, windows.y))

    return compute


def part_cells() -> dict[str, Cell]:
    """The cells by the name of the data: all of SKAB, and each file of NAB."""
    found = {SKAB: Cell(key=f"{SKAB}-part", compute=_skab)}
    return found | {name: Cell(key=f"{name}-part", compute=_nab(name)) for name in FILES}
