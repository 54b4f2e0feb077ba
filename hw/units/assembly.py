"""Units of a lowered design: their parameters, derived from it."""

from amaranth.lib import data

from bitformer.hw.design import Design
from bitformer.hw.units.drain import Drain
from bitformer.hw.units.key_value_writer import KeyValueWriter
from bitformer.hw.units.operands import Operands
from bitformer.hw.units.postprocessor import PostProcessor
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.units.result_slots import VectorSlots, slot_layout

__all__ = ["drain", "key_value_writer", "operands", "post_processor", "slots_of", "vector_slots"]


def slots_of(design: Design) -> data.StructLayout:
    """Return the layout of the slots of a design's post-processor."""
    program, stores, geometry = design.program, design.stores, design.geometry
    depth = max(2, len(design.images["parameters"]))
    # addresses run on from an instruction's to the end of its row
    words = max(stores[s].depth for s in ("activations", "scores", "position") if s in stores)
    address = (words - 1).bit_length()
    return slot_layout(
        ways=geometry.ways,
        op_bits=program.width("op"),
        parameter_bits=(depth - 1).bit_length(),
        dst_bits=max(program.width("dst"), address),
        res_bits=max(program.width("res"), address),
        upper=bool(geometry.wide) and geometry.ways > 1,
    )


def _rows(design: Design) -> dict:
    """Return the parameters that Drain and VectorSlots share."""
    program = design.program
    return {
        "operations": program.operations,
        "slot": slots_of(design),
        "dst_bits": program.width("dst"),
        "res_bits": program.width("res"),
    }


def drain(design: Design) -> Drain:
    """Return the drain of a design."""
    return Drain(columns=design.geometry.columns, **_rows(design))


def vector_slots(design: Design) -> VectorSlots:
    """Return the slots of a design's vector operations."""
    return VectorSlots(**_rows(design))


def key_value_writer(design: Design) -> KeyValueWriter:
    """Return the writer of a design's keys and values."""
    geometry = design.geometry
    return KeyValueWriter(
        columns=geometry.columns,
        ways=geometry.ways,
        slots=geometry.dynamic_slots,
        bits=geometry.dynamic_bits,
        depth=design.stores["dynamic"].depth,
        result_bits=geometry.activation_bits,
        dst_bits=design.program.width("dst"),
    )


def operands(design: Design) -> Operands:
    """Return the operands of a design's engine."""
    model, geometry = design.model, design.geometry
    subtraction, delta = model.subtraction, {}
    if subtraction is not None:
        y = model.tensors[subtraction.y]
        delta = {"delta_bits": y.bits, "delta_shift": subtraction.shift, "delta_zero": y.zero}
    return Operands(
        operations=design.program.operations,
        ways=geometry.ways,
        word_bits=design.stores["activations"].width,
        scores="scores" in design.stores,
        input_bits=model.input.bits,
        operand_bits=geometry.operand_bits,
        **delta,
    )


def post_processor(design: Design) -> PostProcessor:
    """Return the post-processor of a design."""
    geometry, stores, program = design.geometry, design.stores, design.program
    value_bits, scale_bits = design.parameter_bits
    position = stores["position"].width if "position" in stores else geometry.ways
    widths = PostProcessorWidths(
        product_bits=geometry.product_bits,
        pack_shift=geometry.pack_shift,
        accumulator_bits=geometry.accumulator_bits,
        narrow_bits=geometry.narrow_bits,
        value_bits=value_bits,
        scale_bits=scale_bits,
        activation_bits=stores["activations"].width // geometry.ways,
        position_bits=position // geometry.ways,
        last_bits=design.model.input.bits,
        factor_bits=geometry.factor_bits,
        low_bits=geometry.low_bits,
        high_bits=geometry.high_bits,
        sum_bits=geometry.sum_bits,
        shifted_bits=geometry.result_bits,
        result_bits=geometry.activation_bits,
        norm_features=geometry.norm_features,
        norm_bits=geometry.norm_bits,
    )
    return PostProcessor(
        operations=program.operations,
        slot=slots_of(design),
        widths=widths,
        multiplier=geometry.multiplier,
    )
