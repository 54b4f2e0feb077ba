"""Designs: a model lowered to an accelerator, and what becomes of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._builds import Build, built
from bitformer._estimates import DesignEstimate, estimated, predictor_of
from bitformer._models import Model, Note, unheard
from bitformer._samples import Samples, samples_of
from bitformer._simulations import simulated
from bitformer._verilog import TOP, elaborated, verilog
from bitformer.model.progress import Progress, silent

if TYPE_CHECKING:
    from bitformer.estimate.breakdown import ComponentRow
    from bitformer.estimate.remedies import Diagnosis, Outlook
    from bitformer.hw.design import Design
    from bitformer.hw.lowering.exact import Estimate
    from bitformer.model.forecasts.answer import Answer
    from bitformer.model.precision import AddedErrors
    from bitformer.sim.run import Simulation
    from bitformer.synth.routing import Routing
    from bitformer.synth.synthesize import Synthesis

__all__ = ["AcceleratorDesign"]


class AcceleratorDesign:
    """A model's accelerator for a part, with the cycle of everything it does.

    Parameters
    ----------
    model : Model
        What it computes.
    lowered : bitformer.hw.design.Design
        Program, memory images and placement.
    asked : mapping
        The part, lanes, packing and placement that were asked for.
    """

    def __init__(self, model: Model, lowered: "Design", asked: Mapping[str, Any]):
        self.model = model
        self.lowered = lowered
        self.asked = asked

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
        """Cycles from one inference to the next, back to back, exactly."""
        return self.lowered.interval

    def estimate(
        self, *, clock_hz: float = 100e6, kb: str | Path | None = None, note: Note = unheard
    ) -> DesignEstimate:
        """Predict resources and energy from measured designs.

        Parameters
        ----------
        clock_hz
            The clock in hertz.
        kb
            A knowledge base of your own beside the one that ships.
        note
            Told why nothing is predicted, where that is so.
        """
        return estimated(self.lowered, kb, clock_hz=clock_hz, note=note)

    def exact(self, *, clock_hz: float = 100e6) -> "Estimate":
        """Return what is certain: cycles, and memory by the store."""
        from bitformer.hw.lowering.exact import estimate

        return estimate(self.lowered, clock_hz=clock_hz)

    def components(self, estimate: DesignEstimate) -> "list[ComponentRow]":
        """Return what each of the model's components adds, what they share, and the total."""
        from bitformer.estimate.breakdown import breakdown

        entries = estimate.entries
        return breakdown(self.lowered, prediction=estimate.prediction, entries=entries)

    def remedies(self, *, clock_hz: float = 100e6, progress: Progress = silent) -> "list[Outlook]":
        """Find a few changes with which the design fits its part, the fastest first.

        Parameters
        ----------
        clock_hz
            The clock in hertz.
        progress
            Called with how many were tried, and what is tried next.
        """
        from bitformer.estimate.remedies import remedies

        model = self.model.integer
        return remedies(model, **self.asked, clock_hz=clock_hz, progress=progress)

    def diagnose(
        self,
        *,
        kb: str | Path | None = None,
        sensitivity: "AddedErrors | None" = None,
        note: Note = unheard,
        progress: Progress = silent,
    ) -> "Diagnosis":
        """Try all placements and, if the design does not fit, every single change.

        Parameters
        ----------
        kb
            A knowledge base of your own beside the one that ships.
        sensitivity
            Validation error that a component's bits add.
        note
            Told why nothing is predicted, where that is so.
        progress
            Called with how many were tried, and what is tried next.
        """
        from bitformer.estimate.knowledge import known_entries
        from bitformer.estimate.remedies import diagnose

        entries = known_entries(None if kb is None else Path(kb))
        return diagnose(
            self.model.integer,
            **self.asked,
            predictor=predictor_of(entries, self.lowered.part, note),
            sensitivity=sensitivity,
            progress=progress,
        )

    @property
    def answer(self) -> "Answer":
        """What a result of the design means, as its model's task has it."""
        from bitformer.model.forecasts.answer import Answer

        return Answer.of(self.model.integer)

    def samples(
        self,
        count: int = 4,
        *,
        data: str | None = None,
        target: str | Sequence[str] | None = None,
        inputs: str | Sequence[str] | None = None,
        seed: int = 0,
        note: Note = unheard,
        **reading: Any,
    ) -> Samples:
        """Return windows to simulate: evenly spaced test windows, or random integers.

        Parameters
        ----------
        count
            How many.
        data
            A data set's name, a CSV file, or ``"random"``; by default the model's own data, or
            random integers where it was not trained or its data are not here.
        target, inputs
            Columns of a CSV file.
        seed
            Of random integers.
        note
            Told why they are random, where the model's data cannot be had.
        **reading
            How a CSV file is read: ``time`` and the other fields of
            :class:`bitformer.model.data.reading.Reading`; by default as in training.
        """
        columns = {"target": target, "inputs": inputs, **reading}
        phases = self.lowered.phases
        return samples_of(
            self.model.integer, count, seed, note, data=data, phases=phases, **columns
        )

    def simulate(
        self,
        windows: Any = None,
        *,
        clock: Any = None,
        samples: int = 4,
        engine: str = "auto",
        back_pressure: float = 0.0,
        seed: int = 0,
        vcd: str | Path | None = None,
        saif: str | Path | None = None,
        note: Note = unheard,
        progress: Progress = silent,
    ) -> "Simulation":
        """Run windows cycle by cycle and compare every element of every tensor.

        Parameters
        ----------
        windows
            Standardised floats [N, window, inputs], or :class:`Samples`; by default ``samples`` of
            the model's own data, or random integers for an untrained model.
        clock
            The time of floats of a model with a calendar, integers [N, numbers].
        samples
            How many.
        engine
            ``"python"``, ``"native"`` (compiled), ``"auto"``: native where possible, or
            ``"netlist"``: what Yosys makes of the design, of which results alone are compared.
        back_pressure
            Chance in each cycle that the source or the sink pauses.
        seed
            Of random integers and pauses.
        vcd
            A file for waves of every named signal.
        saif
            A file for switching activity, which power reports take.
        note
            Told what a person would wonder at, such as a compilation.
        progress
            Called with the windows done, their number, and what goes on.
        """
        if windows is None:
            windows = self.samples(samples, seed=seed)
        return simulated(
            self.lowered,
            windows,
            clock,
            engine=engine,
            back_pressure=back_pressure,
            seed=seed,
            vcd=None if vcd is None else Path(vcd),
            saif=None if saif is None else Path(saif),
            note=note,
            progress=progress,
        )

    def synthesize(self, *, units: bool = False, progress: Progress = silent) -> "Synthesis":
        """Measure resources and logic depth with Yosys; a minute or so, once.

        Parameters
        ----------
        units
            Whether to measure each unit by itself, too.
        progress
            Called when something has to be synthesized.
        """
        from bitformer.synth.synthesize import synthesize

        return synthesize(self.lowered, units=units, progress=progress)

    def route(
        self, *, clock_hz: float | None = None, seeds: int = 3, progress: Progress = silent
    ) -> "Routing":
        """Place and route the accelerator by itself, on a part that can be routed here.

        Parameters
        ----------
        clock_hz
            The clock to aim at, in hertz: by default 150 MHz, 48 MHz of parts as slow as ice40up5k.
        seeds
            How many times: ``best_mhz``, ``median_mhz`` and ``worst_mhz`` are over them.
        progress
            Called with what is done, of how much, and what goes on.
        """
        from bitformer.synth.place_design import route_design

        return route_design(self.lowered, clock_hz=clock_hz, seeds=seeds, progress=progress)

    def verilog(self, name: str = TOP, *, wrapper: str | None = None) -> str:
        """Return the accelerator as Verilog.

        Parameters
        ----------
        name
            Of the top module.
        wrapper
            ``"axi-stream"`` for the ports of AXI4-Stream
            (:class:`bitformer.hw.units.axi_stream.AxiStream`).

        Raises
        ------
        UserError
            If there is no such wrapper.
        """
        return verilog(self.lowered, name, wrapper)

    def elaborate(self, to: str | Path, *, wrapper: str | None = None) -> tuple[Path, Path]:
        """Write Verilog, and all that the design consists of as JSON; return both files.

        Parameters
        ----------
        to
            The folder; what bitformer wrote there before is replaced.
        wrapper
            As of :meth:`verilog`.

        Raises
        ------
        UserError
            If the folder holds other files, or cannot be written.
        """
        return elaborated(self.lowered, Path(to), wrapper)

    def build(
        self,
        board: str,
        *,
        to: str | Path,
        name: str | None = None,
        note: Note = unheard,
        progress: Progress = silent,
        **options: Any,
    ) -> Build:
        """Write the complete project for a board.

        Parameters
        ----------
        board
            A board's name, as ``bitformer boards`` lists them; its part must be the design's.
        to
            The folder; a build that is there is replaced.
        name
            Of the top module and of the files; by default the configuration's.
        note
            Told what another clock costs.
        progress
            Called while a change is looked for, of a design that is too large.
        **options
            ``link``, ``baud``, ``elastic``, ``clock_hz``, ``saif``, ``toolchain`` as of
            :func:`bitformer.boards.build.project.build_plan`.

        Raises
        ------
        UserError
            If the board is unknown, has another part, is too small, or an option will not do.
        """
        told: dict[str, Any] = {"note": note, "progress": progress}
        return built(self.lowered, self.asked, board, directory=to, name=name, **told, **options)

    def to_dict(self) -> dict[str, object]:
        """Return cycles, part and stores as plain data."""
        return {"model": self.model.to_dict(), **self.exact().to_dict()}

    def __repr__(self) -> str:
        return f"<AcceleratorDesign {self.model.name} on {self.part}: {self.latency} cycles>"
