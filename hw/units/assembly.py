"""Units of a lowered design: their parameters, derived from it."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Value
from amaranth.lib import data
from amaranth.utils import bits_for

from bitformer.hw.column_groups import group_of
from bitformer.hw.design import RINGS, Design
from bitformer.hw.judging import level_bits, score_bits, weight_bits
from bitformer.hw.queues import queues_of
from bitformer.hw.units.address_generator import AddressGenerator
from bitformer.hw.units.block_writer import BlockWriter
from bitformer.hw.units.column_store import ColumnStore
from bitformer.hw.units.detector import Detector
from bitformer.hw.units.drain import Drain
from bitformer.hw.units.key_value_writer import KeyValueWriter
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.units.operands import Operands
from bitformer.hw.units.pipeline import MOST_COPIES, decode
from bitformer.hw.units.ports import InputPort, OutputPort
from bitformer.hw.units.postprocessor import PostProcessor
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.units.result_slots import VectorSlots, slot_layout
from bitformer.hw.units.sequencer import Sequencer
from bitformer.hw.units.split_store import SplitStore
from bitformer.hw.units.store import Store
from bitformer.model.operations import Judge

__all__ = [
    "Units",
    "block_writer",
    "detector",
    "drain",
    "key_value_writer",
    "matrix_engine",
    "operands",
    "post_processor",
    "slots_of",
    "store",
    "vector_slots",
]


class Units:
    """Stores and units that every design has, made as submodules.

    ``bank`` chooses the live image of the stores that new weights are loaded into; None with one.
    """

    def __init__(self, m: Module, design: Design, bank: Value | None):
        self.design, self.bank, self.operations = design, bank, design.program.operations
        model, geometry = design.model, design.geometry
        self.stores: dict[str, Store | ColumnStore | SplitStore] = {}
        for name in design.stores:
            if name != "output":
                self.stores[name] = store(design, name)
                m.submodules[f"store_{name}"] = self.stores[name]
        m.submodules.sequencer = self.sequencer = Sequencer(
            program=design.program,
            inputs=model.input.size,
            whole_window=model.whole_window,
            behind=model.window_size - model.input.size,
            rows=geometry.rows,
        )
        self._phase = self.sequencer.o_phase if design.phases > 1 else None
        # Yosys maps by the order of names: another name is another count of LUTs
        m.submodules.word_addresses = self.addresses = address_generator(design)
        m.submodules.input_port = self.input_port = InputPort(
            steps=model.input.rows,
            channels=model.input.features,
            bits=model.input.bits,
            unsigned=model.config.adc_words,
            numbers=len(model.config.calendar),
            judged=0 if model.detector is None else model.results.size,
            lanes=geometry.rows,
            patch=geometry.patch,
            kept=design.phases + 1,
        )
        m.submodules.output_port = self.output_port = OutputPort(
            rows=model.results.rows,
            features=model.results.features,
            bits=model.results.bits,
            ways=design.stores["output"].width // model.results.bits,
            placement=design.stores["output"].placement,
            unsigned=model.config.adc_words,
        )
        #: Of each token row; the first of them stands for what all have in common.
        self.operands = [operands(design) for _ in range(geometry.rows)]
        self.engines = [matrix_engine(design, row) for row in range(geometry.rows)]
        #: Post-processors, which have their slots in common.
        self.posts = [post_processor(design) for _ in range(geometry.posts)]
        for name, several in (
            ("operands", self.operands),
            ("engine", self.engines),
        ):
            _name(m, name, several)
        m.submodules.drain = self.drain = drain(design)
        m.submodules.vector = self.vector = vector_slots(design)
        _name(m, "post", self.posts)

    @property
    def post(self) -> PostProcessor:
        """The first post-processor: its slots are those of all."""
        return self.posts[0]

    def in_phase(self, name: str, address: Value) -> Value:
        """Return an address of a store, if it is one of rings that of the phase in hand."""
        if self._phase is None or name not in RINGS:
            return address
        return Cat(self._phase, address)

    def valid(self, lane: int) -> Value:
        """Return which results of a token row the post-processors have, by way."""
        posts, slot = len(self.posts), self.post.o_slot
        here: Value = Const(1, 1)
        if posts > 1:
            here = slot.posts[lane % posts]
        if "round" in slot.shape().members:
            here &= slot.round == lane // posts
        return slot.valid if isinstance(here, Const) else Mux(here, slot.valid, 0)

    def results(self, lane: int) -> data.View:
        """Return the results of a token row, by way, where they are ``valid``."""
        return self.posts[lane % len(self.posts)].o_y

    def decode(self, m: Module, op: Value, field: str, *, name: str = "") -> Value:
        """Look up a field of the operation that ``op`` is the number of."""
        return decode(m, op, self.operations, field, name=name)


def _name(m: Module, name: str, several: Sequence[Elaboratable]) -> None:
    """Add submodules of one kind: the first as ``name``, the others with their number."""
    for number, unit in enumerate(several):
        m.submodules[f"{name}_{number}" if number else name] = unit


def store(design: Design, name: str) -> Store | ColumnStore | SplitStore:
    """Return a store of a design."""
    spec, geometry, group = design.stores[name], design.geometry, group_of(design)
    if spec.parts:
        return SplitStore(spec=spec, luts=design.family.luts)
    if name == "dynamic" and group < geometry.columns:
        hard, ways = geometry.hard, geometry.ways
        return ColumnStore(spec=spec, columns=hard, ways=ways, group=group)
    return Store(spec=spec, init=design.images.get(name, ()), luts=design.family.luts)


def address_generator(design: Design) -> AddressGenerator:
    """Return the address generator of a design's engine."""
    stores, geometry = design.stores, design.geometry
    # an address runs on from an instruction's: to the last element of the deepest store
    elements = {"input": 1, "activations": geometry.ways, "scores": geometry.ways}
    units = {"weights": geometry.weights.units, "dynamic": 1}

    def bits(parts: dict[str, int]) -> int:
        return max(bits_for(design.words(n) * k - 1) for n, k in parts.items() if n in stores)

    return AddressGenerator(
        operations=design.program.operations, act_bits=bits(elements), weight_bits=bits(units)
    )


def slots_of(design: Design) -> data.StructLayout:
    """Return the layout of the slots of a design's post-processor."""
    program, stores, geometry = design.program, design.stores, design.geometry
    depth = max(2, len(design.images["parameters"]))
    # addresses run on from an instruction's to the end of its row
    words = max(design.words(s) for s in ("activations", "scores", "position") if s in stores)
    address = (words - 1).bit_length()
    return slot_layout(
        ways=geometry.ways,
        op_bits=program.width("op"),
        parameter_bits=(depth - 1).bit_length(),
        dst_bits=max(program.width("dst"), address),
        res_bits=max(program.width("res"), address),
        upper=bool(geometry.wide) and geometry.ways > 1,
        soft=geometry.weights.soft > 0 and not geometry.apart,
        posts=geometry.posts,
        rounds=geometry.rounds(geometry.rows),
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
    geometry, queue = design.geometry, queues_of(design).rows
    return Drain(
        columns=geometry.columns,
        soft=geometry.weights.soft,
        queue=queue,
        copies=min(MOST_COPIES, geometry.rows),
        **_rows(design),
    )


def matrix_engine(design: Design, row: int = 0) -> MatrixEngine:
    """Return token row ``row`` of a design's engine."""
    geometry = design.geometry
    return MatrixEngine(
        columns=geometry.columns,
        column_bits=geometry.column_bits,
        operand_bits=geometry.operand_bits,
        pack_shift=geometry.pack_shift,
        half_bits=geometry.half_bits,
        always_packed=all(design.packed.values()),
        product_bits=geometry.product_bits,
        multiplier=geometry.multiplier,
        group=group_of(design),
        apart=geometry.apart,
        extension=geometry.extension,
        soft=geometry.weights.soft,
        soft_bits=geometry.soft_bits,
        soft_sum_bits=geometry.soft_sum_bits,
        broad=geometry.weights.broad,
        broad_bits=geometry.broad_bits,
        broad_sum_bits=geometry.broad_sum_bits,
        halves=geometry.halves,
        ones=row // 2 % 2 == 1,
    )


def vector_slots(design: Design) -> VectorSlots:
    """Return the slots of a design's vector operations."""
    return VectorSlots(**_rows(design))


def detector(design: Design, judge: Judge) -> Detector:
    """Return the unit of a design that makes flags, as ``judge`` says."""
    model, loaded = design.model, design.banks > 1
    shift, forecast_shift = judge.shifts(model.tensors)
    return Detector(
        numbers=model.results.size,
        bits=model.results.bits,
        judged_bits=model.input.bits,
        shift=shift,
        forecast_shift=forecast_shift,
        zero=model.results.zero,
        smoothing=judge.smoothing,
        absolute=judge.absolute,
        level_bits=level_bits(judge, model),
        weight_bits=weight_bits(judge, any_weights=loaded),
        score_bits=score_bits(judge, model, any_weights=loaded),
    )


def block_writer(design: Design) -> BlockWriter:
    """Return the writer of keys and values of token rows."""
    geometry = design.geometry
    return BlockWriter(
        rows=geometry.rows,
        posts=geometry.posts,
        ways=geometry.ways,
        slots=geometry.dynamic_slots,
        parts=geometry.dynamic_parts,
        bits=geometry.dynamic_bits,
        depth=design.words("dynamic"),
        result_bits=geometry.activation_bits,
        dst_bits=slots_of(design)["dst"].width,
        pair_bits=geometry.pair_bits,
        pitch=geometry.value_pitch,
        rounds=geometry.rounds(geometry.rows),
    )


def key_value_writer(design: Design) -> KeyValueWriter:
    """Return the writer of a design's keys and values."""
    geometry = design.geometry
    return KeyValueWriter(
        queue=queues_of(design).keys,
        ways=geometry.ways,
        slots=geometry.dynamic_slots,
        bits=geometry.dynamic_bits,
        depth=design.words("dynamic"),
        result_bits=geometry.activation_bits,
        dst_bits=design.program.width("dst"),
    )


def operands(design: Design) -> Operands:
    """Return the operands of a design's engine."""
    model, geometry = design.model, design.geometry
    subtraction = model.subtraction
    delta: dict[str, Any] = {}
    if subtraction is not None:
        y = model.tensors[subtraction.y]
        delta = {
            "delta_bits": y.bits,
            "delta_shift": subtraction.shift,
            "delta_zero": y.zero,
            "delta_narrow": y.narrow,
        }
    return Operands(
        operations=design.program.operations,
        ways=geometry.ways,
        word_bits=design.stores["activations"].width // geometry.rows,
        scores="scores" in design.stores,
        input_bits=model.input.bits,
        operand_bits=geometry.operand_bits,
        several=geometry.rows > 1,
        joined=not design.family.luts.rams,
        **delta,
    )


def post_processor(design: Design) -> PostProcessor:
    """Return the post-processor of a design."""
    geometry, stores, program = design.geometry, design.stores, design.program
    value_bits, scale_bits = design.parameter_bits
    lanes = geometry.rows
    position = stores["position"].width // lanes if "position" in stores else geometry.ways
    widths = PostProcessorWidths(
        product_bits=geometry.product_bits,
        pack_shift=geometry.pack_shift,
        apart=geometry.apart + geometry.halves,
        extension=geometry.extension,
        broad=geometry.weights.broad,
        accumulator_bits=geometry.accumulator_bits,
        narrow_bits=geometry.narrow_bits,
        value_bits=value_bits,
        scale_bits=scale_bits,
        activation_bits=stores["activations"].width // lanes // geometry.ways,
        position_bits=position // geometry.ways,
        last_bits=design.model.input.bits,
        factor_bits=geometry.factor_bits,
        factor_signed=int(geometry.factor_signed),
        upper_bits=geometry.upper_bits,
        gamma_block=int(geometry.gamma_block),
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
