"""The models that ship: their files by name, and the card of each.

A card says what a model is for, what it was trained on and under which licence, what its errors are
beside those of baselines, what it costs on a part, and the command that makes it again. The files
hold weights, scales and settings; rows of the data are in none of them.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bitformer.model.alike import none_of
from bitformer.model.errors import UserError
from bitformer.model.plain import built
from bitformer.model.strict_json import read_json

__all__ = ["Card", "ready_card", "ready_cards", "ready_names", "ready_path"]

#: Beside this file: of each model NAME.safetensors and NAME.json.
_FOLDER = Path(__file__).parent
_MODEL, _CARD = ".safetensors", ".json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What there is to know of a model that ships.

    Parameters
    ----------
    name : what it is loaded by. title : what it does, in a sentence.
    task : ``"forecast"`` or ``"detect"``.
    data, licence, split : what it was trained on, what that may be used for, and which rows train,
        select and test.
    command : trains the same again. chosen : among what, and how, it was chosen.
    made_with : releases of what trained it, on which last digits of the errors depend.
    config : fields of its :class:`~bitformer.model.config.TransformerConfig`.
    bits : of weights, activations, samples and results, in words.
    parameters : integers that are stored. macs : multiply-accumulates of an inference.
    scores : on test windows. Of a forecast, mean squared errors of the standardised target, by
        forecast, ``integer`` and ``float`` first; of a detector, labelled windows found and false
        alarms.
    verdict : what is to be thought of them beside the best baseline, in a sentence.
    part, cycles, interval, energy_uj, fits : of an inference on an FPGA: latency, cycles from one
        to the next, and microjoules at 100 MHz by the model of ``bitformer estimate``.
    verified_windows : test windows that the accelerator was simulated on, every element of every
        tensor compared with the reference and equal.
    model_hash : of what it computes.
    """

    name: str
    title: str
    task: str
    data: str
    licence: str
    split: str
    command: str
    chosen: str
    made_with: str
    config: Mapping[str, Any]
    bits: str
    parameters: int
    macs: int
    scores: Mapping[str, Any]
    verdict: str
    part: str
    cycles: int
    interval: int
    energy_uj: float
    fits: bool
    verified_windows: int
    model_hash: str

    @property
    def path(self) -> Path:
        """The model's file."""
        return _FOLDER / f"{self.name}{_MODEL}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return dataclasses.asdict(self)


@cache
def ready_names() -> tuple[str, ...]:
    """Return the names of the models that ship."""
    return tuple(sorted(path.stem for path in _FOLDER.glob(f"*{_MODEL}")))


def ready_path(name: object) -> Path | None:
    """Return the file of a model that ships, by its name; None if none has that name."""
    text = str(name)
    return _FOLDER / f"{text}{_MODEL}" if text in ready_names() else None


def ready_cards() -> tuple[Card, ...]:
    """Return the cards of all models that ship."""
    return tuple(map(ready_card, ready_names()))


@cache
def ready_card(name: str) -> Card:
    """Return the card of a model that ships.

    Raises
    ------
    UserError
        If none has that name, or its card is damaged.
    """
    if name not in ready_names():
        raise UserError(none_of("model", name, ready_names()))
    return built(Card, read_json(_FOLDER / f"{name}{_CARD}", "Card"), f"card {name}")
