"""How the settings of docs/tasks.md were chosen: float models, on validation windows alone.

    python benchmarks/tasks_choice.py                    train what is missing, and print the table
    python benchmarks/tasks_choice.py --only base        this candidate only
    python benchmarks/tasks_choice.py --show             train nothing

No test window is looked at. `benchmarks/tasks.py` shows the table on its page. Ctrl-C loses no
epoch.
"""

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from tables import markdown_table
from tasks_rows import SEEDS, STRIKE, STRIKE_DATA, WIDE

from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.files import write_whole
from bitformer.model.float_run import float_model
from bitformer.model.own_data import suited_to
from bitformer.model.task.class_scores import ClassScores
from bitformer.model.torch_predict import predict
from bitformer.model.train import train_together

__all__ = ["CANDIDATES", "Candidate", "choose", "known", "table"]

FOLDER = Path(__file__).resolve().parent.parent / "build" / "tasks"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Settings that were tried: what they are called, a configuration, and those of the floats."""

    key: str
    title: str
    config: TransformerConfig = STRIKE
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asked(self) -> dict[str, Any]:
        """What is trained, as plain data."""
        return {"config": self.config.to_dict(), "settings": dict(self.settings)}


_BOTH = "shift=1,noise=0.1"
_LIGHT = {"epochs": 28, "dropout": 0.1, "augment": _BOTH}
_FORTY_EIGHT = WIDE.replace(name="strike-25-48", ffn=48)
_SIXTEEN = WIDE.replace(name="strike-25-16", ffn=64, mixing=16)
CANDIDATES = (
    Candidate(
        key="base",
        title="width 24, 32 and 32 numbers; windows as they are",
        settings={"epochs": 24, "dropout": 0.2},
    ),
    Candidate(
        key="sixteen",
        title=f"width 32, 16 and 64 numbers; `{_BOTH}`",
        config=_SIXTEEN,
        settings=_LIGHT,
    ),
    Candidate(
        key="sixteen-noise",
        title="the same; `shift=1,noise=0.2`",
        config=_SIXTEEN,
        settings={**_LIGHT, "augment": "shift=1,noise=0.2"},
    ),
    Candidate(
        key="wide", title=f"width 32, 32 and 32 numbers; `{_BOTH}`", config=WIDE, settings=_LIGHT
    ),
    Candidate(
        key="wider",
        title=f"width 32, 48 and 48 numbers, 1.39 µJ; `{_BOTH}`",
        config=_FORTY_EIGHT,
        settings={**_LIGHT, "epochs": 32},
    ),
    Candidate(
        key="wider-shift",
        title="the same; `shift=1`",
        config=_FORTY_EIGHT,
        settings={**_LIGHT, "epochs": 32, "augment": "shift=1"},
    ),
)


def known(one: Candidate, folder: Path) -> dict[str, Any] | None:
    """What was measured of a candidate; None where it was not, or of other settings."""
    path = folder / "choice" / one.key / "choice.json"
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    return record if record["asked"] == one.asked else None


def choose(one: Candidate, folder: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """Train the float models of all seeds; return and keep their errors on validation windows."""
    record = known(one, folder)
    if record is not None:
        return record
    named = dict(data)
    config, dataset = suited_to(named.pop("data"), one.config, lambda _: None, **named)
    own = folder / "choice" / one.key
    places = [own / f"seed-{seed}" for seed in SEEDS]
    runs = [
        {**one.settings, "method": "ptq", "device": "cpu", "seed": seed, "run_dir": place}
        for seed, place in zip(SEEDS, places, strict=True)
    ]
    errors = [result.float_val for result in train_together(config, dataset, runs)]
    scores = [_scores(place, config, dataset) for place in places]
    record = {
        "asked": one.asked,
        "cross_entropy": errors,
        "mean_group_f1": [score.mean_group_f1 for score in scores],
        "group_f1": [score.group_f1 for score in scores],
    }
    write_whole(own / "choice.json", json.dumps(record, indent=1) + "\n")
    return record


def _scores(run: Path, config: TransformerConfig, dataset: Dataset) -> ClassScores:
    """Scores of a run's float model on validation windows."""
    outputs = predict(float_model(run, config).float(), dataset.val.x)
    return ClassScores.of(
        outputs.argmax(axis=1), dataset.val, classes=config.horizon, groups=dataset.groups
    )


def table(folder: Path) -> list[str]:
    """The lines of what was tried, by validation; none where nothing was measured."""
    rows = []
    for one in CANDIDATES:
        record = known(one, folder)
        if record is None:
            continue
        errors, scores = record["cross_entropy"], record["mean_group_f1"]
        each = ", ".join(f"{score:.3f}" for score in scores)
        mean = f"{statistics.mean(scores):.3f} ({each})"
        rows.append([one.title, f"{statistics.mean(errors):.3f}", mean])
    if not rows:
        return []
    columns = ("tried", "cross entropy", "F1, mean over persons (of each seed)")
    return markdown_table(columns, rows)


@click.command()
@click.option("--only", multiple=True, type=click.Choice([one.key for one in CANDIDATES]))
@click.option("--show", is_flag=True, help="Train nothing.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def main(only: tuple[str, ...], show: bool, folder: Path) -> None:
    """Train the candidates that are missing, and print what validation says of them."""
    console = Console()
    for one in CANDIDATES:
        if not show and (not only or one.key in only) and known(one, folder) is None:
            console.log(one.key)
            choose(one, folder, STRIKE_DATA)
    console.print("\n".join(table(folder)), markup=False, soft_wrap=True)


if __name__ == "__main__":
    main(standalone_mode=True)
