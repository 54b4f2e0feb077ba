"""Configurations and series: what a user writes."""

import json
import math
from dataclasses import replace
from pathlib import Path

from fuzz.case import Case, Kind
from fuzz.damage import damaged_json, damaged_table
from fuzz.judge import Verdict

from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import TransformerConfig, named_config
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
        answer = asked.answered(predict(loaded, asked.x), engine="integer")
        answer.to_csv()
        answer.to_dict()

    return case.call("prepared", newest)


DATA_KINDS = {
    "config": Kind(share=1300, make=_make_configs, case=_config),
    "csv": Kind(share=1200, make=_make_series, case=_csv),
}
