"""An accelerator in an Amaranth design: an alarm for what is forecast to come.

    python own_design.py model.safetensors --above 1.5 -o alarm.v

docs/gateware.md explains the accelerator's ports.
"""

import argparse
import math
from pathlib import Path

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

import bitformer
from bitformer.hw.convert import to_verilog
from bitformer.hw.units.accelerator import Accelerator


class ForecastAlarm(wiring.Component):
    """Alarm that is on while the newest forecast has a number above a threshold.

    Latency: ``design.latency`` cycles from a window's first number to its ``o_done``.

    Parameters
    ----------
    design : bitformer.AcceleratorDesign
        What forecasts.
    threshold : int
        Largest number that raises no alarm, as the accelerator counts.

    Members
    -------
    i : In(stream), numbers of a window, step by step.
    o_alarm : Out(1), for an LED.
    o_done : Out(1), ``o_alarm`` belongs to a new forecast since this cycle.
    """

    def __init__(self, *, design: bitformer.AcceleratorDesign, threshold: int):
        self._accelerator = Accelerator(design=design.lowered)
        self._results = design.model.integer.output.size
        self._threshold = threshold
        members = self._accelerator.signature.members
        super().__init__({"i": members["i"], "o_alarm": Out(1), "o_done": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        wiring.connect(m, wiring.flipped(self.i), accelerator.i)

        result = accelerator.o
        number = Signal(range(self._results + 1))
        before = Signal()
        above = before | (result.payload > self._threshold)
        m.d.comb += result.ready.eq(1)
        m.d.sync += self.o_done.eq(0)
        with m.If(result.valid):
            m.d.sync += [number.eq(number + 1), before.eq(above)]
            with m.If(number == self._results - 1):
                m.d.sync += [number.eq(0), before.eq(0)]
                m.d.sync += [self.o_alarm.eq(above), self.o_done.eq(1)]
        return m


def threshold_of(model: bitformer.Model, above: float) -> int:
    """Return the largest number of the accelerator's that is not above a standardised value."""
    output = model.integer.output
    return math.floor(above / 2.0**output.exponent) + output.zero


def main() -> None:
    """Write the alarm as Verilog."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path, help="a model file")
    parser.add_argument(
        "--above", type=float, default=1.0, help="threshold, in standard deviations from the mean"
    )
    parser.add_argument("--part", default="xc7s15", help="the FPGA")
    parser.add_argument("-o", "--output", type=Path, default=Path("forecast_alarm.v"))
    options = parser.parse_args()

    model = bitformer.load(options.model)
    design = bitformer.lower(model, part=options.part)
    alarm = ForecastAlarm(design=design, threshold=threshold_of(model, options.above))
    options.output.write_text(to_verilog(alarm, name="forecast_alarm"), encoding="utf-8")
    print(f"{options.output}: an alarm {design.latency} cycles after a window's first number")


if __name__ == "__main__":
    main()
