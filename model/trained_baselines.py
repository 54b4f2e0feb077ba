"""Baselines that are trained on the same windows as a model: an MLP of equal MACs, and LightGBM.

Their forecasts are kept in a folder, by all that they come of, and are not made twice.
"""

import hashlib
import importlib.metadata
import importlib.util
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.model.baselines import calendar_name
from bitformer.model.cache import Cache, user_folder
from bitformer.model.data.windows import Dataset, Windows
from bitformer.model.errors import UserError
from bitformer.model.plain import shown
from bitformer.model.progress import Progress, silent
from bitformer.model.sealed_json import digest_of

__all__ = [
    "ALL",
    "BASELINES",
    "LIGHTGBM",
    "MLP",
    "SIMPLE",
    "TrainedBaseline",
    "check_baselines",
    "trained_baselines",
]

SIMPLE, ALL = "simple", "all"
#: What a user may ask for.
BASELINES = (SIMPLE, ALL)
MLP, LIGHTGBM = "MLP", "LightGBM"
#: Of forecasts that are kept: another one where the same inputs would make other forecasts.
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class TrainedBaseline:
    """Forecasts of a baseline that was trained, and how it was.

    Parameters
    ----------
    name : of the baseline.
    forecasts : float64 [N, outputs], standardised.
    facts : its sizes and settings, validation error and seconds of training, as plain data.
    """

    name: str
    forecasts: np.ndarray
    facts: Mapping[str, Any]

    def take(self, index: np.ndarray) -> "TrainedBaseline":
        """Return the baseline with the forecasts of some of the windows."""
        return TrainedBaseline(name=self.name, forecasts=self.forecasts[index], facts=self.facts)

    def __str__(self) -> str:
        """Say what it is."""
        facts = self.facts
        if "widths" in facts:
            widths = " - ".join(map(str, facts["widths"]))
            entropies = "test_cross_entropy" in facts
            tested = facts["test_cross_entropy" if entropies else "test_mse"]
            low, high = (one(tested) for one in (min, max))
            error = "cross entropy" if entropies else "MSE"
            return (
                f"{self.name}: {widths} numbers, {facts['macs']} MACs, {facts['parameters']}"
                f" parameters, in floats; test {error} of {len(facts['seeds'])} seeds {low:.4f} to"
                f" {high:.4f}, of which validation chose seed {facts['seed']}"
            )
        return (
            f"{self.name}: {facts['models']} model(s), one for each step, of {sum(facts['trees'])}"
            f" trees in all, by LightGBM {facts['version']}"
        )


def check_baselines(asked: str) -> str:
    """Return what baselines are asked for, if they are known."""
    if asked not in BASELINES:
        raise UserError(f"baselines must be {' or '.join(BASELINES)}, not {shown(asked)}")
    return asked


def trained_baselines(
    asked: str,
    dataset: Dataset,
    *,
    macs: int,
    run: Path | None,
    note: Callable[[str], None],
    progress: Progress = silent,
) -> tuple[TrainedBaseline, ...]:
    """Return the baselines that are asked for and can be trained here.

    Their forecasts, of the test windows, are kept in the folder ``baselines`` of a run, else in the
    user's cache.

    Parameters
    ----------
    asked
        ``"simple"`` for none of them, or ``"all"``.
    dataset
        They are trained on its training windows and selected on its validation windows.
    macs
        Most MACs of the MLP: those of the model beside it.
    run
        The folder that the model lies in, if it does: that of a run, or another one.
    note
        Told how they were trained, or why they could not be.
    progress
        Called with what is done of each.
    """
    if check_baselines(asked) == SIMPLE:
        return ()
    if not (len(dataset.train) and len(dataset.val)):
        note("An MLP and LightGBM are not scored, as there are no training windows here")
        return ()
    if run is not None and (run / "run.json").is_file():
        kept = Cache(run / "baselines")
    else:
        kept = Cache(user_folder("baselines"))
    windows, found = _checksum(dataset), []
    for name, settings, make in _makers(dataset, macs, note, progress):
        key = digest_of({"version": _VERSION, "name": name, **settings, "windows": windows})
        one = _read(kept, key, name)
        if one is None or one.forecasts.shape != (len(dataset.test), dataset.test.outputs):
            started = time.monotonic()
            forecasts, facts = make()
            facts = {**facts, "seconds": time.monotonic() - started}
            one = TrainedBaseline(name=name, forecasts=forecasts, facts=facts)
            kept.keep(key, ".npz", _packed(one))
        note(str(one))
        found.append(one)
    return tuple(found)


def _makers(
    dataset: Dataset, macs: int, note: Callable[[str], None], progress: Progress
) -> Iterator[tuple[str, dict[str, Any], Callable[[], tuple[np.ndarray, dict[str, Any]]]]]:
    """Yield each baseline's name, what makes it what it is, and how it is made."""
    from bitformer.model.lightgbm_baseline import lightgbm_forecasts, missing_lightgbm

    def mlp(subtract: int | tuple[int, ...] | None) -> tuple[np.ndarray, dict[str, Any]]:
        from bitformer.model.mlp_baseline import mlp_forecasts  # late: it imports torch

        of = dataset.test
        return mlp_forecasts(dataset, of, macs=macs, subtract=subtract, progress=progress)

    def trees(subtract: int | tuple[int, ...] | None) -> tuple[np.ndarray, dict[str, Any]]:
        return lightgbm_forecasts(dataset, dataset.test, subtract=subtract, progress=progress)

    def named(name: str) -> str:
        return calendar_name(name, dataset.calendar) if dataset.calendar else name

    ways: dict[str, int | tuple[int, ...] | None] = {"": None}
    channels = tuple(one.channel for one in dataset.targets if one.channel is not None)
    if dataset.target_channel is not None:
        ways[", last value subtracted"] = dataset.target_channel
    elif channels and len(channels) == len(dataset.targets):
        ways[", last value subtracted"] = channels
    if importlib.util.find_spec("torch") is None:
        note(f"An {MLP} is not scored, as torch is not installed: pip install torch")
    else:
        used = {"macs": macs, "torch": importlib.metadata.version("torch")}
        for how, subtract in ways.items():
            yield named(f"{MLP}{how}"), {**used, "subtract": subtract}, partial(mlp, subtract)
    if dataset.task == "classify":
        note(f"{LIGHTGBM} is not scored, as it is trained on forecasts alone")
        return
    if (why := missing_lightgbm()) is not None:
        note(f"{LIGHTGBM} is not scored, as {why}")
        return
    used = {"lightgbm": importlib.metadata.version("lightgbm")}
    for how, subtract in ways.items():
        yield named(f"{LIGHTGBM}{how}"), {**used, "subtract": subtract}, partial(trees, subtract)


def _checksum(dataset: Dataset) -> str:
    """Return the SHA-256 of all windows, inputs and targets, that a baseline comes of."""
    found = hashlib.sha256()
    for windows in (dataset.train, dataset.val, dataset.test):
        found.update(_contents(windows))
    return found.hexdigest()


def _contents(windows: Windows) -> bytes:
    """Return a digest of every field of windows."""
    found = hashlib.sha256()
    for name, value in sorted(vars(windows).items()):
        found.update(name.encode())
        if isinstance(value, np.ndarray):
            found.update(f"{value.dtype}{value.shape}".encode())
            found.update(np.ascontiguousarray(value).tobytes())
        else:
            found.update(repr(value).encode())
    return found.digest()


def _packed(one: TrainedBaseline) -> bytes:
    content = io.BytesIO()
    np.savez(content, forecasts=one.forecasts, facts=np.array(json.dumps(dict(one.facts))))
    return content.getvalue()


def _read(kept: Cache, key: str, name: str) -> TrainedBaseline | None:
    """Return what was kept, which the cache has compared with its digest."""
    data = kept.read(key, ".npz")
    if data is None:
        return None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as parts:
            facts = json.loads(str(parts["facts"]))
            return TrainedBaseline(name=name, forecasts=parts["forecasts"], facts=facts)
    except (ValueError, KeyError, zipfile.BadZipFile):  # of another release
        return None
