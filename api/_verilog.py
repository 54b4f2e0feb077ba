"""Verilog of an accelerator, and its design as JSON."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from bitformer.hw.design import Design
from bitformer.model.errors import UserError

__all__ = ["TOP", "elaborated", "verilog"]

#: Name of the accelerator's module.
TOP = "bitformer_accelerator"


def verilog(design: Design, name: str, wrapper: str | None) -> str:
    """Return a design as Verilog; see :meth:`bitformer.AcceleratorDesign.verilog`."""
    from bitformer.hw.convert import to_verilog
    from bitformer.hw.units.accelerator import Accelerator
    from bitformer.hw.units.axi_stream import axi_stream

    if wrapper not in (None, "axi-stream"):
        raise UserError(f"wrapper must be axi-stream or none, not {wrapper}")
    return to_verilog(axi_stream(design) if wrapper else Accelerator(design=design), name=name)


def elaborated(design: Design, folder: Path, wrapper: str | None) -> tuple[Path, Path]:
    """Write both files; see :meth:`bitformer.AcceleratorDesign.elaborate`."""
    from bitformer.boards.build.directory import PLAN_FILE, whole_directory
    from bitformer.boards.build.firmware import write_firmware

    with whole_directory(folder.resolve()) as fresh:
        source = verilog(design, TOP, wrapper)
        (fresh / f"{TOP}.v").write_text(source, encoding="utf-8")
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
