"""Models of one structure with different weights, and a board that takes them over a link."""

from dataclasses import replace

import numpy as np
from pins_harness import SimulatedUart

from bitformer.boards.host.forecaster import Forecaster
from bitformer.boards.shell.contract import contract_of
from bitformer.boards.shell.shell import UartShell
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import ir, reference
from bitformer.model.config import TransformerConfig

__all__ = ["LANES", "SMALL", "STREAM", "answers_as", "compiled_board", "other_weights"]

SMALL = TransformerConfig(name="small", window=4, horizon=2, d_model=4, ffn=6)
STREAM = SMALL.replace(
    name="stream",
    patch=2,
    causal=True,
    stream=True,
    position="relative",
    subtract_last=True,
    linear_path=True,
)
BAUD, LANES = 10_000, 2


def other_weights(model, seed=1):
    """A model of the same structure with other weights, biases and positions."""
    rng = np.random.default_rng(seed)

    def changed(op):
        if isinstance(op, ir.SlidingScores):
            return replace(op, bias=rng.permuted(op.bias, axis=1))
        if not isinstance(op, ir.Linear):
            return op
        # no sum can become larger: magnitudes stay, signs and places within a row change
        weight = rng.permuted(np.abs(op.weight), axis=1) * rng.choice([-1, 1], op.weight.shape)
        return replace(op, weight=weight, bias=rng.permutation(op.bias))

    constants = {n: rng.permutation(c.ravel()).reshape(c.shape) for n, c in model.constants.items()}
    return replace(model, operations=tuple(map(changed, model.operations)), constants=constants)


def compiled_board(design):
    """The design's simulated board, a bit every 8 cycles."""
    shell = UartShell(
        accelerator=Accelerator(design=design),
        clock_hz=8 * BAUD,
        baud=BAUD,
        gap_bits=20,
        contract=contract_of(design, vectors=3),
    )
    with SimulatedUart(shell, timeout=0.3) as simulated:
        yield simulated


def answers_as(client, model, x):
    """The board computes what the model's own reference does."""
    assert np.array_equal(Forecaster(client, model).predict(x), reference.predict(model, x))
