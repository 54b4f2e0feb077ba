"""Runs a design on samples and compares every tensor with the reference, element by element."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bitformer.hw.accelerator import Accelerator
from bitformer.hw.design import Design
from bitformer.model import reference
from bitformer.model.errors import UserError

from .compare import Comparison
from .python_engine import run_python
from .trace import Difference

__all__ = ["Simulation", "simulate"]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Outcome of a simulation.

    ``outputs`` [N, horizon] are the integers that left the accelerator; ``latency`` and
    ``interval`` are cycles per sample (first input accepted to last output taken; last output to
    last output); ``difference`` is the first element that was wrong, in order of cycles.
    """

    outputs: np.ndarray
    difference: Difference | None
    latency: list[int]
    interval: list[int]
    cycles: int
    tensors: list[str]

    @property
    def bit_exact(self) -> bool:
        """Whether every element of every tensor was equal to the reference's."""
        return self.difference is None


def simulate(
    design: Design,
    x,
    *,
    vcd=None,
    back_pressure: float = 0.0,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    accelerator: Accelerator | None = None,
) -> Simulation:
    """Run ``x`` (integers [N, steps, channels]) through the design in Amaranth's simulator.

    ``vcd`` is a file for waves. ``back_pressure`` is the probability, in each cycle, that a
    sample is withheld or a result not taken. ``progress`` is called with the samples done. An
    ``accelerator`` other than the design's own may be given, to see that a fault is found.
    """
    if not 0.0 <= back_pressure < 1.0:
        raise UserError(f"back_pressure must be at least 0 and below 1, not {back_pressure}")
    x = np.asarray(x)
    if x.shape[:1] == (0,):
        raise UserError("samples must be at least 1, not 0")
    expected = reference.run(design.model, x)
    comparison = Comparison(design, expected)
    run_python(
        accelerator or Accelerator(design=design),
        x.reshape(len(x), -1),
        comparison,
        vcd=vcd,
        back_pressure=back_pressure,
        seed=seed,
        progress=progress,
    )
    return Simulation(
        outputs=comparison.outputs,
        difference=comparison.difference,
        latency=comparison.latency,
        interval=comparison.interval,
        cycles=comparison.cycles,
        tensors=[*comparison.trace.tensors],
    )
