"""Designs: a model lowered to an accelerator, and what becomes of it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Model
from bitformer.hw import design as hardware
from bitformer.hw.parts import DEFAULT_PART
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent

if TYPE_CHECKING:
    from bitformer.estimate.predictor import Prediction
    from bitformer.sim.run import Simulation
    from bitformer.synth.synthesize import Synthesis

__all__ = ["Build", "Design", "Resources", "lower"]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Resources:
    """What a design is estimated to take.

    Parameters
    ----------
    prediction : resources, LUTs and flip-flops with the interval they lie in for 95 of 100.
    clock_hz : the clock that times and energy are for.
    energy_j : joules of a forecast, by a model with assumed constants.
    """

    prediction: "Prediction"
    clock_hz: float
    energy_j: float

    @property
    def latency_us(self) -> float:
        """Microseconds from the first number in to the last result out."""
        return self.prediction.latency / self.clock_hz * 1e6

    @property
    def fits(self) -> bool:
        """Whether the part has enough of everything."""
        return not self.prediction.over

    def to_dict(self) -> dict[str, object]:
        """Return the estimate as plain data."""
        return {
            **self.prediction.to_dict(),
            "clock_hz": self.clock_hz,
            "latency_us": self.latency_us,
            "energy_j": self.energy_j,
        }

    def __repr__(self) -> str:
        taken = ", ".join(f"{u.used} of {u.available} {u.resource}" for u in self.prediction.uses)
        fits = "fits" if self.fits else "does not fit"
        return (
            f"<Resources: {fits} {self.prediction.part} ({taken});"
            f" {self.latency_us:.1f} us, {self.energy_j * 1e6:.2f} uJ>"
        )


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Build:
    """A project in a folder.

    Parameters
    ----------
    folder : of the project; ``sh build_NAME.sh`` there builds it.
    board : the board's name.
    name : of the top module and of the files.
    """

    folder: Path
    board: str
    name: str

    def run(self) -> Path:
        """Run the tools and return the bitstream.

        Raises
        ------
        UserError
            If a tool is not installed, or fails.
        """
        from bitformer.boards.build.run import run_plan

        return run_plan(self.folder)

    def to_dict(self) -> dict[str, object]:
        """Return the build as plain data."""
        return {"folder": str(self.folder), "board": self.board, "name": self.name}

    def __repr__(self) -> str:
        return f"<Build {self.name} for {self.board} in {self.folder}>"


class Design:
    """A model's accelerator for a part, with the cycle of everything it does.

    Parameters
    ----------
    model : Model
        What it computes.
    lowered : bitformer.hw.design.Design
        Program, memory images and placement.
    """

    def __init__(self, model: Model, lowered: hardware.Design):
        self.model = model
        self.lowered = lowered

    @property
    def part(self) -> str:
        """The FPGA that stores are placed for."""
        return self.lowered.part

    @property
    def latency(self) -> int:
        """Cycles from the first number in to the last result out, exactly."""
        return self.lowered.latency

    @property
    def interval(self) -> int:
        """Cycles from one forecast to the next, back to back, exactly."""
        return self.lowered.interval

    def estimate(self, *, clock_hz: float = 100e6, kb: str | Path | None = None) -> Resources:
        """Predict resources and energy from measured designs.

        Parameters
        ----------
        clock_hz : the clock.
        kb : a knowledge base of your own beside the one that ships.
        """
        from bitformer.estimate.knowledge import known_entries
        from bitformer.estimate.power import inference_j
        from bitformer.estimate.predictor import Predictor

        found = Predictor(known_entries(None if kb is None else Path(kb))).predict(self.lowered)
        joules = inference_j(found.part, found.counts, clock_hz=clock_hz)
        return Resources(prediction=found, clock_hz=clock_hz, energy_j=joules)

    def simulate(
        self,
        windows: Any = None,
        *,
        samples: int = 4,
        engine: str = "auto",
        back_pressure: float = 0.0,
        seed: int = 0,
        progress: Progress = silent,
    ) -> "Simulation":
        """Run windows cycle by cycle and compare every element of every tensor.

        Parameters
        ----------
        windows : standardised floats [N, window, inputs]; by default ``samples`` test windows of
            the model's own data, or random integers for an untrained model.
        engine : ``"python"``, ``"native"`` (compiled), or ``"auto"``: native where possible.
        back_pressure : chance in each cycle that the source or the sink pauses.
        progress : called with the windows done, their number, and what goes on.
        """
        from bitformer.model.own_data import dataset_of, integer_windows, trained_on
        from bitformer.sim.run import simulate

        integer = self.model.integer
        if windows is not None:
            x = integer.quantize_input(windows)
        else:
            named = {"data": None, "target": None, "inputs": None, "time": None}
            own = dataset_of(integer, **named) if trained_on(integer) else None
            x = integer_windows(integer, own, samples, seed)
        return simulate(
            self.lowered,
            x,
            engine=engine,
            back_pressure=back_pressure,
            seed=seed,
            progress=progress,
        )

    def synthesize(self, *, units: bool = False) -> "Synthesis":
        """Measure resources and logic depth with Yosys; a minute or so, once.

        Parameters
        ----------
        units : whether to measure each unit by itself, too.
        """
        from bitformer.synth.synthesize import synthesize

        return synthesize(self.lowered, units=units)

    def verilog(self, name: str = "bitformer_accelerator", *, wrapper: str | None = None) -> str:
        """Return the accelerator as Verilog.

        Parameters
        ----------
        name : of the top module.
        wrapper : ``"axi-stream"`` for the ports of AXI4-Stream
            (:class:`bitformer.hw.units.axi_stream.AxiStream`).

        Raises
        ------
        UserError
            If there is no such wrapper.
        """
        from bitformer.hw.convert import to_verilog
        from bitformer.hw.units.accelerator import Accelerator
        from bitformer.hw.units.axi_stream import axi_stream

        if wrapper not in (None, "axi-stream"):
            raise UserError(f"wrapper must be axi-stream or none, not {wrapper}")
        component = axi_stream(self.lowered) if wrapper else Accelerator(design=self.lowered)
        return to_verilog(component, name=name)

    def build(
        self, board: str, *, to: str | Path, name: str | None = None, **options: Any
    ) -> Build:
        """Write the complete project for a board.

        Parameters
        ----------
        board : a board's name, as ``bitformer boards`` lists them; its part must be the design's.
        to : the folder; a build that is there is replaced.
        name : of the top module and of the files; by default the configuration's.
        options : ``link``, ``baud``, ``clock_hz``, ``saif``, ``toolchain`` as in
            :func:`bitformer.boards.build.project.build_plan`.

        Raises
        ------
        UserError
            If the board is unknown, has another part, or an option will not do.
        """
        from bitformer.boards.build.design import build_design
        from bitformer.boards.build.manifest import Manifest
        from bitformer.boards.catalog import find_board

        folder = build_design(self.lowered, find_board(board), name=name, directory=to, **options)
        manifest = Manifest.read(folder)
        return Build(folder=folder, board=manifest.board, name=manifest.name)

    def to_dict(self) -> dict[str, object]:
        """Return cycles, part and stores as plain data."""
        from bitformer.hw.lowering.exact import estimate

        return {"model": self.model.to_dict(), **estimate(self.lowered).to_dict()}

    def __repr__(self) -> str:
        return f"<Design {self.model.name} on {self.part}: {self.latency} cycles>"


def lower(
    model: Model,
    *,
    part: str = DEFAULT_PART,
    lanes: int | None = None,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    reloadable: bool = False,
) -> Design:
    """Lower a model to an accelerator.

    Parameters
    ----------
    part : the FPGA: ``bitformer boards`` names some.
    lanes : products a cycle; by default what the part's DSP blocks allow.
    pack : whether two products share a DSP block where the weights prove it safe.
    placement : where stores live, by name: ``"block"``, ``"distributed"``, ``"registers"``.
    reloadable : whether other weights can be loaded later.

    Raises
    ------
    UserError
        If the part is unknown, or the units cannot run the model.
    """
    from bitformer.hw.lowering.lower import lower as run
    from bitformer.hw.lowering.reload import lower_reloadable

    function = lower_reloadable if reloadable else run
    found = function(model.integer, part=part, lanes=lanes, pack=pack, placement=placement or {})
    return Design(model, found)
