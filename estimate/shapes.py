"""Random designs of every family of shapes: what a knowledge base is measured on and judged by.

A family is a kind of model, or of hardware for it, whose logic others do not have: a decoder, words
of 16 bits, layers without attention, token rows. Estimates are fitted on some designs of each, and
how well they hold for a kind that nobody measured is told by leaving a family out.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from bitformer.estimate.jobs import Job
from bitformer.hw.design import Design
from bitformer.hw.lowering.place import cost, crowding
from bitformer.hw.parts import MEASURED, PARTS
from bitformer.model.config import TransformerConfig, grid_config
from bitformer.model.errors import UserError
from bitformer.model.precision import Precision

__all__ = ["FAMILIES", "drawn", "family_of"]

_SMALL, _USUAL, _LARGER, _LARGEST = MEASURED
#: Draws of one design until one can be lowered for its part.
_TRIES = 100


class _Draw:
    """Draws from a generator.

    ``kind`` is a share that stays the same where a design is drawn again: what is rarely possible
    would be rare otherwise.
    """

    def __init__(self, seed: int, number: int, attempt: int):
        self.kind = float(np.random.default_rng([seed, number]).random())
        self.rng = np.random.default_rng([seed, number, attempt])

    def of(self, *choices: Any) -> Any:
        """Return one of the choices, each as likely."""
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        """Return True in this share of draws."""
        return bool(self.rng.random() < share)

    def bits(self, weights: tuple[int, ...], activations: tuple[int, ...]) -> Precision:
        """Return one of the widths of weights with one of those of activations."""
        return Precision(weights=self.of(*weights), activations=self.of(*activations))

    def mixed(
        self,
        config: TransformerConfig,
        weights: tuple[int, ...] = (1, 2, 3, 4, 6, 8),
        activations: tuple[int, ...] = (3, 4, 5, 6, 7, 8),
    ) -> TransformerConfig:
        """Return ``config`` with bits of its own for each component, or the same for most."""
        if self.chance(0.4):
            own = self.bits((2, 4, 8), (4, 8))
            head = {"Loutput": Precision(weights=8, activations=8)} if self.chance(0.5) else {}
            found = config.replace(default=own, precision=head)
        else:
            names = config.components
            bits = {name: self.bits(weights, activations) for name in names}
            if "Lpath" in names and self.chance(0.7):
                bits.pop("Lpath")
            found = config.replace(precision=bits)
        return found.replace(input_bits=self.samples(config), output_bits=self.samples(config))

    def samples(self, config: TransformerConfig) -> int:
        """Return the bits of a stream: most of those from which something is subtracted have 16."""
        if config.subtract_last and self.chance(0.7):
            return 16
        return self.of(6, 8, 8, 10, 12)


def _forecaster(draw: _Draw, **changes: Any) -> TransformerConfig:
    """Return an encoder of a few tokens, of the kinds that forecasts of a series have."""
    heads, patch, tokens = draw.of(1, 2, 4), draw.of(1, 2, 4, 8), draw.of(4, 6, 8, 12)
    d_model = heads * draw.of(4, 6, 8, 12)
    found = {
        "name": "shape",
        "window": patch * tokens,
        "inputs": draw.of(1, 1, 3),
        "horizon": draw.of(1, 4, 6, 12, 24),
        "patch": patch,
        "d_model": d_model,
        "heads": heads,
        "ffn": d_model * draw.of(1, 2, 4),
        "norm": draw.of("layer", "layer", "batch"),
        "pooling": draw.of("flatten", "flatten", "mean", "last"),
        "subtract_last": draw.chance(0.5),
        "linear_path": draw.chance(0.5),
    }
    return TransformerConfig(**{**found, **changes})


def _smallest(draw: _Draw) -> str:
    return str(draw.of(_USUAL, _USUAL, _USUAL, _SMALL, _LARGER))


def _encoder(draw: _Draw) -> Job:
    return Job(config=draw.mixed(_forecaster(draw)), part=_smallest(draw))


def _grid(draw: _Draw) -> Job:
    config = grid_config(draw.of(6, 12, 18, 24), draw.of(8, 16, 32, 64), 8)
    return Job(config=draw.mixed(config), part=draw.of(_USUAL, _USUAL, _USUAL, _SMALL))


def _odd(draw: _Draw) -> Job:
    """Draw a width that is no power of two, and one or two layers."""
    config = grid_config(draw.of(9, 16, 30), draw.of(12, 24, 48), 8)
    config = config.replace(
        layers=draw.of(1, 2),
        norm=draw.of("batch", "layer", "layer"),
        pooling=draw.of("mean", "flatten"),
        inputs=draw.of(1, 3, 7),
    )
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _etth1(draw: _Draw) -> Job:
    config = TransformerConfig(
        name="shape",
        window=draw.of(48, 96),
        horizon=24,
        patch=draw.of(4, 8),
        d_model=draw.of(16, 24, 32),
        heads=2,
        ffn=draw.of(32, 64),
        subtract_last=True,
        linear_path=draw.chance(0.8),
    )
    return Job(config=draw.mixed(config), part=draw.of(_USUAL, _USUAL, _SMALL))


def _decoder(draw: _Draw) -> Job:
    patch, tokens = draw.of(1, 2, 4), draw.of(4, 6, 8)
    config = _forecaster(
        draw,
        window=patch * tokens,
        patch=patch,
        horizon=patch * tokens // 2,
        decoder_layers=draw.of(1, 1, 2),
        linear_path=False,
        pooling="flatten",
    )
    config = draw.mixed(config)
    if draw.chance(0.5):
        wide = Precision(weights=16, activations=16)
        config = config.replace(
            precision=dict.fromkeys(("Linput", "Dinput", "CMHA", "Loutput"), wide)
        )
    return Job(config=config, part=_smallest(draw))


def _wide(draw: _Draw) -> Job:
    """Draw layers of 1 to 16 bits beside each other."""
    config = draw.mixed(_forecaster(draw))
    bits = {
        name: draw.bits((1, 2, 3, 4, 6, 8, 16, 16), (2, 3, 4, 5, 6, 7, 8, 16, 16))
        for name in config.components
    }
    return Job(config=config.replace(precision=bits), part=_smallest(draw))


def _several(draw: _Draw) -> Job:
    """Draw several inputs, and several series that are forecast."""
    inputs, targets = draw.of(2, 4, 5, 7), draw.of(1, 2, 2)
    config = _forecaster(draw, inputs=inputs, targets=targets, horizon=draw.of(1, 4, 6))
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _asymmetric(draw: _Draw) -> Job:
    config = draw.mixed(_forecaster(draw))
    return Job(config=config.replace(asymmetric=True), part=_smallest(draw))


def _mixer(draw: _Draw) -> Job:
    config = _forecaster(
        draw, block="mixer", heads=1, d_model=draw.of(8, 16, 24, 32), mixing=draw.of(0, 8, 16)
    )
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _mlp(draw: _Draw) -> Job:
    window = draw.of(24, 48, 96)
    config = _forecaster(
        draw,
        block="mlp",
        heads=1,
        window=window,
        patch=draw.of(window, window // 4),
        d_model=draw.of(16, 24, 32, 64),
    )
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _kinds(draw: _Draw) -> Job:
    """Draw GELU, norms before sublayers, one weight for queries and keys."""
    heads = draw.of(1, 2)
    pre_norm = draw.chance(0.5)
    config = _forecaster(
        draw,
        heads=heads,
        d_model=heads * draw.of(8, 12, 16),
        activation=draw.of("gelu", "gelu", "relu"),
        pre_norm=pre_norm,
        final_norm=pre_norm and draw.chance(0.5),
        fused=heads == 1 and draw.chance(0.5),
        causal=draw.chance(0.3),
    )
    if config.activation == "gelu":
        return Job(config=draw.mixed(config, activations=(4, 5, 6, 7, 8)), part=_smallest(draw))
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _deep(draw: _Draw) -> Job:
    config = _forecaster(draw, layers=draw.of(2, 3, 4), position=draw.of("sinusoidal", "learned"))
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _classifier(draw: _Draw) -> Job:
    config = _forecaster(
        draw,
        task="classify",
        horizon=draw.of(2, 3, 5, 10),
        inputs=draw.of(3, 4, 6),
        subtract_last=False,
        block=draw.of("attention", "mixer", "mlp"),
    )
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _detector(draw: _Draw) -> Job:
    inputs = draw.of(1, 3, 8)
    config = _forecaster(
        draw,
        task="detect",
        inputs=inputs,
        targets=draw.of(1, inputs),
        horizon=1,
        block=draw.of("attention", "mixer", "mlp"),
    )
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _stream(draw: _Draw) -> Job:
    config = _forecaster(
        draw,
        layers=draw.of(1, 1, 2),
        causal=True,
        stream=True,
        position="relative",
        linear_path=draw.chance(0.3),
    )
    return Job(config=draw.mixed(config), part=_smallest(draw))


def _columns(draw: _Draw) -> Job:
    """Draw columns of LUTs beside multipliers; some of them multiply longer weights, too."""
    config = _forecaster(draw, linear_path=False)
    if broad := draw.kind < 0.5:
        # of 8 bits each, two products of such weights do not fit a multiplier
        longer = dict.fromkeys(("Loutput", draw.of("MHA", "FFN", "Linput")), draw.bits((8,), (8,)))
        config = config.replace(
            default=draw.bits((2, 3, 4), (8,)),
            precision=longer,
            input_bits=draw.samples(config),
            output_bits=draw.samples(config),
        )
    else:
        config = draw.mixed(config, weights=(2, 3, 4, 4, 6), activations=(4, 5, 6, 8))
    columns = draw.of(4, 8, 12, 16)
    return Job(
        config=config,
        part=draw.of(_USUAL, _LARGER),
        lut_lanes=2 * columns,
        broad=draw.of(columns // 2, columns) if broad else 0,
    )


def _rows(draw: _Draw) -> Job:
    """Draw token rows side by side, half with columns of LUTs."""
    patch, tokens = draw.of(2, 4, 8), draw.of(8, 12, 16)
    config = _forecaster(
        draw,
        window=patch * tokens,
        patch=patch,
        inputs=1,
        d_model=draw.of(16, 24),
        heads=2,
        pooling=draw.of("flatten", "mean"),
    )
    config = draw.mixed(config, weights=(2, 3, 4, 4, 6, 8), activations=(4, 5, 6, 8))
    rows = draw.of(2, 2, 4)
    soft = draw.of(2, 4) if draw.kind < 0.5 else 0
    return Job(
        config=config,
        part=draw.of(_USUAL, _LARGER) if rows == 2 else draw.of(_LARGER, _LARGEST),
        lanes=draw.of(None, 8 * rows, 16 * rows) if rows == 2 else 8 * rows,
        rows=rows,
        posts=draw.of(1, 2, rows),
        lut_lanes=2 * rows * soft if soft else None,
        broad=soft * (draw.kind < 0.2) if soft else None,
    )


#: How a design of each family is drawn; the n-th of a seed is of the n-th family, again and again.
FAMILIES: dict[str, Callable[[_Draw], Job]] = {
    "decoder": _decoder,
    "rows": _rows,
    "wide": _wide,
    "encoder": _encoder,
    "mlp": _mlp,
    "stream": _stream,
    "odd": _odd,
    "columns": _columns,
    "mixer": _mixer,
    "grid": _grid,
    "several": _several,
    "asymmetric": _asymmetric,
    "kinds": _kinds,
    "etth1": _etth1,
    "classifier": _classifier,
    "deep": _deep,
    "detector": _detector,
}


def family_of(design: Design) -> str:
    """Return the family of a design that was not drawn: the first of these that it is."""
    geometry, config = design.geometry, design.model.config
    tasks = {"classify": "classifier", "detect": "detector"}
    blocks = {"mixer": "mixer", "mlp": "mlp"}
    published = (config.norm, config.pooling, config.horizon) == ("batch", "mean", 1)
    found = {
        "rows": geometry.rows > 1,
        "columns": geometry.weights.soft > 0,
        "stream": config.stream,
        "decoder": config.decoder_layers > 0,
        tasks.get(config.task, ""): config.task in tasks,
        blocks.get(config.block, ""): config.block in blocks,
        "kinds": config.activation != "relu" or config.pre_norm or config.fused,
        "deep": config.layers > 1,
        "asymmetric": config.asymmetric,
        "wide": any(op.weight_bits == 16 for op in design.model.linears),
        "odd": config.d_model.bit_count() > 1,
        "grid": published,
        "several": config.inputs > 1,
        "etth1": config.linear_path,
    }
    return next((name for name, is_it in found.items() if is_it), "encoder")


def drawn(seed: int, families: tuple[str, ...] = tuple(FAMILIES)) -> Iterator[Job]:
    """Draw designs without end, of each family in turn; the n-th of a seed is always the same.

    A design that cannot be lowered, or whose memories are more than its part has, is drawn again.
    ``families`` : those that are wanted; the others are left out of what was drawn.

    Raises :class:`UserError` for an unknown family.
    """
    for name in families:
        if name not in FAMILIES:
            raise UserError(f"families must be of {', '.join(FAMILIES)}, not {name!r}")
    names = list(FAMILIES)
    for number in count():
        name = names[number % len(names)]
        if name in families:
            yield _one(seed, number, name)


def _one(seed: int, number: int, family: str) -> Job:
    """Return the design of a number."""
    for attempt in range(_TRIES):
        draw = _Draw(seed, number, attempt)
        try:
            job = FAMILIES[family](draw)
            design = job.lowered()
        except UserError:
            continue
        weights = design.geometry.weights
        asked = bool(job.lut_lanes), bool(job.broad)
        if _fits(design) and asked == (bool(weights.soft), bool(weights.broad)):
            name = f"{family}-{seed}-{number}"
            return replace(job, config=job.config.replace(name=name), family=family)
    raise AssertionError(f"no design of family {family} can be lowered")


def _fits(design: Design) -> bool:
    """Return True if a part has enough memories, multipliers, and LUTs beside those of stores."""
    part, stores = PARTS[design.part], design.stores.values()
    taken = [cost(spec, spec.placement, part.family) for spec in stores]
    in_luts = sum(one.luts + one.lutram for one in taken)
    over = crowding(stores, part)[0] + max(0, design.geometry.dsps - part.dsps)
    return not over and in_luts <= part.luts // 2
