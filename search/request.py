"""What a search is asked: a shape, data, limits, bits to choose from, and how much to spend."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bitformer.model.config import TransformerConfig
from bitformer.model.data.reading import DataSource
from bitformer.model.errors import UserError
from bitformer.model.precision import UNIFORM, Precision
from bitformer.model.train_settings import METHODS
from bitformer.search.candidates import enumerable
from bitformer.search.engine import Engine, engines_of_rows
from bitformer.search.limits import Limits
from bitformer.search.selection import SCORES
from bitformer.search.space.choices import searchable
from bitformer.study.trials import Trial

__all__ = ["ROWS", "SYNTHESES", "SearchRequest"]

#: Which trained candidates are synthesized, or placed and routed.
SYNTHESES = ("all", "chosen", "none")
#: Token rows of engines: one, several where these are faster, or both to choose from.
ROWS = ("one", "several", "both")


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What is searched for.

    Parameters
    ----------
    config : the shape; its own bits do not count, but those of samples and results do.
    source : data to train and select on.
    limits : what a design may take.
    bits : choices of each component, or of each weight and tensor if ``per_tensor``.
    baselines : bits that everything has, trained for comparison; None takes ``bits``.
    score : ``"loss"`` or ``"bits"`` (:func:`bitformer.search.selection.choose`).
    top : how many are trained, beside the uniform ones.
    seed : of training, and of drawing where not everything can be looked at.
    engines : to choose from; the uniform ones have the first.
    rows : ``"one"`` token row; ``"several"``, with columns of LUTs, as are the fastest for uniform
        bits; or ``"both"``.
    method : how sensitivities are measured, ``"ptq"`` or ``"qat"``: by calibration or training.
    settings : of training (:class:`bitformer.model.train_settings.TrainSettings`).
    tries : designs that are looked at where the space is not enumerated.
    windows : real ones that each candidate is simulated on.
    synthesis : which of the trained are synthesized.
    route : which of the synthesized are placed and routed, on a part that is routed here.
    blocks : kinds of layers to choose among; empty for that of ``config`` alone.
    """

    config: TransformerConfig
    source: DataSource
    limits: Limits
    bits: tuple[Precision, ...]
    baselines: tuple[Precision, ...] | None = None
    score: str = "loss"
    top: int = 5
    seed: int = 0
    engines: tuple[Engine, ...] = (Engine(),)
    rows: str = "one"
    method: str = "ptq"
    settings: Mapping[str, Any] = field(default_factory=dict)
    per_tensor: bool = False
    tries: int = 400
    windows: int = 8
    synthesis: str = "all"
    route: str = "chosen"
    blocks: tuple[str, ...] = ()

    def __post_init__(self):
        for name, known in (
            *(("score", SCORES), ("method", METHODS)),
            *(("synthesis", SYNTHESES), ("route", SYNTHESES), ("rows", ROWS)),
        ):
            if getattr(self, name) not in known:
                raise UserError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"
                )
        if not self.bits or len(set(self.bits)) != len(self.bits):
            said = ", ".join(map(str, self.bits))
            raise UserError(f"bits of a search must name each choice once, not {said!r}")
        if len(set(self.blocks)) != len(self.blocks):
            raise UserError(f"--block must name each kind once, not {','.join(self.blocks)}")
        if not self.engines or len(set(self.engines)) != len(self.engines):
            said = ", ".join(map(str, self.engines))
            raise UserError(f"engines of a search must name each choice once, not {said!r}")
        phases = max(one.phases for one in self.engines)
        if phases > 1 and not self.config.stream:
            raise UserError(f"phases must be 1 for a model of windows, not {phases}")
        others = [one for one in self.bits if not searchable(one)]
        if self.enumerated and others:
            raise UserError(
                "bits of components must be 2 to 8 to be searched, and of weights 1 to 8, not"
                f" {others[0]}; with --per-tensor there may be more"
            )
        powers = [one for one in self.bits if one.scheme != UNIFORM]
        if powers and not self.enumerated:
            remedy = (
                f"write {powers[0].weights} for {powers[0]}"
                if self.per_tensor
                else "name fewer bits, or none with a p"
            )
            raise UserError(
                "bits of single weights and tensors must be uniform, as these are searched, not"
                f" {powers[0]}: {remedy}"
            )
        for name in ("top", "tries", "windows"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be a positive integer, not {getattr(self, name)}")

    @property
    def compared(self) -> tuple[Precision, ...]:
        """Bits of the baselines."""
        return self.bits if self.baselines is None else self.baselines

    @cached_property
    def tried(self) -> tuple[Engine, ...]:
        """All engines to choose from: those of several rows are lowered to be known.

        Where none of several rows is better than one, that is tried.
        """
        if self.rows == "one":
            return self.engines
        several = [
            own
            for lanes in dict.fromkeys(one.lanes for one in self.engines)
            for own in engines_of_rows(self.config, self.bits, self.limits.part, lanes)
        ]
        plain = self.engines if self.rows == "both" or not several else ()
        return tuple(dict.fromkeys((*plain, *several)))

    @property
    def measured(self) -> tuple[Precision, ...]:
        """Bits whose sensitivities are asked for: those of the choices and of the baselines."""
        return tuple(dict.fromkeys((*self.bits, *self.compared)))

    @property
    def enumerated(self) -> bool:
        """Whether all combinations are looked at."""
        return not self.per_tensor and enumerable(self.config, self.bits)

    def trial(self, config: TransformerConfig) -> Trial:
        """Return the training of a candidate."""
        settings = {**self.settings, "seed": self.seed, "method": "qat"}
        return Trial(config=config, source=self.source, settings=settings)

    def to_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        data = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        if not self.blocks:
            del data["blocks"]  # a question as it was asked before there was a choice
        if self.rows == "one":
            del data["rows"]  # the same
        return data | {
            "config": self.config.to_dict(),
            "source": self.source.to_dict(),
            "limits": dataclasses.asdict(self.limits),
            "bits": [str(one) for one in self.bits],
            "engines": [one.options for one in self.engines],
            "baselines": [str(one) for one in self.compared],
            "settings": dict(self.settings),
        }
