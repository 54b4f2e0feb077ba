# amaranth: UnusedElaboratable=no
"""Verilog of an accelerator, and its design as JSON."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from bitformer.hw.design import Design
from bitformer.model.errors import UserError

__all__ = ["TOP", "elaborated", "self_test", "verilog"]

#: Name of the accelerator's module.
TOP = "bitformer_accelerator"
#: Windows that its testbench runs.
_WINDOWS = 2


def verilog(design: Design, name: str, wrapper: str | None) -> str:
    """Return a design as Verilog; see :meth:`bitformer.AcceleratorDesign.verilog`."""
    from bitformer.hw.convert import to_verilog
    from bitformer.hw.units.accelerator import Accelerator
    from bitformer.hw.units.axi_stream import axi_stream

    if wrapper not in (None, "axi-stream"):
        raise UserError(f"wrapper must be axi-stream or none, not {wrapper}")
    return to_verilog(axi_stream(design) if wrapper else Accelerator(design=design), name=name)


def self_test(design: Design, name: str, wrapper: str | None) -> str:
    """Return a testbench in Verilog that checks the module which :func:`verilog` gives."""
    from amaranth.hdl import Shape

    from bitformer.hw.golden import golden_vectors
    from bitformer.hw.testbench import Ports, testbench
    from bitformer.hw.units.accelerator import Accelerator
    from bitformer.hw.units.axi_stream import axi_stream
    from bitformer.model.stream import StepModel

    model = design.model
    # a stream's rings are full, and begin anew
    warm_up = model.config.tokens_seen * model.phases if isinstance(model, StepModel) else 0
    count = warm_up + _WINDOWS
    accelerator = Accelerator(design=design)
    loads = tuple(
        (member, Shape.cast(accelerator.signature.members[member].shape).width)
        for member in accelerator.signature.members
        if member.startswith(("i_bank", "i_load"))
    )
    if wrapper:
        top = axi_stream(design)
        ports = Ports(
            clock="aclk",
            reset="aresetn",
            reset_level=0,
            sample=("s_axis_tdata", "s_axis_tvalid", "s_axis_tready"),
            result=("m_axis_tdata", "m_axis_tvalid", "m_axis_tready"),
            sample_bits=len(top.s_axis_tdata),
            result_bits=len(top.m_axis_tdata),
            last="s_axis_tlast",
            zero=loads,
        )
    else:
        ports = Ports(
            clock="clk",
            reset="rst",
            reset_level=1,
            sample=("i__payload", "i__valid", "i__ready"),
            result=("o__payload", "o__valid", "o__ready"),
            sample_bits=len(accelerator.i.payload),
            result_bits=len(accelerator.o.payload),
            zero=loads,
        )
    return testbench(
        name,
        ports,
        golden_vectors(model, count),
        result_bits=len(accelerator.o.payload),
        latency=design.latency,
    )


def elaborated(design: Design, folder: Path, wrapper: str | None) -> tuple[Path, Path]:
    """Write both files; see :meth:`bitformer.AcceleratorDesign.elaborate`."""
    from bitformer.boards.build.directory import PLAN_FILE, whole_directory
    from bitformer.boards.build.firmware import write_firmware

    with whole_directory(folder.resolve()) as fresh:
        source = verilog(design, TOP, wrapper)
        (fresh / f"{TOP}.v").write_text(source, encoding="utf-8")
        checks = self_test(design, TOP, wrapper)
        (fresh / f"{TOP}_tb.v").write_text(checks, encoding="utf-8")
        data = {**_description(design), "wrapper": wrapper}
        text = json.dumps(data, indent=1, default=_plain) + "\n"
        write_firmware(design, fresh, framed=False)
        (fresh / PLAN_FILE).write_text(text, encoding="utf-8")
    return folder / f"{TOP}.v", folder / PLAN_FILE


def _description(design: Design) -> dict[str, object]:
    """Return all that a design consists of: units, program and bounds."""
    from bitformer.hw.lowering.exact import estimate

    program, model = design.program, design.model
    events = [event for timeline in design.timelines for event in timeline.events]
    unsigned = model.config.adc_words
    return {
        "format": 1,
        "top": TOP,
        "config": model.config.to_dict(),
        "input": {"bits": model.input.bits, "values": model.window_size, "unsigned": unsigned},
        "output": {"bits": model.output.bits, "values": model.output.size, "unsigned": unsigned},
        "phases": design.phases,
        "geometry": dataclasses.asdict(design.geometry),
        "estimate": estimate(design).to_dict(),
        "accumulator_bounds": dict(design.bounds),
        "packed": dict(design.packed),
        "operations": [
            # names of enumerations
            {field: getattr(value, "name", value) for field, value in vars(op).items()}
            for op in program.operations
        ],
        "instructions": [
            {"cycle": event.issue, "waited_for": event.reason, **vars(instruction)}
            for event, instruction in zip(events, program.instructions, strict=True)
        ],
    }


def _plain(value: Any) -> object:
    """Return what JSON has no word for: sets as sorted lists, numpy's integers as Python's."""
    return sorted(value) if isinstance(value, (set, frozenset)) else int(value)
