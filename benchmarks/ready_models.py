"""The models that ship: trained, chosen, proved and measured, each with its card.

    python benchmarks/ready_models.py beijing-ozone-w4a8   train, choose and write this one anew
    python benchmarks/ready_models.py --check              train each by its card's command, compare
    python benchmarks/ready_models.py --page               write docs/models.md from the cards

Of each, three seeds are trained, and validation chooses. Ctrl-C loses nothing: the same command
goes on. Data are looked for in the folder that BITFORMER_DATA names, and fetched if need be.
"""

import dataclasses
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from ready_page import PAGE, page
from ready_recipes import RECIPES, Recipe
from tasks_detect import EWMA, LAST, LINE, nab_file

import bitformer
from bitformer.model.checkpoint import save_model
from bitformer.model.files import write_whole
from bitformer.model.identity import model_hash
from bitformer.model.ir import IntegerModel
from bitformer.model.precision import PATH_COMPONENTS
from bitformer.model.ready import library
from bitformer.model.ready.library import Card, ready_cards
from bitformer.model.scored_data import scored_data
from bitformer.model.task.thresholds import Rule
from bitformer.sim.run import simulate

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "ready"
SHIPPED = Path(library.__file__).parent
PART, SEEDS = "xc7s15", (0, 1, 2)
#: No base but the one that ships: everybody's figures.
os.environ["BITFORMER_KB"] = str(FOLDER / "kb.sqlite")


def without_rows(model: IntegerModel) -> IntegerModel:
    """The model without the rows of its data that tell a later file's new rows from the old."""
    meta = json.loads(json.dumps(dict(model.meta)))
    meta["dataset"].pop("last_seen", None)
    return dataclasses.replace(model, meta=meta)


def trained(recipe: Recipe, folder: Path) -> tuple[int, bitformer.Training]:
    """The seed of least validation error and its training."""
    found = {}
    for seed in SEEDS:
        click.echo(f"{recipe.name}: seed {seed}", err=True)
        run = folder / recipe.name / f"seed-{seed}"
        asked = {**recipe.arguments, "config": recipe.config, "name": recipe.name}
        found[seed] = bitformer.Training.run(**asked, to=run, seed=seed, device="cpu")
    best = min(SEEDS, key=lambda seed: found[seed].result.quantized_val)
    return best, found[best]


def scores_of(model: bitformer.Model) -> tuple[dict[str, Any], str, str]:
    """Scores on test windows, what is to be thought of them, and how the rows were split."""
    found: Any = model.evaluate()
    notes = [note for note in found.dataset.notes if "windows of" in note or "Split" in note]
    data, split = found.to_dict(), ". ".join(notes).removeprefix("Split: ")
    if model.config.task == "detect":
        events = data["events"]
        scores = {
            "labelled windows": events["windows"],
            "found": events["found"],
            "false alarms": events["false"],
            "false alarms a day": events["false_a_day"],
            "test rows": data["test_windows"],
        }
        judge = model.integer.detector
        assert judge is not None
        # by the same smoothing and factor, as nothing of them is chosen
        others = nab_file(found.dataset.name, [judge.smoothing])
        for name in (EWMA, LAST, LINE):
            counts = others[name][f"{judge.smoothing} {Rule.factor} 1.0 0"]
            scores |= {f"found, {name}": counts["found"], f"false, {name}": counts["false"]}
        said = (
            f"It finds {events['found']} of {events['windows']} labelled windows and raises"
            f" {events['false']} false alarm(s) in {data['days']:.0f} days"
        )
        return scores, said, split
    results = model.integer.meta["results"]
    assert isinstance(results, Mapping)
    scores = {
        "integer": next(iter(data["test_mse"].values())),
        "float": results["float_test"],
        **{name: error for name, error in data["baseline_mse"].items() if error is not None},
    }
    return scores, str(found.verdict), split


def bits_of(model: IntegerModel) -> str:
    """Bits of weights, activations, samples and results, in words."""
    config = model.config
    head, path = (config.bits(name).weights for name in ("Loutput", *PATH_COMPONENTS[:1]))
    more = f", linear path {path}" if config.linear_path else ""
    return (
        f"weights {config.default.weights} (head {head}{more}), activations"
        f" {config.default.activations}, samples {config.input_bits}, results {config.output_bits}"
    )


def card_of(recipe: Recipe, seed: int, model: bitformer.Model) -> Card:
    """Prove and measure a model on the part, and write its card."""
    design = bitformer.lower(model, part=PART)
    test = scored_data(model.integer, data=None).test
    judged = test.y if model.config.task == "detect" else None
    ran = simulate(
        design.lowered, model.integer.quantize_input(test.x, test.clock, judged), engine="native"
    )
    if not ran.bit_exact or ran.cycles_as_predicted is not True:
        sys.exit(f"{recipe.name} is not bit exact: {ran.difference}")
    estimate = design.estimate()
    scores, verdict, split = scores_of(model)
    parameters = sum(op.parameter_count for op in model.integer.operations)
    return Card(
        name=recipe.name,
        title=recipe.title,
        task=model.config.task,
        data=recipe.data,
        licence=recipe.licence,
        split=split,
        command=recipe.command(seed),
        chosen=f"seed {seed} of {', '.join(map(str, SEEDS))}, by the least validation error",
        made_with=f"torch {version('torch').split('+')[0]}, numpy {version('numpy')}, one thread",
        config=model.config.to_dict(),
        bits=bits_of(model.integer),
        parameters=parameters,
        macs=model.macs,
        scores=scores,
        verdict=verdict,
        part=PART,
        cycles=design.latency,
        interval=design.interval,
        energy_uj=round((estimate.energy_j or 0.0) * 1e6, 3),
        fits=estimate.fits,
        verified_windows=len(ran.outputs),
        model_hash=model_hash(model.integer).hex(),
    )


def make(recipe: Recipe, folder: Path) -> None:
    """Write a model and its card into the package."""
    seed, training = trained(recipe, folder)
    assert training.model is not None
    integer = without_rows(training.model.integer)
    path = SHIPPED / f"{recipe.name}.safetensors"
    save_model(integer, path)
    card = card_of(recipe, seed, bitformer.load(path))
    text = json.dumps(card.to_dict(), indent=1, ensure_ascii=False) + "\n"
    write_whole(SHIPPED / f"{recipe.name}.json", text)
    click.echo(text)


def check(card: Card, folder: Path) -> bool:
    """Train a model by its card's command, and say whether it is the one that ships."""
    *words, run = shlex.split(card.command)
    assert words[0] == "bitformer"
    assert words[-1] == "-o"
    run = str(folder / "check" / card.name)
    command = [sys.executable, "-m", "bitformer.cli.main", *words[1:], run, "--restart"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    again = bitformer.load(Path(run, "model.safetensors"))
    same = model_hash(again.integer).hex() == card.model_hash
    scores, verdict, _ = scores_of(again)
    told = "the same integers" if same else f"other integers: {scores}"
    click.echo(f"{card.name}: {told}. {verdict}")
    return same


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([one.name for one in RECIPES]))
@click.option("--check", "checks", is_flag=True, help="Reproduce instead of writing anew.")
@click.option("--page", "pages", is_flag=True, help=f"Write {PAGE.name} from the cards alone.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)
def main(names: tuple[str, ...], checks: bool, pages: bool, folder: Path) -> None:
    """Train the models that ship, all or some, or check that they are reproduced."""
    if pages:
        PAGE.write_text(page(ready_cards()), encoding="utf-8")
        return
    if checks:
        cards = [card for card in ready_cards() if not names or card.name in names]
        found = [check(card, folder) for card in cards]
        sys.exit(not all(found))
    for recipe in RECIPES:
        if not names or recipe.name in names:
            make(recipe, folder)


if __name__ == "__main__":
    main()
