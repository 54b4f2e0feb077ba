"""``bitformer report``: what the tools say of a build, and whether it is good."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitformer.cli.options import PATH, kb_option
from bitformer.cli.quantity import COUNT, MEGAHERTZ, Number
from bitformer.cli.report import Report, json_option
from bitformer.model.errors import UserError

if TYPE_CHECKING:
    from bitformer.boards.reports.energy import Energy
    from bitformer.boards.reports.report import BuildReport
    from bitformer.estimate.knowledge import Entry
    from bitformer.model.forecasts.answer import Answer

__all__ = ["command"]

#: What is said of a build that is good, by Vivado and by nextpnr.
_GOOD = "it fits, every constraint is there and met, and the power is believable"
_ROUTED = (
    "it fits and reaches its clock, by nextpnr, which analyses setup times alone; no tool here"
    " reports power"
)


def _show(report: Report, found: "BuildReport") -> None:
    report.line(f"{found.name}: {found.device or 'part unknown'}, by {found.tool or 'open tools'}")
    for sentence in () if found.answer is None else found.answer.sentences:
        report.line(f"  {sentence}")
    report.table(("report", "value", ""), found.rows())


def _show_energy(
    report: Report, energy: "Energy", answer: "Answer | None", configuration_w: float
) -> None:
    from bitformer.model.forecasts.answer import inferences

    off, day = energy.day.off_j, inferences(answer, energy.day.forecasts)
    report.table(
        ("energy", "value", ""),
        (
            (inferences(answer, 1), f"{energy.inference_j * 1e6:.3f}", "µJ"),
            ("its time", f"{energy.seconds * 1e6:.2f}", "µs"),
            ("one configuration", f"{energy.configuration_j * 1e6:.1f}", "µJ"),
            ("its time", f"{energy.configuration_s * 1e3:.2f}", "ms"),
            None,
            (f"a day of {day}, idle in between", f"{energy.day.idle_j:.3f}", "J"),
            ("the same, off in between", "no time" if off is None else f"{off:.3f}", "J"),
            ("off is better above", f"{energy.break_even_s * 1e3:.1f}", "ms between two"),
        ),
    )
    report.line(
        f"Assumed: {configuration_w:g} W while configuring, at the nominal rate;"
        f" {energy.idle_w:.3f} W idle, static and clock; nothing when off. The board's regulators,"
        " flash and host are not in it."
    )


def _entry(found: "BuildReport", used: dict[str, int]) -> "Entry":
    """Return what the knowledge base keeps of a build that Vivado calls good."""
    from bitformer.boards.reports.vivado.utilization import BLOCK_RAM
    from bitformer.estimate.knowledge import Entry
    from bitformer.model.sealed_json import digest_of

    name, part, build = found.name, str(found.device), found.manifest
    features: dict[str, float] = {}
    if build is not None and build.model is not None:
        features = {"model": int(build.model, 16), "clock_hz": build.clock_hz}
        if found.power is not None:
            features["power_w"] = found.power.total_w
        fastest = None if found.timing is None else found.timing.fmax_mhz(build.clock_hz)
        if fastest is not None:
            features["reached_mhz"] = fastest
    return Entry(
        key=digest_of([name, part, found.tool, used, features]),
        kind="build",
        name=name,
        part=part,
        lanes=0,
        tool="Vivado",
        version=str(found.tool),
        luts=used["LUT"],
        lutram=used["LUT as memory"],
        ffs=used["FF"],
        ramb18=used[BLOCK_RAM],
        dsps=used["DSP"],
        features=features,
    )


def _remember(report: Report, kb: Path | None, found: "BuildReport") -> None:
    """Add a good build to the knowledge base, if Vivado's report is there."""
    from bitformer.estimate.knowledge import remember

    if found.utilization is None or found.tool is None:
        return
    used = {name: use.used for name, use in found.utilization.uses.items()}
    try:
        remember(kb, [_entry(found, used)], report.note)
    except (UserError, KeyError) as error:
        report.note(f"Not remembered: {error}")


def _days(
    report: Report, found: "BuildReport", path: Path, kb: Path | None, configuration_w: float
) -> dict[str, Any]:
    """Print days of the build's model on its part and on others; the same as plain data.

    On its part they are by the reported power, too, where there is one.
    """
    import bitformer
    from bitformer.boards.board import part_of
    from bitformer.boards.reports.report import energy_of
    from bitformer.cli.estimate_days import show_days
    from bitformer.estimate.days import DAY_S, PERIODS
    from bitformer.model.identity import model_hash

    build, part, model = found.manifest, part_of(found.device or ""), bitformer.load(path)
    if build is None or build.model is None or part is None:
        raise UserError(
            f"--model must be left out: {found.directory} holds no build of a model by bitformer"
        )
    if (own := model_hash(model.integer).hex()) != build.model:
        raise UserError(
            f"--model must be the build's model, whose hash is {build.model}, and {path} has {own}"
        )
    reported = {}
    for pace, seconds in PERIODS.items():
        energy = energy_of(found, forecasts=DAY_S // seconds, configuration_w=configuration_w)
        if energy is not None:
            reported[pace] = energy.day
    design = bitformer.lower(model, part=part.name)
    estimate = design.estimate(clock_hz=build.clock_hz, kb=kb)
    days = show_days(report, design, estimate, reported=reported, clock_hz=build.clock_hz, kb=kb)
    plain = {pace: {**vars(day), "best": day.best} for pace, day in reported.items()}
    return {"days": days, "reported_days": plain}


@click.command("report")
@click.argument("directory", type=PATH, metavar="DIR")
@click.option("--cycles", type=COUNT, metavar="N", help="Of an inference [the build's].")
@click.option(
    "--clock",
    "clock_hz",
    type=MEGAHERTZ,
    metavar="MHZ",
    help="The design's clock [the build's].",
)
@click.option(
    "--per-day",
    type=COUNT,
    default=1440,
    show_default=True,
    metavar="N",
    help="Inferences in a day: forecasts, classes or flags.",
)
@click.option(
    "--config-power",
    type=Number(0, 1000, what="watts"),
    default=0.1,
    show_default=True,
    metavar="W",
    help="Power while the FPGA is configured: no report has it.",
)
@click.option(
    "--model",
    type=PATH,
    metavar="M",
    help="The build's model: also a day at an inference a second, a minute, ten minutes, on its"
    " part and on parts of other families.",
)
@kb_option
@click.option("--no-kb", is_flag=True, help="Do not add a good build to the knowledge base.")
@json_option
def command(
    directory: Path,
    cycles: int | None,
    clock_hz: float | None,
    per_day: int,
    config_power: float,
    model: Path | None,
    kb: Path | None,
    no_kb: bool,
    report: Report,
) -> None:
    """Read the reports in DIR, and say whether they call the design good: exit code 0, or else 1.

    DIR is what 'bitformer build' wrote, after Vivado or the open tools have run there, or any
    folder with Vivado's utilization, timing and power reports (2018.2 to 2025.1). A design is good
    when it fits, setup, hold and pulse width are constrained and met, every port is constrained,
    and the confidence in the power report is not low. Energy is reported power times simulated
    cycles.

    \b
    bitformer report build/mine
    bitformer report build/mine --per-day 96 --config-power 0.08
    bitformer report build/mine --model m.safetensors
    """
    from bitformer.boards.reports.report import energy_of, read_build

    found = read_build(directory)
    try:
        energy = energy_of(
            found,
            forecasts=per_day,
            cycles=cycles,
            clock_hz=None if clock_hz is None else round(clock_hz),
            configuration_w=config_power,
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    _show(report, found)
    if energy is not None:
        _show_energy(report, energy, found.answer, config_power)
    for problem in found.problems:
        report.line(f"Not good: {problem}")
    if found.good and not no_kb:
        _remember(report, kb, found)
    days = {} if model is None else _days(report, found, model, kb, config_power)
    if found.good:
        report.line(f"Good: {_GOOD if found.routing is None else _ROUTED}")
    report.data(
        {
            **found.to_dict(),
            "energy": None if energy is None else dataclasses.asdict(energy),
            "configuration_w": config_power,
            **days,
        }
    )
    if not found.good:
        raise click.exceptions.Exit(1)
