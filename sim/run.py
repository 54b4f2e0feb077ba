"""Running a design on samples and comparing every tensor with the reference, element by element."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bitformer.hw.design import Design
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.errors import UserError
from bitformer.model.operations.judge import DetectorState
from bitformer.model.progress import Progress, silent
from bitformer.model.stream import StepModel, StreamSteps
from bitformer.sim.compare import Comparison
from bitformer.sim.native_build import NativeError, find_compiler
from bitformer.sim.native_engine import run_native
from bitformer.sim.netlist.engine import run_netlist
from bitformer.sim.python_engine import run_python
from bitformer.sim.trace import Difference

__all__ = ["ENGINES", "Simulation", "reference_of", "simulate"]

#: What ``engine`` can be.
ENGINES = ("python", "native", "auto", "netlist")


@dataclass(frozen=True, kw_only=True, repr=False)
class Simulation:
    """Outcome of a simulation.

    Attributes
    ----------
    outputs
        Integers [N, horizon] that left the accelerator.
    difference
        The first element that was wrong, in order of cycles; None if all were right.
    latency
        Cycles of each sample, from its first value accepted to its last result taken.
    interval
        Cycles from each sample's last result to the next one's.
    cycles
        All cycles that were run.
    tensors
        Names of the tensors that were compared.
    engine
        The engine that ran.
    predicted_latency, predicted_interval
        The design's own cycles; of a stream, the latency of the first step.
    back_pressure
        Probability, in each cycle, that a stream stalled.
    warm_up
        First steps of a stream, which are shorter than predicted.
    """

    outputs: np.ndarray
    difference: Difference | None
    latency: list[int]
    interval: list[int]
    cycles: int
    tensors: list[str]
    engine: str
    predicted_latency: int
    predicted_interval: int
    back_pressure: float
    warm_up: int = 0

    @property
    def bit_exact(self) -> bool:
        """Whether every element of every tensor was equal to the reference's."""
        return self.difference is None

    @property
    def cycles_as_predicted(self) -> bool | None:
        """Whether all cycles are those of the timetable; None under back-pressure."""
        if self.back_pressure:
            return None
        return set(self.interval[self.warm_up :]) <= {self.predicted_interval} and self.latency[
            :1
        ] == [self.predicted_latency]

    def __repr__(self) -> str:
        exact = f"bit exact in {len(self.tensors)} tensors" if self.bit_exact else self.difference
        cycles = ", ".join(map(str, sorted(set(self.latency[:1]))))
        return f"<Simulation of {len(self.outputs)} windows: {exact}; latency {cycles} cycles>"

    def to_dict(self) -> dict[str, object]:
        """Return the outcome as plain data, without the outputs."""
        return {
            "engine": self.engine,
            "bit_exact": self.bit_exact,
            "difference": None if self.difference is None else dict(vars(self.difference)),
            "samples": len(self.outputs),
            "tensors": list(self.tensors),
            "cycles": self.cycles,
            "latency_cycles": list(self.latency),
            "interval_cycles": list(self.interval),
            "predicted": {
                "latency_cycles": self.predicted_latency,
                "interval_cycles": self.predicted_interval,
            },
            "cycles_as_predicted": self.cycles_as_predicted,
            "back_pressure": self.back_pressure,
        }


def simulate(
    design: Design,
    x,
    *,
    engine: str = "python",
    vcd: str | Path | None = None,
    back_pressure: float = 0.0,
    seed: int = 0,
    progress: Progress = silent,
    note: Callable[[str], None] | None = None,
    accelerator: Accelerator | None = None,
    netlist: Mapping[str, Any] | None = None,
    resets: Sequence[int] = (),
) -> Simulation:
    """Run samples through the design, back to back.

    All engines take the same cycles. ``python`` and ``native`` compare every element of every
    tensor, ``netlist`` compares results alone. Beside samples and results, memory does not grow
    with N.

    Parameters
    ----------
    design : Design
        The design.
    x : integers [N, steps, channels]
        The samples.
    engine : str
        ``python`` is Amaranth's simulator: about a thousand cycles a second, at once. ``native``
        is the design compiled by a C++ compiler: hundreds of times as fast, after up to a minute
        of compilation that later runs do without. ``auto`` is ``native`` where there is a
        compiler, else ``python``. ``netlist`` runs ``netlist``, as fast as ``python``.
    vcd : path, optional
        A file for waves of every named signal; not of a netlist.
    back_pressure : float
        Probability, in each cycle, that a sample is withheld or a result not taken.
    seed : int
        Of the back-pressure; engines take the same cycles for the same seed.
    progress : callable, optional
        Called with the samples done, their number, and what goes on.
    note : callable, optional
        Called with a sentence when a design is being compiled, or to say why ``auto`` runs the
        Python simulator.
    accelerator : Accelerator, optional
        Runs instead of the design's own, to see that a fault is found.
    netlist : mapping, optional
        Of the design, for the engine ``netlist``: Yosys' JSON, as
        :func:`bitformer.synth.synthesize.synthesized_netlist` returns it.
    resets : integers
        Of a stream, the samples before which an ``accelerator`` of its own resets.

    Raises
    ------
    UserError
        If samples do not match the model, ``native`` has no C++ compiler, or a netlist has a cell
        that is not modelled.
    RuntimeError
        When the design stops answering.
    """
    if engine not in ENGINES:
        raise UserError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    if (netlist is not None) != (engine == "netlist"):
        raise UserError("netlist must be given to the engine netlist, and to no other")
    if netlist is not None and vcd is not None:
        raise UserError("waves (vcd, saif) must not be asked of the engine netlist, which has none")
    if not 0.0 <= back_pressure < 1.0:
        raise UserError(f"back_pressure must be at least 0 and below 1, not {back_pressure}")
    x = np.asarray(x)
    if x.shape[:1] == (0,):
        raise UserError("samples must be at least 1, not 0")
    comparison = Comparison(
        design, x, reference_of(design, x, resets), progress=progress, resets=resets
    )
    samples, ran = design.model.words(x).reshape(len(x), -1), engine
    options: dict[str, Any] = {"back_pressure": back_pressure, "seed": seed}
    if netlist is not None:
        run_netlist(design, netlist, samples, comparison, **options)
    elif engine != "python":
        try:
            find_compiler()  # before anything is elaborated in vain
            dut = accelerator or Accelerator(design=design)
            run_native(dut, samples, comparison, vcd=vcd, note=note, **options)
            ran = "native"
        except NativeError as error:
            if engine == "native":
                raise
            ran = "python"
            if note is not None:
                note(f"The Python simulator runs instead of the native one: {error}")
    if ran == "python":
        dut = accelerator or Accelerator(design=design)
        run_python(dut, samples, comparison, vcd=vcd, **options)
    return Simulation(
        outputs=comparison.outputs,
        difference=comparison.difference,
        latency=comparison.latency,
        interval=comparison.interval,
        cycles=comparison.cycles,
        tensors=[design.model.output.name] if ran == "netlist" else comparison.trace.tensors,
        engine=ran,
        predicted_latency=design.first_latency or design.latency,
        predicted_interval=design.interval,
        back_pressure=back_pressure,
        warm_up=len(design.first_lap) * design.phases,
    )


def reference_of(
    design: Design, x: np.ndarray, resets: Sequence[int] = ()
) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    """Return what gives every tensor of samples, which are asked for in the order of time.

    Raises :class:`UserError` for samples that do not match the model.
    """
    model = design.model
    if isinstance(model, StepModel):
        return StreamSteps(model.source, x, resets, phases=model.phases).values
    reference.run(model, _extreme_samples(x))  # refuses samples that do not match
    state = () if model.detector is None else (DetectorState(),)
    return lambda part: reference.run(model, part, *state)


def _extreme_samples(x: np.ndarray) -> np.ndarray:
    """Return the samples with the least and the largest value: if they are valid, all are."""
    if x.ndim != 3 or not x.size or x.dtype.kind not in "iu":
        return x
    values = x.reshape(len(x), -1)
    return x[[values.min(axis=1).argmin(), values.max(axis=1).argmax()]]
