"""How much faster seeds are trained together than one after another, on one core.

    python benchmarks/together.py            a table
    python benchmarks/together.py --json

A ratio is that of the processor's seconds of the same epochs, alone over together, in one run, the
least of several rounds. Both ways must come to the same weights, bit for bit. Validation, which
each model has by itself, is in it. The series is a generated one: speed does not depend on it.
"""

import dataclasses
import json
import time
from typing import Any

import click
import torch

from bitformer.model.own_data import suited_to
from bitformer.model.together import run_epoch
from bitformer.model.train_settings import TrainSettings
from bitformer.model.trainer import Trainer

CONFIGS = ("etth1-96-24", "mixer-96-24", "etth1-48-24-ed", "grid-12-32-4")
#: Windows of an epoch, and of validation.
_WINDOWS, _VALIDATED = 1920, 200


def trainers(config: str, count: int, *, rounded: bool) -> list[Trainer]:
    """Return trainers of ``count`` seeds, before their first epoch without rounding or with it."""
    chosen, dataset = suited_to("synthetic", config, lambda _: None)
    dataset = dataclasses.replace(
        dataset,
        train=dataset.train.take(slice(_WINDOWS)),
        val=dataset.val.take(slice(_VALIDATED)),
    )
    made = []
    for seed in range(count):
        settings = TrainSettings(seed=seed, lowering=(), batch=64).fitted(len(dataset.train))
        trainer = Trainer(chosen, dataset, settings, torch.device("cpu"))
        while rounded and not trainer.stage.quantized:
            trainer.next_stage()
        made.append(trainer)
    return made


def measured(config: str, count: int, rounds: int) -> dict[str, Any]:
    """Return both seconds of an epoch, without rounding and with it."""
    found: dict[str, Any] = {"config": config, "seeds": count}
    for rounded in (False, True):
        alone, joined = (trainers(config, count, rounded=rounded) for _ in range(2))
        seconds = {"alone": float("inf"), "together": float("inf")}
        for _ in range(rounds):
            begin = time.process_time()
            for one in alone:
                one.run_epoch()
            middle = time.process_time()
            run_epoch(joined)
            end = time.process_time()
            seconds["alone"] = min(seconds["alone"], middle - begin)
            seconds["together"] = min(seconds["together"], end - middle)
            for one, other in zip(alone, joined, strict=True):
                states = one.model.state_dict(), other.model.state_dict()
                if not all(map(torch.equal, states[0].values(), states[1].values())):
                    raise SystemExit(f"{config}: weights must be equal, and are not")
        found["qat" if rounded else "float"] = seconds
    return found


@click.command()
@click.option("--seeds", default="3,8", show_default=True, help="How many, as a list.")
@click.option("--config", "configs", multiple=True, default=CONFIGS)
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(seeds: str, configs: tuple[str, ...], rounds: int, as_json: bool) -> None:
    """Measure trainings of several seeds, together and one after another."""
    torch.set_num_threads(1)
    counts = [int(one) for one in seeds.split(",")]
    asked = [(config, count) for config in configs for count in counts]
    if as_json:
        click.echo(json.dumps([measured(*one, rounds) for one in asked], indent=1))
        return
    click.echo("| config | seeds | without rounding | with rounding |")
    click.echo("|---|---:|---:|---:|")
    for config, count in asked:
        found = measured(config, count, rounds)
        ratios = [found[kind]["alone"] / found[kind]["together"] for kind in ("float", "qat")]
        click.echo(f"| {config} | {count} | {ratios[0]:.2f} × | {ratios[1]:.2f} × |")


if __name__ == "__main__":
    main()
