"""What a page shows of a model: each part where its data are, and why another is missing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bitformer
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent
from bitformer.report.verified_facts import (
    checked_model,
    simulation_check,
    static_check,
)

if TYPE_CHECKING:
    from bitformer.boards.reports.report import BuildReport
    from bitformer.model.evaluating import AnyEvaluation
    from bitformer.sim.run import Simulation

__all__ = ["Asked", "Gathered", "gathered_model", "reported_energy"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a page is to show, and with what effort.

    Parameters
    ----------
    data : data to score on and how they are read, as of :meth:`bitformer.Model.evaluate`.
    clock_hz : the design's clock.
    kb : a knowledge base of the user's own.
    samples : windows to simulate; 0 for none.
    engine : that simulates them.
    rows : whether rows of the data are shown.
    noise : windows that noise is measured on; 0 for none.
    synthesis : whether Yosys measures the design unit by unit.
    families : whether energy is told on parts of other families, too.
    note, progress : are told what goes on.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    clock_hz: float = 100e6
    kb: Path | None = None
    samples: int = 2
    engine: str = "python"
    rows: bool = True
    noise: int = 128
    synthesis: bool = False
    families: bool = True
    note: Callable[[str], None] = lambda _: None
    progress: Progress = silent


@dataclass
class Gathered:
    """The parts of a page by name, what is missing and why, and what was verified."""

    parts: dict[str, Any] = field(default_factory=dict)
    missing: list[dict[str, str]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    energy: list[dict[str, Any]] = field(default_factory=list)
    model: dict[str, Any] | None = None

    def lack(self, part: str, why: str) -> None:
        """Note that a part is missing, and why."""
        self.missing.append({"part": part, "why": why})

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Note a part as missing if the block raises a user's mistake."""
        try:
            yield
        except UserError as error:
            self.lack(name, str(error))


def gathered_model(
    model: "bitformer.Model",
    design: "bitformer.AcceleratorDesign | None",
    asked: Asked,
    *,
    digest: str | None = None,
    run: Path | None = None,
    evaluation: "AnyEvaluation | None" = None,
    simulation: "tuple[Simulation, str] | None" = None,
) -> Gathered:
    """Gather all that is known of a model, and of the design that it is lowered to.

    Parameters
    ----------
    model, design
        What is shown; without a design, what hardware takes is left out.
    asked
        With what effort.
    digest
        Of the model's file.
    run
        The folder of its training.
    evaluation, simulation
        Those that are known already, the simulation with the source of its windows.
    """
    found = Gathered(model=checked_model(model, digest))
    asked.progress(0, None, "scoring")
    _answers(found, model, asked, evaluation)
    asked.progress(0, None, "counting bits")
    _bits(found, model, asked, run)
    if design is not None:
        _hardware(found, design, asked, simulation)
    return found


def _answers(
    found: Gathered,
    model: "bitformer.Model",
    asked: Asked,
    scores: "AnyEvaluation | None",
) -> None:
    from bitformer.model.class_evaluation import ClassEvaluation
    from bitformer.model.detection_evaluation import DetectionEvaluation
    from bitformer.report.answer_facts import class_facts, detection_facts
    from bitformer.report.forecast_facts import forecast_facts
    from bitformer.report.row_times import row_times

    with found.part("scores on data"):
        if scores is None:
            scores = model.evaluate(**asked.data, note=asked.note)
        times = row_times(model.integer, scores.dataset, asked.data)
        if isinstance(scores, ClassEvaluation):
            found.parts["classes"] = class_facts(scores)
        elif isinstance(scores, DetectionEvaluation):
            found.parts["detections"] = detection_facts(scores, times, rows=asked.rows)
        else:
            found.parts["forecasts"] = forecast_facts(model.integer, scores, times, rows=asked.rows)
        found.parts["notes"] = list(scores.dataset.notes)


def _bits(found: Gathered, model: "bitformer.Model", asked: Asked, run: Path | None) -> None:
    from bitformer.report.bit_facts import bit_facts, noise_facts

    found.parts["bits"] = bit_facts(model.integer)
    if not asked.noise:
        found.lack("noise by tensor", "it was not asked for")
        return
    with found.part("noise by tensor"):
        floats = run if run is not None and (run / "run.json").is_file() else None
        noise = model.noise(**asked.data, samples=asked.noise, run=floats, progress=asked.progress)
        found.parts["noise"] = noise_facts(noise)


def _hardware(
    found: Gathered,
    design: "bitformer.AcceleratorDesign",
    asked: Asked,
    simulation: "tuple[Simulation, str] | None",
) -> None:
    from bitformer.report.design_facts import resource_facts, timetable_facts

    asked.progress(0, None, "estimating")
    estimate = design.estimate(clock_hz=asked.clock_hz, kb=asked.kb, note=asked.note)
    synthesis = None
    if asked.synthesis:
        with found.part("resources by unit"):
            synthesis = design.synthesize(units=True, progress=asked.progress)
    found.parts["timetable"] = timetable_facts(design.lowered)
    found.parts["resources"] = resource_facts(
        design.lowered,
        estimate.exact,
        estimate.prediction,
        design.components(estimate),
        synthesis,
    )
    clock = estimate.clock
    found.parts["speed"] = {
        "part": design.part,
        "clock_hz": asked.clock_hz,
        "latency": design.latency,
        "interval": design.interval,
        "latency_us": estimate.latency_us,
        "clock": None if clock is None else clock.to_dict(),
        "clock_sentence": None if clock is None else clock.sentence(design.latency),
        "macs": design.model.macs,
    }
    _energy(found, design, estimate, asked)
    found.checks.append(static_check(design.lowered))
    if simulation is None and asked.samples:
        with found.part("a simulation"):
            reading = {name: value for name, value in asked.data.items() if value is not None}
            windows = design.samples(asked.samples, **reading, note=asked.note)
            simulation = (
                design.simulate(
                    windows, engine=asked.engine, note=asked.note, progress=asked.progress
                ),
                windows.source,
            )
    if simulation is not None:
        found.checks.insert(0, simulation_check(*simulation))
    else:
        found.lack("a simulation", "none was asked for")


def _energy(
    found: Gathered,
    design: "bitformer.AcceleratorDesign",
    estimate: "bitformer.DesignEstimate",
    asked: Asked,
) -> None:
    from bitformer.estimate.days import days_of, refill_of
    from bitformer.estimate.power import busy_cycles
    from bitformer.report.energy_facts import days_facts
    from bitformer.report.other_parts import clock_of, on_other_families

    others = on_other_families(design) if asked.families else ()
    for one in (design, *others):
        asked.progress(0, None, f"estimating energy on {one.part}")
        own = estimate if one is design else one.estimate(clock_hz=asked.clock_hz, kb=asked.kb)
        if own.prediction is None:
            found.lack(
                f"energy on {one.part}",
                f"nothing is known of what the model takes there: 'bitformer synthesize M --part"
                f" {one.part}' measures it",
            )
            continue
        clock_hz = asked.clock_hz if one is design else clock_of(one, own, asked.clock_hz)
        refill = refill_of(one.lowered.model.config, one.lowered.phases)
        days = days_of(one.part, own.prediction.counts, clock_hz=clock_hz, refill=refill)
        found.energy.append(days_facts(days, int(busy_cycles(own.prediction.counts))))


def reported_energy(found: Gathered, report: "BuildReport") -> None:
    """Add the energy of a build whose power a tool reported."""
    from bitformer.boards.reports.report import CONFIGURATION_W, energy_of
    from bitformer.report.energy_facts import reported_facts

    manifest, power = report.manifest, report.power
    energy = energy_of(report, forecasts=1)
    if energy is None or power is None or manifest is None or manifest.busy_cycles is None:
        return
    found.energy.insert(
        0,
        reported_facts(
            energy,
            name=f"{manifest.name}, reported",
            cycles=manifest.busy_cycles,
            clock_hz=manifest.clock_hz,
            total_w=power.total_w,
            w=CONFIGURATION_W,
            by=report.tool or "a tool",
        ),
    )
