# amaranth: UnusedElaboratable=no
"""Every unit of the hardware, and parameters with which it is in order."""

import importlib
import pkgutil
from dataclasses import fields, replace

from amaranth.lib import wiring

from bitformer.hw import units
from bitformer.hw.families.series7 import SERIES7
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.memory import StorePart, StoreSpec
from bitformer.hw.program import Instruction, MachineOperation, Program
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.units.result_slots import slot_layout
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

__all__ = ["COMPONENTS", "GOOD", "OPERATIONS"]


def components():
    """Every public component of `hw.units`, by name."""
    found = {}
    for info in pkgutil.iter_modules(units.__path__, f"{units.__name__}."):
        module = importlib.import_module(info.name)
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, type) and issubclass(value, wiring.Component):
                found[name] = value
    return found


COMPONENTS = components()
OPERATIONS = (
    MachineOperation(matrix=True, length=2, pitch=3, last_columns=2, packed=True),
    MachineOperation(slots=2),
)
PROGRAM = Program(operations=OPERATIONS, instructions=(Instruction(op=1, delta=5, dst=3, res=1),))
RESUMING = (replace(OPERATIONS[0], resumes=True), OPERATIONS[1])
TIMED = (*OPERATIONS, MachineOperation(matrix=True, clock=2))
SLOT = slot_layout(ways=2, op_bits=1, parameter_bits=3, dst_bits=4, res_bits=4)
TIMED_SLOT = slot_layout(ways=2, op_bits=2, parameter_bits=3, dst_bits=4, res_bits=4)
ROW = {"operations": OPERATIONS, "slot": SLOT, "dst_bits": 2, "res_bits": 1}
OPERANDS = ("operations", "ways", "word_bits", "scores", "input_bits", "operand_bits")
WIDTHS = [field.name for field in fields(PostProcessorWidths) if "norm" not in field.name]
WRITER = ("queue", "ways", "slots", "bits", "depth", "result_bits", "dst_bits")
DETECTOR = (
    *("numbers", "bits", "judged_bits", "shift", "forecast_shift", "zero", "smoothing"),
    *("absolute", "level_bits", "weight_bits", "score_bits"),
)
DSP = SERIES7.multiplier
ENGINE = (
    *("columns", "column_bits", "operand_bits", "pack_shift", "half_bits"),
    *("always_packed", "product_bits", "multiplier"),
)


def tiny():
    return lower(initialize(named_config("tiny")))


BLOCK = (
    *("rows", "posts", "rounds", "ways", "slots", "parts", "bits", "depth"),
    *("result_bits", "dst_bits", "pair_bits", "pitch"),
)
HALF = StoreSpec(name="one", depth=2, width=8)
SPLIT_SPEC = StoreSpec(
    name="one",
    depth=4,
    width=8,
    parts=tuple(StorePart(base=n, spec=HALF, ports=(0,), tensors=()) for n in (0, 2)),
)
# Parameters that are in order.
GOOD = {
    "Accelerator": lambda: {"design": lower_reloadable(initialize(named_config("tiny")))},
    "AddressGenerator": lambda: {"operations": OPERATIONS, "act_bits": 4, "weight_bits": 5},
    "AxiStream": lambda: {"accelerator": Accelerator(design=tiny()), "inputs": 24, "results": 6},
    "BlockWriter": lambda: dict(zip(BLOCK, (4, 2, 2, 2, 8, 2, 6, 9, 8, 7, 3, 4), strict=True)),
    "ClassChoice": lambda: {"classes": 5, "bits": 8},
    "ColumnStore": lambda: {
        "spec": StoreSpec(name="one", depth=4, width=40, granule=4),
        "columns": 5,
        "ways": 2,
        "group": 2,
    },
    "Detector": lambda: dict(zip(DETECTOR, (3, 8, 8, 1, 0, -3, 2, True, 12, 8, 24), strict=True)),
    "Drain": lambda: {**ROW, "operations": TIMED, "slot": TIMED_SLOT, "columns": 3},
    "Exponential": dict,
    "Gelu": lambda: {"widths": (4, 8), "bits": 9},
    "InputPort": lambda: {
        "steps": 2,
        "channels": 1,
        "bits": 8,
        "numbers": 2,
        "judged": 3,
        "kept": 3,
    },
    "KeyValueWriter": lambda: dict(zip(WRITER, (2, 2, 4, 6, 9, 8, 5), strict=True)),
    "MatrixEngine": lambda: dict(zip(ENGINE, (2, 8, 8, 16, 4, True, 32, DSP), strict=True)),
    "Normalizer": lambda: {"features": 4, "bits": 8, "gamma_bits": 9, "multiplier": DSP},
    "Operands": lambda: dict(zip(OPERANDS, (OPERATIONS, 2, 12, False, 7, 8), strict=True)),
    "OutputPort": lambda: {"features": 3, "bits": 8, "ways": 2},
    "PostProcessor": lambda: {
        "operations": RESUMING,
        "slot": SLOT,
        "widths": PostProcessorWidths(**dict.fromkeys(WIDTHS, 8)),
        "multiplier": DSP,
    },
    "Reciprocal": lambda: {"keys": 4},
    "RowMaximum": lambda: {"ways": 2},
    "RowStatistics": lambda: {
        "features": 4,
        "bits": 8,
        "ways": 2,
        "multiplier": DSP,
        "rounds": 2,
    },
    "Sequencer": lambda: {
        "program": replace(PROGRAM, phases=2),
        "inputs": 4,
        "whole_window": False,
    },
    "SplitStore": lambda: {"spec": SPLIT_SPEC},
    "Store": lambda: {"spec": StoreSpec(name="one", depth=4, width=8)},
    "TableRows": lambda: {"rows": (24, 7), "strides": (12, 3), "bits": 8},
    "VectorSlots": lambda: ROW,
}
