"""Runs a design on samples and compares every tensor with the reference, element by element."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitformer.hw.accelerator import Accelerator
from bitformer.hw.design import Design
from bitformer.model import reference
from bitformer.model.errors import UserError

from .compare import Comparison
from .native_build import NativeError, find_compiler
from .native_engine import run_native
from .python_engine import run_python
from .trace import Difference

__all__ = ["ENGINES", "Simulation", "simulate"]

#: What ``engine`` can be.
ENGINES = ("python", "native", "auto")


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Outcome of a simulation.

    ``outputs`` [N, horizon] are the integers that left the accelerator; ``latency`` and
    ``interval`` are cycles per sample (first input accepted to last output taken; last output to
    last output); ``difference`` is the first element that was wrong, in order of cycles;
    ``engine`` is the one that ran, ``python`` or ``native``.
    """

    outputs: np.ndarray
    difference: Difference | None
    latency: list[int]
    interval: list[int]
    cycles: int
    tensors: list[str]
    engine: str

    @property
    def bit_exact(self) -> bool:
        """Whether every element of every tensor was equal to the reference's."""
        return self.difference is None


def simulate(
    design: Design,
    x,
    *,
    engine: str = "python",
    vcd: str | Path | None = None,
    back_pressure: float = 0.0,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    note: Callable[[str], None] | None = None,
    accelerator: Accelerator | None = None,
) -> Simulation:
    """Run ``x`` (integers [N, steps, channels]) through the design, back to back.

    Both engines run the same accelerator, cycle for cycle alike, and compare the same elements;
    memory does not grow with N beyond the samples and results themselves.

    Parameters
    ----------
    engine : str
        ``python`` is Amaranth's simulator: about a thousand cycles a second, at once. ``native``
        is the design compiled by a C++ compiler: hundreds of times as fast, after a minute or less
        that later runs of the same design are spared. ``auto`` is ``native`` where that is
        possible and else ``python``.
    vcd : path, optional
        A file for waves of every named signal.
    back_pressure : float
        Probability, in each cycle, that a sample is withheld or a result not taken.
    seed : int
        Of the back-pressure: the same cycles with both engines.
    progress : callable, optional
        Called with the samples done.
    note : callable, optional
        Told a sentence about what a person would wonder at: that a design is being compiled, or
        why ``auto`` does without.
    accelerator : Accelerator, optional
        Another than the design's own, to see that a fault is found.

    Raises
    ------
    UserError
        For samples that do not match the model, and for ``native`` without a C++ compiler.
    RuntimeError
        When the design stops answering.
    """
    if engine not in ENGINES:
        raise UserError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    if not 0.0 <= back_pressure < 1.0:
        raise UserError(f"back_pressure must be at least 0 and below 1, not {back_pressure}")
    x = np.asarray(x)
    if x.shape[:1] == (0,):
        raise UserError("samples must be at least 1, not 0")
    reference.run(design.model, _extreme_samples(x))  # refuses samples that do not match
    comparison = Comparison(design, x, lambda part: reference.run(design.model, part))
    samples = x.reshape(len(x), -1)
    ran = "python"
    if engine != "python":
        try:
            find_compiler()  # before anything is elaborated in vain
            run_native(
                accelerator or Accelerator(design=design),
                samples,
                comparison,
                vcd=vcd,
                back_pressure=back_pressure,
                seed=seed,
                progress=progress,
                note=note,
            )
            ran = "native"
        except NativeError as error:
            if engine == "native":
                raise
            if note is not None:
                note(f"The Python simulator runs instead of the native one: {error}")
    if ran == "python":
        run_python(
            accelerator or Accelerator(design=design),
            samples,
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
        engine=ran,
    )


def _extreme_samples(x: np.ndarray) -> np.ndarray:
    """The samples with the least and the largest value: if they are valid, all are."""
    if x.ndim != 3 or not x.size or x.dtype.kind not in "iu":
        return x
    values = x.reshape(len(x), -1)
    return x[[values.min(axis=1).argmin(), values.max(axis=1).argmax()]]
