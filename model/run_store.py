"""A training run on disk: ``run.json`` says what it is, ``state.pt`` is what it resumes from.

``history.csv`` has the epochs of ``run.json`` for people: epoch, stage, loss, val, lr. Files appear
whole or not at all. ``state.pt`` has tensors and plain data only. Equal runs have equal files, but
for ``seconds.json``, the time it took.
"""

import csv
import io
import json
import os
import pickle
import sys
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.files import write_whole
from bitformer.model.plain import built, checked, partly
from bitformer.model.strict_json import read_json
from bitformer.model.train_settings import TrainSettings

__all__ = ["EPOCHS", "ERRORS", "HISTORY", "RunStore"]

#: What a finished run's ``results`` are.
ERRORS = ("float_val", "float_test", "quantized_val", "quantized_test")

#: The epochs of a run, for people, and its columns.
HISTORY = "history.csv"
COLUMNS = ("epoch", "stage", "loss", "val", "lr")
#: What a run can be given more of.
EPOCHS = ("epochs", "qat_epochs")

#: Settings that runs before them do not have, as they were for these.
_LATER = {one.name: one.default for one in fields(TrainSettings) if "later" in one.metadata}

FORMAT = "bitformer-run"
VERSION = 1


class _Took(TypedDict):
    seconds: float


class _Earlier(TypedDict):
    """A round of a run that was then given more epochs: what it had, and its results."""

    epochs: int
    qat_epochs: int
    results: dict[str, float]


class RunRecord(TypedDict):
    """What ``run.json`` may hold, beside its ``format`` and ``version``."""

    config: dict[str, Any]
    dataset: dict[str, Any]
    settings: dict[str, Any]
    classes: NotRequired[list[str]]
    leads: NotRequired[list[int]]
    history: NotRequired[list[dict[str, Any]]]
    results: NotRequired[dict[str, float]]
    continued: NotRequired[list[_Earlier]]
    warnings: NotRequired[list[str]]
    intervals: NotRequired[list[dict[str, Any]]]


class RunState(TypedDict):
    """What ``state.pt`` holds: see :meth:`bitformer.model.trainer.Trainer.state_dict`."""

    stage: int
    epoch: int
    idle: int
    model: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    moving: dict[str, Any]
    best: dict[str, torch.Tensor]
    best_error: float
    least: NotRequired[float]
    float_best: dict[str, torch.Tensor]
    float_error: float
    quantized_best: NotRequired[dict[str, torch.Tensor]]
    quantized_error: NotRequired[float]
    history: list[dict[str, Any]]


class RunStore:
    """The folder of one run."""

    def __init__(self, run_dir):
        self.path = Path(run_dir)
        self._state, self._record = self.path / "state.pt", self.path / "run.json"
        self._seconds = self.path / "seconds.json"
        self.history = self.path / HISTORY

    def start(self, identity: Mapping[str, object], *, resume: bool) -> dict | None:
        """Return the state to resume from; None for a new run, whose folder is made.

        ``identity`` : plain data by section. Raises :class:`UserError` if the folder holds a run
        with another identity.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Run folder {self.path} cannot be made: {error.strerror}") from None
        identity = json.loads(json.dumps(identity))
        if resume and os.path.lexists(self._record):
            record = self.read_record()
            for section, value in identity.items():
                if record.get(section) != value:
                    difference = _difference(record.get(section), value)
                    raise UserError(
                        f"Run folder {self.path} holds another run, with a difference in {section}"
                        f" ({difference}): choose another folder (-o), or start anew (--restart)"
                    )
            if os.path.lexists(self._state):
                return self.read_state()
        self._state.unlink(missing_ok=True)
        self._seconds.unlink(missing_ok=True)
        self.history.unlink(missing_ok=True)
        self.write_record(identity)
        return None

    def before_more(
        self, identity: Mapping[str, Any], *, follows: Collection[str] = ()
    ) -> dict[str, Any] | None:
        """Return the record of the run here, if it is ``identity`` but for having fewer epochs.

        ``follows`` : settings that may differ, as they follow from the epochs.
        """
        if not os.path.lexists(self._record):
            return None
        record, identity = self.read_record(), json.loads(json.dumps(identity))
        same = all(record.get(name) == identity[name] for name in identity if name != "settings")
        old, new = (
            [settings.get(name) for name in EPOCHS]
            for settings in (record["settings"], identity["settings"])
        )
        may = {name: identity["settings"][name] for name in (*EPOCHS, *follows)}
        others = {**record["settings"], **may}
        if not same or others != identity["settings"] or old == new:
            return None
        if any(not isinstance(a, int) or a > b for a, b in zip(old, new, strict=True)):
            return None
        return record

    def write_history(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Replace ``history.csv``: numbers as Python writes them, nothing for what there is not."""
        text = io.StringIO()
        rows = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
        rows.writeheader()
        rows.writerows(history)
        write_whole(self.history, text.getvalue())

    def write_record(self, record: Mapping[str, object]) -> None:
        """Replace ``run.json``."""
        data = {"format": FORMAT, "version": VERSION, **record}
        write_whole(self._record, json.dumps(data, indent=1) + "\n")

    def write_seconds(self, seconds: float) -> None:
        """Replace ``seconds.json``."""
        write_whole(self._seconds, json.dumps({"seconds": seconds}) + "\n")

    def read_seconds(self) -> float:
        """Return the seconds of training; 0 if unknown, as nothing depends on them."""
        try:
            return checked(_Took, read_json(self._seconds), str(self._seconds))["seconds"]
        except UserError:
            return 0.0

    def write_state(self, state: Mapping[str, object]) -> None:
        """Replace ``state.pt``."""
        content = io.BytesIO()  # of a file's errors, torch makes its own
        torch.save(_unshared(state), content)
        write_whole(self._state, content.getvalue())

    def read_record(self) -> dict:
        """Return the content of ``run.json``, with settings that are later than the run."""
        if not self._record.is_file():
            raise UserError(f"Run folder must hold a run, but {self.path} has no run.json")
        data = checked(dict[str, Any], read_json(self._record), str(self._record))
        found = data.get("format"), data.get("version")
        if found != (FORMAT, VERSION):
            raise UserError(f"{self._record} must be a {FORMAT} of version {VERSION}, not {found}")
        record = partly(RunRecord, data, str(self._record))
        built(TransformerConfig, record["config"], f"{self._record}: config")
        if lacking := set(ERRORS) - record.get("results", dict.fromkeys(ERRORS)).keys():
            raise UserError(f"{self._record}: results must have {', '.join(sorted(lacking))}")
        return {**record, "settings": {**_LATER, **record["settings"]}}

    def read_state(self) -> dict:
        """Return the content of ``state.pt``, on the CPU."""
        if not self._state.is_file():
            raise UserError(f"Run in {self.path} must have finished an epoch, but has no state.pt")
        state = partly(RunState, self._loaded(), str(self._state))
        for name in ("stage", "epoch", "idle"):
            if state[name] < 0:
                raise UserError(f"{self._state}: {name} must not be negative, but is {state[name]}")
        for name in ("model", "best", "float_best", "quantized_best"):
            for part, tensor in state.get(name, {}).items():
                if not bool(torch.isfinite(tensor).all()):
                    raise UserError(f"{self._state}: {name}: {part} must be finite numbers")
        return state

    def _loaded(self) -> Any:
        """Load ``state.pt``, an archive with checksums, if it is as it was written."""
        try:
            with zipfile.ZipFile(self._state) as archive:
                changed = archive.testzip()
            if changed is None:
                return torch.load(self._state, map_location="cpu", weights_only=True)
            reason = f"its part {changed} is not what was written"
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            reason = str(error)
        except (RuntimeError, NotImplementedError, pickle.UnpicklingError, KeyError):
            reason = "it is no archive of a training's"
        raise UserError(f"{self._state} must be a saved state, not damaged: {reason}")


def _unshared(value: Any) -> Any:
    """Return a copy that pickle writes alike, be its parts from a file or this process."""
    if isinstance(value, Mapping):
        return {_unshared(key): _unshared(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_unshared(one) for one in value])
    return sys.intern(value) if isinstance(value, str) else value


def _difference(old: object, new: object) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *new):
            if old.get(key) != new.get(key):
                return f"{key}: {old.get(key)} there, {new.get(key)} here"
    return f"{old} there, {new} here"
