"""The synthesized netlist as an engine: the Python engine's cycles, seen from outside only."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from bitformer.hw.design import Design
from bitformer.sim.compare import Comparison, cycle_limit
from bitformer.sim.netlist.simulator import NetlistSimulator

__all__ = ["run_netlist"]


class _Streams:
    """Both ends of the streams of a netlist, a cycle at a time; chances as in the Python engine."""

    def __init__(
        self, simulator: NetlistSimulator, values: list[int], back_pressure: float, seed: int
    ):
        self._simulator, self._values, self._refuse = simulator, values, back_pressure
        self._bits = simulator.outputs["o__payload"]
        self._idle_bits = simulator.inputs["i__payload"] - 1
        self._chance = random.Random(seed)
        self._fed, self._offering = 0, False
        self._payload = self._ready = 0
        self._cycle = 0

    def _passes(self) -> bool:
        return not self._chance.random() < self._refuse

    def cycle(self) -> tuple[bool, int | None]:
        """Run a cycle; return whether a value was taken, and the result that left, or None."""
        if not self._offering:
            if self._fed == len(self._values):
                pass
            elif self._passes():
                self._offering, self._payload = True, self._values[self._fed]
            else:
                self._payload = self._chance.getrandbits(self._idle_bits)
        if self._cycle == 0 or self._refuse:
            self._ready = int(self._passes())
        self._cycle += 1
        seen = self._simulator.step(
            i__valid=int(self._offering), i__payload=self._payload, o__ready=self._ready
        )
        accepted = self._offering and bool(seen["i__ready"])
        if accepted:
            self._offering = False
            self._fed += 1
        if not seen["o__valid"] or not self._ready:
            return accepted, None
        sign = 1 << self._bits - 1
        return accepted, (seen["o__payload"] ^ sign) - sign


def run_netlist(
    design: Design,
    netlist: Mapping[str, Any],
    samples: np.ndarray,
    comparison: Comparison,
    *,
    back_pressure: float = 0.0,
    seed: int = 0,
    unknown: int = 0,
    reset_after: int = 0,
) -> None:
    """Drive samples through the netlist's streams and report to ``comparison``.

    A netlist has no trace ports: results and their cycles alone are compared. It begins as the chip
    does after its configuration, without a reset.

    Parameters
    ----------
    design : Design
        The design.
    netlist : mapping
        The design in Yosys' JSON.
    samples : integers [N, values]
        The samples.
    comparison : Comparison
        Receives values taken and results.
    back_pressure : float
        Probability, in each cycle, that a stream stalls.
    seed : int
        Of the back-pressure.
    unknown : int
        Value, 0 or 1, of bits that synthesis left open.
    reset_after : int
        Cycles on ``samples`` before the netlist is reset, for one cycle, and begins again.

    Raises
    ------
    NetlistError
        For a cell that is not modelled.
    RuntimeError
        When it stops answering.
    """
    simulator = NetlistSimulator(netlist, design.family, unknown=unknown)
    values = [int(value) for value in samples.reshape(-1)]
    if reset_after:
        before = _Streams(simulator, values, back_pressure, seed)
        for _ in range(reset_after):
            before.cycle()
        simulator.step(rst=1)
    limit = cycle_limit(design, len(samples), back_pressure)
    streams = _Streams(simulator, values, back_pressure, seed)
    for cycle in range(limit + 1):
        accepted, result = streams.cycle()
        if accepted:
            comparison.accept(cycle)
        if result is None:
            continue
        comparison.take(cycle, result)
        if comparison.done:
            return
    raise RuntimeError(f"design must answer within {limit} cycles")
