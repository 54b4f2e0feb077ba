"""``bitformer elaborate``: the accelerator as Verilog, and its design as JSON."""

from pathlib import Path
from typing import Any

import click

import bitformer
from bitformer.cli.lowering import lowered
from bitformer.cli.options import (
    PATH,
    hardware_options,
    model_argument,
    part_option,
    reloadable_option,
)
from bitformer.cli.report import Report, json_option
from bitformer.model.progress import busy

__all__ = ["command"]


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
    part: str,
    hardware: dict[str, Any],
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
    DIR/bitformer_accelerator_tb.v checks the module in any simulator of Verilog: golden windows
    from power-up and after resets; its last line begins with PASS or FAIL.
    DIR/bitformer.json holds the units' widths, the program with its timetable, the bound of each
    accumulator, and the estimate. What bitformer wrote to DIR before is replaced; a folder with
    other files is refused.

    \b
    bitformer elaborate m.safetensors -o build/verilog
    bitformer elaborate m.safetensors --wrapper axi-stream -o build/ip
    """
    design = lowered(bitformer.load(model), part=part, reloadable=reloadable, **hardware)
    with busy("Writing the Verilog"):
        verilog, facts = design.elaborate(output, wrapper=wrapper)
    with verilog.open(encoding="utf-8") as file:
        lines = sum(1 for _ in file)
    report.line(f"{verilog}: {lines} lines, top {verilog.stem}")
    instructions = len(design.lowered.program.instructions)
    checks = verilog.with_name(f"{verilog.stem}_tb.v")
    report.line(f"{checks}: golden windows, which it checks in a simulator of Verilog")
    report.line(f"{facts}: {instructions} instructions and the rest")
    report.data(
        {
            "model": str(model),
            "verilog": str(verilog),
            "testbench": str(checks),
            "design": str(facts),
            "top": verilog.stem,
            "latency_cycles": design.latency,
        }
    )
