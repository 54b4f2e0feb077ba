"""``bitformer elaborate``: the accelerator as Verilog, and its design as JSON."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitformer.cli.options import (
    PATH,
    hardware_options,
    lowered,
    model_argument,
    part_option,
    reloadable_option,
)
from bitformer.cli.report import Report, json_option

if TYPE_CHECKING:
    from bitformer.hw.design import Design

__all__ = ["command"]

TOP = "bitformer_accelerator"


def _design_data(design: "Design") -> dict[str, object]:
    """What the design is made of: units, program and bounds."""
    from bitformer.hw.lowering.exact import estimate

    program, model = design.program, design.model
    return {
        "format": 1,
        "top": TOP,
        "config": model.config.to_dict(),
        "input": {"bits": model.input.bits, "values": model.input.size},
        "output": {"bits": model.output.bits, "values": model.output.size},
        "geometry": dataclasses.asdict(design.geometry),
        "estimate": estimate(design).to_dict(),
        "accumulator_bounds": dict(design.bounds),
        "packed": dict(design.packed),
        "operations": [
            {field: _plain(value) for field, value in vars(op).items()} for op in program.operations
        ],
        "instructions": [
            {"cycle": event.issue, "waited_for": event.reason, **vars(instruction)}
            for event, instruction in zip(design.schedule.events, program.instructions, strict=True)
        ],
    }


def _plain(value: object) -> object:
    """Names of enumerations, numbers and strings as they are."""
    return getattr(value, "name", value)


def _json(value) -> object:
    """What JSON has no word for: sets as sorted lists, numpy's integers as Python's."""
    return sorted(value) if isinstance(value, (set, frozenset)) else int(value)


@click.command("elaborate")
@model_argument
@part_option
@hardware_options
@reloadable_option
@click.option(
    "--wrapper",
    type=click.Choice(["axi-stream"]),
    help="Give the module the ports of AXI4-Stream.",
)
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="Folder to write.")
@json_option
def command(
    model: Path,
    part: str | None,
    lanes: int | None,
    pack: bool,
    place: tuple[str, ...],
    reloadable: bool,
    wrapper: str | None,
    output: Path,
    report: Report,
) -> None:
    """Write MODEL's accelerator to DIR: a Verilog module without anything of a board in it.

    Its ports are a clock, a reset, and two streams (payload, valid, ready): numbers in, one window
    after another, and results out; the o_trace ports are for comparison and may stay open. With
    --reloadable, the i_load ports write new weights beside those that i_bank chooses.
    With --wrapper axi-stream the ports are aclk, aresetn, s_axis_... and m_axis_..., as block
    designs expect them.
    DIR/bitformer.json holds the units' widths, the program with its timetable, the bound of each
    accumulator, and the estimate. What bitformer wrote to DIR before is replaced; a folder with
    other files is refused.

    \b
    bitformer elaborate m.safetensors -o build/verilog
    bitformer elaborate m.safetensors --wrapper axi-stream -o build/ip
    """
    import bitformer
    from bitformer.boards.build.directory import PLAN_FILE, whole_directory
    from bitformer.model.checkpoint import load_model

    design = lowered(
        load_model(model), part=part, lanes=lanes, pack=pack, place=place, reloadable=reloadable
    )
    data = {**_design_data(design), "wrapper": wrapper}
    front = bitformer.Design(bitformer.Model(design.model), design)
    target = output.resolve()
    with whole_directory(target) as fresh:
        source = front.verilog(TOP, wrapper=wrapper)
        (fresh / f"{TOP}.v").write_text(source, encoding="utf-8")
        text = json.dumps(data, indent=1, default=_json) + "\n"
        (fresh / PLAN_FILE).write_text(text, encoding="utf-8")
    files = {"verilog": str(output / f"{TOP}.v"), "design": str(output / PLAN_FILE)}
    report.line(f"{files['verilog']}: {len(source.splitlines())} lines, top {TOP}")
    report.line(f"{files['design']}: {len(design.program.instructions)} instructions and the rest")
    report.data({"model": str(model), **files, "top": TOP, "latency_cycles": design.latency})
