"""Folders of trainings, of studies and of searches, of which a file is damaged."""

import contextlib
import io
import json
import random
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner
from fuzz.base_kinds import few_entries
from fuzz.case import Case, Kind
from fuzz.damage import VALUES, Damage, damaged_bytes, damaged_json
from fuzz.data_kinds import SMALL, series
from fuzz.judge import Verdict

from bitformer.cli.main import cli
from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.model.checkpoint import load_model
from bitformer.study.sensitivity import existing

__all__ = ["RUN_KINDS"]

_DATA = ("--config", "small.json", "--data", "s.csv", "--target", "power")
_TRAIN = ("train", *_DATA, "--epochs", "1", "--qat-epochs", "1", "--time", "when")
#: What a study keeps is of data at their place: they are not copied.
_STUDY = ("--config", "small.json", "--target", "power", "--epochs", "1", "--qat-epochs", "1")
_STUDY += ("--batch", "512", "--workers", "1")
_SEARCH = ("search", *_STUDY, "--bits", "4,8", "--sensitivity", "added.json", "--kb", "kb.sqlite")
_SEARCH += (
    "--windows",
    "1",
    "--top",
    "1",
    "--pack",
    "yes",
    "--baselines",
    "4",
    "--synthesis",
    "none",
    "-o",
    "search",
)
_COMPARE = ("compare", *_STUDY, "--widths", "4", "--method", "ptq", "--seeds", "1", "-o", "study")


def _inputs(folder: Path) -> None:
    (folder / "s.csv").write_text(series())
    (folder / "small.json").write_text(json.dumps(SMALL.to_dict()))


def _done(folder: Path, *line: str) -> None:
    with contextlib.chdir(folder):
        result = CliRunner(catch_exceptions=False).invoke(cli, line)
    if result.exit_code:
        raise RuntimeError(f"{' '.join(line)}: {result.stderr}")


def _make_run(folder: Path) -> None:
    """A finished run, and one that was stopped after an epoch."""
    _inputs(folder)
    _done(folder, *_TRAIN, "-o", "run")
    (folder / "stopped").mkdir()
    record = json.loads((folder / "run" / "run.json").read_text())
    for name in ("results", "warnings"):
        del record[name]
    state = torch.load(folder / "run" / "state.pt", weights_only=True)
    torch.save(state, folder / "stopped" / "state.pt")
    (folder / "stopped" / "run.json").write_text(json.dumps(record))


def damaged_state(rng: random.Random, data: bytes) -> bytes:
    """A checkpoint of which a part is lost, renamed, of another type or of another shape."""
    state = torch.load(io.BytesIO(data), weights_only=True)
    for _ in range(rng.choice((1, 1, 2))):
        inside = state
        for _ in range(rng.randrange(4)):
            deeper = [one for one in inside.values() if isinstance(one, dict) and one]
            inside = rng.choice(deeper) if deeper else inside
        name = rng.choice(list(inside)) if inside else "none"
        value = inside.get(name)
        match rng.randrange(5):
            case 0:
                inside.pop(name, None)
            case 1:
                inside["odd"] = inside.pop(name, None)
            case 2 if isinstance(value, torch.Tensor) and value.is_floating_point():
                inside[name] = value * float("nan")
            case 3 if isinstance(value, torch.Tensor):
                inside[name] = rng.choice((value[:0], value.flatten(), value.to(torch.int8), 3))
            case _:
                inside[name] = rng.choice(VALUES)
    out = io.BytesIO()
    torch.save(state if rng.randrange(20) else rng.choice((None, [], 3, {})), out)
    return out.getvalue()


def _run(case: Case) -> Verdict:
    name = case.rng.choice(("run", "stopped"))
    case.copy("s.csv", "small.json", name)
    run = case.folder / name
    hurt = case.rng.choice(("run.json", "run.json", "state.pt", "state.pt", "source.json"))
    if name == "stopped" and hurt == "source.json":
        hurt = "state.pt"
    hurts: Damage = damaged_json
    if hurt == "state.pt":
        hurts = case.rng.choice((damaged_state, damaged_bytes))
    case.damage(run / hurt, hurts)
    match case.rng.randrange(4):
        case 0:
            verdict = case.run("export", name, "-o", "out.safetensors", "--json")
            if hurts is damaged_bytes and verdict.outcome == "exit 0":
                made = load_model(case.folder / "out.safetensors")
                whole = load_model(case.originals / "run" / "model.safetensors")
                if not all(map(_same, made.operations, whole.operations)):
                    return Verdict("silent", "a state that was changed is exported")
            return verdict
        case 1:
            line = [*_TRAIN[: _TRAIN.index("--epochs")], "--time", "when", "--qat-epochs", "1"]
            more = case.rng.choice(((), ("--keep-scales",)))
            return case.run(*line, "--from", name, *more, "-o", "new")
        case _:
            return case.run(*_TRAIN, "-o", name, "--json", changes=(f"{name}/*",))


def _same(one, other) -> bool:
    """Whether two operations hold the same arrays."""
    arrays = [value for value in vars(other).values() if isinstance(value, np.ndarray)]
    mine = [value for value in vars(one).values() if isinstance(value, np.ndarray)]
    return all(map(np.array_equal, mine, arrays))


def _make_study(folder: Path) -> None:
    _inputs(folder)
    _done(folder, *_COMPARE, "--data", str(folder / "s.csv"))


def _study(case: Case) -> Verdict:
    case.copy("small.json", "study")
    _hurt(case, case.folder / "study")
    data = ("--data", case.originals / "s.csv")
    return case.run(*_COMPARE, *data, "--json", changes=("study/*", "study/*/*", "study/*/*/*"))


def _hurt(case: Case, folder: Path) -> None:
    """Damage a file of a study or search: records as JSON, as often as all others together."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    records = [path for path in files if path.suffix == ".json"]
    path = case.rng.choice(records if case.rng.randrange(2) else files)
    hurts = {".json": damaged_json, ".pt": case.rng.choice((damaged_state, damaged_bytes))}
    case.damage(path, hurts.get(path.suffix, damaged_bytes))


def _make_search(folder: Path) -> None:
    _inputs(folder)
    KnowledgeBase(folder / "kb.sqlite").add(few_entries())
    added = {name: {"4": 0.01, "8": 0.0} for name in existing(SMALL)}
    (folder / "added.json").write_text(json.dumps(added))
    _done(folder, *_SEARCH, "--data", str(folder / "s.csv"))


def _search(case: Case) -> Verdict:
    case.copy("small.json", "added.json", "kb.sqlite", "search")
    _hurt(case, case.folder / "search")
    data = ("--data", case.originals / "s.csv")
    return case.run(*_SEARCH, *data, "--json", changes=("search/*", "search/*/*", "search/*/*/*"))


RUN_KINDS = {
    "run": Kind(share=700, make=_make_run, case=_run),
    "study": Kind(share=250, make=_make_study, case=_study),
    "search": Kind(share=250, make=_make_search, case=_search),
}
