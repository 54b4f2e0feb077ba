"""Configurations and series: what a user writes."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from fuzz.case import Case, Kind
from fuzz.damage import damaged_json, damaged_table
from fuzz.judge import Verdict

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.clipping import clipped
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.data.datasets import load_dataset
from bitformer.model.forecasts.forecasting import prepared
from bitformer.model.initialize import initialize
from bitformer.model.precision import Precision
from bitformer.model.reference import predict

__all__ = ["DATA_KINDS", "SMALL", "series", "small_model"]

#: As small as a model gets.
SMALL = TransformerConfig(
    name="small",
    window=8,
    horizon=2,
    patch=4,
    d_model=4,
    ffn=4,
    subtract_last=True,
    default=Precision(weights=4, activations=8),
)


def series(rows: int = 200) -> str:
    """A CSV file with a column of times and two of numbers."""
    lines = ["when,power,wind"]
    for row in range(rows):
        power = 10 + math.sin(row / 4) + (row * 7919 % 13) / 20
        lines.append(f"2024-01-{row // 24 + 1:02d} {row % 24:02d}:00,{power:.3f},{row % 7}")
    return "\n".join(lines) + "\n"


def small_model(path: Path) -> None:
    """An untrained model that knows the scales of :func:`series`."""
    scales = {"mean": [10.0], "std": [0.7], "target_mean": 10.0, "target_std": 0.7}
    data = {"name": "s.csv", "inputs": ["power"], "target": "power", **scales}
    save_model(replace(initialize(SMALL), meta={"dataset": data}), path)


def _make_configs(folder: Path) -> None:
    names = ("tiny", "etth1-48-24-ed", "grid-6-8-4")
    for config in (SMALL, *map(named_config, names)):
        (folder / f"{config.name}.json").write_text(json.dumps(config.to_dict()))
    data = {"name": "mine", "window": 8, "d_model": 4, "ffn": 8, "tensors": {"layers.0.q": 4}}
    data |= {"precision": {"MHA": {"weights": 2, "activations": 8}}, "weight_scales": "tensor"}
    (folder / "mine.json").write_text(json.dumps(data))


def _config(case: Case) -> Verdict:
    names = sorted(path.name for path in case.originals.iterdir())
    path = case.damage(case.copy(case.rng.choice(names)), damaged_json)
    return case.run("init", path, "-o", case.folder / "m.safetensors", "--json")


#: Ways to read a file, most of which are wrong for it.
_HOW: tuple[tuple[str, ...], ...] = (
    *((),) * 8,
    ("--decimal", ","),
    ("--missing", "?,-1", "--strip", "kW"),
    ("--skip", "1"),
    ("--header", "when,power,wind"),
    ("--encoding", "utf-16"),
    ("--time-format", "%d/%m/%Y %H:%M"),
    ("--time-zone", "Europe/Berlin"),
)


def _make_series(folder: Path) -> None:
    (folder / "s.csv").write_text(series())
    small_model(folder / "m.safetensors")


def _csv(case: Case) -> Verdict:
    path = case.damage(case.copy("s.csv"), damaged_table)
    model = case.originals / "m.safetensors"
    time = case.rng.choice((("--time", "when"), ()))
    how = case.rng.choice(_HOW)
    if case.rng.randrange(3):
        columns = case.rng.choice((("--target", "power"), ("--target", "wind"), ()))
        return case.run("evaluate", model, "--data", path, *columns, *time, *how, "--json")
    loaded = load_model(model)

    def newest():
        reading = {"time": "when" if time else None}
        none = dict.fromkeys(("at", "target", "inputs", "interval"))
        asked = prepared(loaded, str(path), windows=2, reading=reading, **none)
        forecasts = predict(loaded, asked.x)
        beyond = clipped(loaded, asked.x, asked.rows.scales, forecast=forecasts)
        answer = asked.answered(forecasts, engine="integer", clipped=beyond)
        answer.to_csv()
        answer.to_dict()

    return case.call("prepared", newest)


def _make_recordings(folder: Path) -> None:
    for group in "ab":
        for label in ("run", "walk"):
            path = folder / "gait" / f"{group}_{label}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text(series(60))
    lines = series(200).splitlines()
    marks = ["what,who", *(f"{'ab'[row // 10 % 2]},{row // 100}" for row in range(200))]
    rows = [f"{line},{mark}" for line, mark in zip(lines, marks, strict=True)]
    (folder / "s.csv").write_text("\n".join(rows) + "\n")


#: Where classes and groups are, most often truly, and how windows are cut.
_CLASSES: tuple[dict[str, Any], ...] = (
    *({"label": "what", "group": "who"},) * 3,
    *({"label": "what"},) * 2,
    {"label": "who", "series": "what"},
    {"label": "power"},
    {"label": "when", "group": "when"},
    {"label": "what", "group": "who", "test_groups": "1"},
)
_FILES: tuple[dict[str, Any], ...] = (
    *({"files": "{group}_{label}.csv"},) * 4,
    {"files": "{label}.csv"},
    {"files": "*/{label}"},
    {"files": "{label}[?]**.csv"},
    {"files": "{group}_*", "label": "wind"},
    {"files": "{group}_{label}.csv", "test_groups": "b", "val_groups": "a"},
)
_CUT: tuple[dict[str, Any], ...] = (
    *({},) * 4,
    {"stride": 3},
    {"every": 2},
    {"missing": "what=a,1"},
    {"inputs": "power,wind"},
    {"time": "when"},
    {"time": "when", "step": "2h", "max_fill": 2},
    {"calendar": ("hour",), "time": "when"},
    {"reverse": True},
)


def _classes(case: Case) -> Verdict:
    rng = case.rng
    if rng.randrange(2):
        data, where = case.copy("gait"), rng.choice(_FILES)
        names = sorted(path.name for path in data.iterdir())
        case.damage(data / rng.choice(names), damaged_table)
    else:
        data, where = case.damage(case.copy("s.csv"), damaged_table), rng.choice(_CLASSES)
    options = {"window": rng.choice((1, 4, 4, 12, 200)), **rng.choice(_CUT), **where}

    def windows():
        found = load_dataset(str(data), horizon=2, **options)
        for part in (found.train, found.val, found.test):
            assert part.x.shape == (len(part), options["window"], len(found.inputs))
            assert set(part.label.tolist()) <= set(range(len(found.classes)))
            assert set(part.group_of.tolist()) <= set(range(max(1, len(found.groups))))

    return case.call(f"load_dataset({options})", windows)


DATA_KINDS = {
    "config": Kind(share=1300, make=_make_configs, case=_config),
    "csv": Kind(share=900, make=_make_series, case=_csv),
    "classes": Kind(share=300, make=_make_recordings, case=_classes),
}
