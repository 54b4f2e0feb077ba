"""The page of the models that ship, from their cards."""

from collections.abc import Sequence
from pathlib import Path

from tables import grouped, markdown_table

from bitformer.model.ready.library import Card

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"

_FIRST = """\
# Models to start from

Written by `python benchmarks/ready_models.py --page` from the models' cards. Five trained,
verified integer models ship with bitformer: weights, scales and settings, no rows of data.
Their names stand wherever a model's file does:

```sh
bitformer models
bitformer models beijing-ozone-w4a8
bitformer info beijing-ozone-w4a8
bitformer estimate beijing-ozone-w4a8 --part xc7s15
bitformer build beijing-ozone-w4a8 --board sea --plan-only -o build/ozone
```

```python
import bitformer

model = bitformer.load("beijing-ozone-w4a8")
cards = {card.name: card for card in bitformer.models()}
print(model, cards[model.name].verdict)
```

A model's name is a configuration, too: `train --data my.csv --config beijing-ozone-w4a8` trains
one of the same shape and bits on your data.
"""

_LAST = """\
## How they were made

Each was trained with three seeds, of which validation chose; the test windows were seen once.
The command in a card trains the chosen one again; on the same processor, with the same torch
and one thread, it gives the same integers. Another processor rounds float sums differently, and
training then ends in other integers of about the same error.
`python benchmarks/ready_models.py --check` runs all five commands and compares the integers;
here, {made}, it says «the same integers» of each. `python benchmarks/ready_models.py NAME`
trains three seeds and writes the model and its card anew.

Every test window went through the compiled accelerator, each element of each tensor compared
with the reference. Cycles are simulated; energy is the model of [`bitformer
estimate`](energy.md) at 100 MHz, without a board's shell.
"""


def page(cards: Sequence[Card]) -> str:
    """The page's text."""
    columns = ("name", "what it does", "MACs", "cycles on the XC7S15", "µJ", "bit-exact")
    rows = [
        (
            f"`{card.name}`",
            card.title,
            grouped(card.macs),
            grouped(card.cycles),
            f"{card.energy_uj:.2f}",
            f"all {grouped(card.verified_windows)} windows",
        )
        for card in cards
    ]
    lines = [_FIRST, *markdown_table(columns, rows)]
    for card in cards:
        lines += _section(card)
    return "\n".join([*lines, _LAST.format(made=cards[0].made_with)])


def _section(card: Card) -> list[str]:
    facts = [
        ("data", card.data),
        ("licence", card.licence),
        ("split", card.split),
        ("bits", card.bits),
        ("stored", f"{grouped(card.parameters)} parameters"),
        ("chosen", card.chosen),
        ("hash", f"`{card.model_hash}`"),
    ]
    scores = [(name, _score(value)) for name, value in card.scores.items()]
    heading = "on test rows" if card.task == "detect" else "test MSE, standardised"
    return [
        f"## {card.name}",
        "",
        f"{card.title}. {card.verdict}.",
        "",
        *markdown_table(("", ""), facts),
        *markdown_table(("forecast" if card.task == "forecast" else "", heading), scores),
        "<!-- needs: minutes -->" if "nyc-taxi" in card.name else "<!-- needs: published data -->",
        "```sh",
        card.command,
        "```",
        "",
    ]


def _score(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"
