"""The accelerator: samples in, results out, one inference after another."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from bitformer.hw.design import RELOADED, Design
from bitformer.hw.memory import READ_LATENCY, StoreSpec
from bitformer.hw.program import Destination, Source
from bitformer.hw.timing import OPERAND, PRODUCT
from bitformer.hw.units import assembly
from bitformer.hw.units.address_generator import AddressGenerator
from bitformer.hw.units.drain import PLACE_BITS
from bitformer.hw.units.matrix_engine import MatrixEngine
from bitformer.hw.units.pipeline import by_operation, delay, twice
from bitformer.hw.units.ports import InputPort, OutputPort
from bitformer.hw.units.row_statistics import RowStatistics
from bitformer.hw.units.sequencer import Sequencer
from bitformer.hw.units.softmax import Reciprocal, RowMaximum
from bitformer.hw.units.store import Store
from bitformer.hw.units.weight_columns import WeightColumns

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """Runs a design's program on every window of samples.

    ``i`` takes ``window * channels`` signed samples, step by step; ``o`` gives ``horizon`` signed
    results. Both obey the stream rules; inferences run back to back, and the next window is taken
    in while one is computed. Latency and interval are the design's, when neither end waits.

    Members
    -------
    i, o : streams. o_trace_y, o_trace_valid, o_trace_vector : results of the post-processor as
    they are written, for comparison. o_trace_x, o_trace_input : the engine's activation, and
    whether it is one from the input. With two banks: i_bank, the image that is live; i_load_addr,
    i_load_data, i_load_en : a word for the other image of the stores of ``reloaded``, an enable
    for each.
    """

    def __init__(self, *, design: Design):
        if not isinstance(design, Design):
            raise TypeError(f"Design must be a Design, not {design!r}")
        self._design = design
        geometry = design.geometry
        # new weights come in, word by word, for the image that is not live
        loads: dict[str, In | Out] = {}
        if design.banks > 1:
            specs = [design.stores[name] for name in self.reloaded]
            loads = {
                "i_bank": In(1),
                "i_load_addr": In(range(max(2, *(spec.depth // 2 for spec in specs)))),
                "i_load_data": In(8 * max(-(-spec.width // 8) for spec in specs)),
                "i_load_en": In(len(specs)),
            }
        super().__init__(
            {
                **loads,
                "i": In(stream.Signature(signed(design.model.input.bits))),
                "o": Out(stream.Signature(signed(design.model.output.bits))),
                "o_trace_y": Out(geometry.activation_bits * geometry.ways),
                "o_trace_valid": Out(geometry.ways),
                "o_trace_vector": Out(1),
                "o_trace_x": Out(signed(geometry.operand_bits)),
                "o_trace_input": Out(1),
            }
        )

    @property
    def design(self) -> Design:
        return self._design

    @property
    def reloaded(self) -> list[str]:
        """The stores that new weights are loaded into, in order."""
        return [name for name in RELOADED if name in self._design.stores]

    def _live(self, store: Store, address):
        """Return an address in the image that is live."""
        if self._design.banks == 1:
            return address
        inner = len(store.addr_0) - 1
        return Cat((address | Const(0, inner))[:inner], self.i_bank)

    def _loads(self, m: Module, stores: dict[str, Store]) -> None:
        """Words of new weights go into the other image; the last byte of each is the highest."""
        for number, name in enumerate(self.reloaded):
            store = stores[name]
            width, inner = store.spec.width, len(store.addr_0) - 1
            address = (self.i_load_addr | Const(0, inner))[:inner]
            m.d.comb += [
                store.w_addr.eq(Cat(address, ~self.i_bank)),
                store.w_data.eq(self.i_load_data[-8 * (-(-width // 8)) :][:width]),
                store.w_en.eq(self.i_load_en[number]),
            ]

    def _stores(self, m: Module) -> dict[str, Store]:
        stores = {}
        for name, spec in self._design.stores.items():
            if name != "output":
                stores[name] = Store(spec=spec, init=self._design.images.get(name, ()))
                m.submodules[f"store_{name}"] = stores[name]
        return stores

    def elaborate(self, platform):
        m = Module()
        design, geometry, program = self._design, self._design.geometry, self._design.program
        stores = self._stores(m)
        if design.banks > 1:
            self._loads(m, stores)
        spec = design.model.input
        # an address runs on from an instruction's: to the last element of the deepest store
        act_bits = max(
            (elements - 1).bit_length() or 1
            for elements in (
                stores["input"].spec.depth,
                *(
                    stores[s].spec.depth * geometry.ways
                    for s in ("activations", "scores")
                    if s in stores
                ),
            )
        )
        weight_bits = max(
            (stores[name].spec.depth * units - 1).bit_length() or 1
            for name, units in (("weights", geometry.weights.units), ("dynamic", 1))
            if name in stores
        )

        m.submodules.sequencer = sequencer = Sequencer(
            program=program,
            inputs=spec.size,
            whole_window=design.model.whole_window,
        )
        m.submodules.address_generator = address_generator = AddressGenerator(
            operations=program.operations, act_bits=act_bits, weight_bits=weight_bits
        )
        m.submodules.input_port = input_port = InputPort(
            steps=spec.rows, channels=spec.features, bits=spec.bits
        )
        m.submodules.output_port = output_port = OutputPort(
            rows=design.model.output.rows,
            features=design.model.output.features,
            bits=design.model.output.bits,
            ways=geometry.ways,
            placement=design.stores["output"].placement,
        )
        m.submodules.operands = operands = assembly.operands(design)
        m.submodules.engine = engine = MatrixEngine(
            columns=geometry.columns,
            column_bits=geometry.column_bits,
            operand_bits=geometry.operand_bits,
            pack_shift=geometry.pack_shift,
            half_bits=geometry.half_bits,
            always_packed=all(design.packed.values()),
            product_bits=geometry.product_bits,
            multiplier=geometry.multiplier,
        )
        m.submodules.drain = drain = assembly.drain(design)
        m.submodules.vector = vector = assembly.vector_slots(design)
        m.submodules.post = post = assembly.post_processor(design)

        # issue
        row = sequencer.o_next
        matrix = by_operation(m, row.op, program.values("matrix"), name="matrix")
        slots = [int(value > 0) for value in program.values("slots")]
        is_vector = by_operation(m, row.op, slots, name="vector")
        m.d.comb += [
            sequencer.i_word.eq(stores["program"].data_0),
            stores["program"].addr_0.eq(sequencer.o_addr),
            sequencer.i_count.eq(input_port.o_count),
            sequencer.i_output.eq(output_port.o_empty),
            address_generator.i_start.eq(sequencer.o_issue & matrix),
            address_generator.i_op.eq(row.op),
            address_generator.i_act.eq(row.act),
            drain.i_issue.eq(sequencer.o_issue & matrix),
            vector.i_issue.eq(sequencer.o_issue & is_vector),
        ]
        for unit in (drain, vector):
            m.d.comb += [unit.i_op.eq(row.op), unit.i_dst.eq(row.dst), unit.i_res.eq(row.res)]

        self._operands(m, stores, address_generator, input_port, operands)
        self._engine(m, stores, address_generator, operands, engine)
        self._drain(m, address_generator, engine, drain, post)
        self._post_reads(m, stores, input_port, drain, vector, post)
        self._attention(m, stores, address_generator, operands, post)
        self._norm(m, vector, post)
        self._writes(m, stores, post, output_port)

        release = by_operation(
            m, address_generator.o_op, program.values("release_input"), name="release"
        )
        wiring.connect(m, wiring.flipped(self.i), input_port.i)
        wiring.connect(m, output_port.o, wiring.flipped(self.o))
        m.d.comb += [
            input_port.i_release.eq(address_generator.o_last & address_generator.o_end & release),
            input_port.i_start.eq(sequencer.o_start),
            self.o_trace_y.eq(Cat(post.o_y)),
            self.o_trace_valid.eq(post.o_slot.valid),
            self.o_trace_vector.eq(post.o_vector),
            self.o_trace_x.eq(operands.o_x),
            self.o_trace_input.eq(
                operands.o_valid
                & (
                    by_operation(m, operands.o_op, program.values("source"), name="traced")
                    == Source.INPUT
                )
            ),
        ]
        return m

    def _operands(self, m, stores, address_generator, input_port, operands):
        """Addresses of activations to the stores, their words to the operand unit."""
        design, ways = self._design, self._design.geometry.ways
        word = address_generator.o_act >> (ways - 1)
        m.d.comb += [
            operands.i_op.eq(address_generator.o_op),
            operands.i_first.eq(address_generator.o_first),
            operands.i_valid.eq(address_generator.o_valid),
            operands.i_element.eq(address_generator.o_act[0]),
            stores["activations"].addr_0.eq(word),
            operands.i_activation.eq(stores["activations"].data_0),
            stores["input"].addr_0.eq(address_generator.o_act),
            operands.i_input.eq(stores["input"].data_0),
            stores["input"].w_addr.eq(input_port.o_addr),
            stores["input"].w_data.eq(input_port.o_data),
            stores["input"].w_en.eq(input_port.o_en),
        ]
        if "scores" in stores:
            m.d.comb += [
                stores["scores"].addr_0.eq(word),
                operands.i_score.eq(stores["scores"].data_0),
            ]
        channels = design.model.input.features
        last = StoreSpec(
            name="last",
            depth=2 * channels,
            width=design.model.input.bits,
            read_ports=2,
            placement="distributed",
        )
        m.submodules.store_last = stores["last"] = store = Store(spec=last)
        following = Signal(range(max(2, channels)))
        channel = Signal.like(following)
        m.d.comb += channel.eq(Mux(address_generator.o_first, 0, following))
        m.d.sync += following.eq(Mux(channel == channels - 1, 0, channel + 1))
        base = Mux(input_port.o_current, channels, 0)
        m.d.comb += [
            store.w_addr.eq(input_port.o_last_addr),
            store.w_data.eq(input_port.o_data),
            store.w_en.eq(input_port.o_last_en),
            store.addr_0.eq(base + channel),
            operands.i_last.eq(store.data_0),
        ]

    def _engine(self, m, stores, address_generator, operands, engine):
        """Weights, or keys and values in their place, meet the activation at the first column."""
        geometry, program = self._design.geometry, self._design.program
        late = OPERAND - READ_LATENCY - 1
        address = delay(m, address_generator.o_weight, late, name="weight")
        op = delay(m, address_generator.o_op, OPERAND - 2, name="weight_op")
        columns = WeightColumns(layout=geometry.weights, column_bits=geometry.column_bits)
        static = Const(0, 1)
        if "weights" in stores:
            units, values = geometry.weights.units, program.values("weight_format")
            m.d.comb += stores["weights"].addr_0.eq(
                self._live(stores["weights"], address[exact_log2(units) :])
            )
            static = columns.select(
                m,
                stores["weights"].data_0,
                by_operation(m, op, values, name="weight_format"),
                address[: exact_log2(units)],
            )
        word = static
        if "dynamic" in stores:
            m.d.comb += stores["dynamic"].addr_0.eq(address)
            kept = self._spread(columns, stores["dynamic"].data_0)
            dynamic = by_operation(m, op, program.values("dynamic"), name="dynamic")
            # a select for each half of the word: one for all would have too many loads
            half = len(kept) // 2
            lower, upper = twice(m, dynamic, name="takes_kept")
            word = Cat(
                Mux(lower, kept[:half], static[:half]),
                Mux(upper, kept[half:], static[half:]),
            )
        m.d.sync += engine.i_w.eq(word)
        packed = by_operation(m, operands.o_op, program.values("packed"), name="packed")
        m.d.comb += [
            engine.i_x.eq(operands.o_x),
            engine.i_first.eq(operands.o_first),
            engine.i_packed.eq(packed),
        ]

    def _spread(self, columns, word):
        """Return a word of keys or values as weights, sign-extended to the width of a weight."""
        geometry = self._design.geometry
        pair, column = 2 * geometry.half_bits, geometry.column_bits
        joined = Cat(
            columns.numbers(word, geometry.dynamic_format, place)
            for place in range(geometry.columns)
        )
        if not geometry.dynamic_packed:
            return joined
        return Cat(
            Cat(joined[c * pair : (c + 1) * pair], Const(0, column - pair))
            for c in range(geometry.columns)
        )

    def _drain(self, m, address_generator, engine, drain, post):
        """Delay a group's end as its activations are, to the drain."""
        flags = Cat(address_generator.o_last, address_generator.o_begin, address_generator.o_end)
        done = delay(m, flags, PRODUCT - 1, name="group_end", reset_less=False)
        columns, four = self._design.geometry.columns, 1 << PLACE_BITS
        half = self._design.geometry.product_bits // 2
        groups = [
            Array(engine.o_p[j] for j in range(start, min(start + four, columns)))[
                drain.o_places.word_select(start // four, PLACE_BITS)
            ]
            for start in range(0, columns, four)
        ]
        lower = Array(group[:half] for group in groups)[drain.o_group_lower]
        upper = Array(group[half:] for group in groups)[drain.o_group_upper]
        m.d.comb += [
            drain.i_done.eq(done[0]),
            drain.i_begin.eq(done[1]),
            drain.i_end.eq(done[2]),
            post.i_p.eq(Cat(lower, upper)),
            post.i_drain.eq(drain.o_slot),
        ]

    def _post_reads(self, m, stores, input_port, drain, vector, post):
        """Address what the slot in hand needs, be it a drain's or a vector's."""
        vectors = vector.o_slot.valid.any()
        parameter = Mux(vectors, vector.o_slot.parameter, drain.o_slot.parameter)
        residual = Mux(vectors, vector.o_slot.res, drain.o_slot.res)
        channels = self._design.model.input.features
        channel = self._design.last_channel
        m.d.comb += [
            post.i_vector.eq(vector.o_slot),
            stores["activations"].addr_1.eq(residual),
            post.i_activation.eq(stores["activations"].data_1),
            stores["last"].addr_1.eq(Mux(input_port.o_current, channels, 0) + channel),
            post.i_last.eq(stores["last"].data_1),
        ]
        if "parameters" in stores:
            m.d.comb += [
                stores["parameters"].addr_0.eq(self._live(stores["parameters"], parameter)),
                post.i_parameter.eq(stores["parameters"].data_0),
            ]
        if "position" in stores:
            m.d.comb += [
                stores["position"].addr_0.eq(self._live(stores["position"], drain.o_slot.res)),
                post.i_position.eq(stores["position"].data_0),
            ]

    def _attention(self, m, stores, address_generator, operands, post):
        """Maxima of score rows as they are written; the reciprocal of a row's sum as it is read."""
        if "scores" not in stores:
            return
        geometry = self._design.geometry
        slots = stores["scores"].spec.depth // geometry.score_pitch
        m.submodules.maximum = maximum = RowMaximum(ways=geometry.ways)
        spec = StoreSpec(name="maxima", depth=slots, width=8, placement="distributed")
        m.submodules.store_maxima = maxima = Store(spec=spec)
        m.submodules.reciprocal = reciprocal = Reciprocal(keys=geometry.keys)
        is_score = self._destination(m, post.o_slot.op, Destination.SCORE)
        m.d.comb += maximum.i_valid.eq(Mux(is_score, post.o_slot.valid, 0))
        for way in range(geometry.ways):
            m.d.comb += maximum.i_score[way].eq(post.o_y[way])
        pitch_bits = geometry.score_pitch.bit_length() - 1
        slot = delay(m, post.o_slot.dst >> pitch_bits, 2, name="score_slot")
        m.d.comb += [
            maximum.i_first.eq(post.o_slot.first),
            maximum.i_last.eq(post.o_slot.last),
            maxima.w_addr.eq(slot),
            maxima.w_data.eq(maximum.o_maximum),
            maxima.w_en.eq(maximum.o_done),
            maxima.addr_0.eq(address_generator.o_act >> (geometry.ways - 1) >> pitch_bits),
            operands.i_maximum.eq(maxima.data_0),
            reciprocal.i_weight.eq(operands.o_weight),
            reciprocal.i_valid.eq(operands.o_weight_valid),
            reciprocal.i_first.eq(operands.o_weight_first),
            reciprocal.i_last.eq(delay(m, address_generator.o_last, OPERAND - 1, name="row_last")),
            post.i_factor.eq(reciprocal.o_factor),
        ]

    def _norm(self, m, vector, post):
        """Statistics of rows that a LayerNorm will read, taken when it starts."""
        geometry, program = self._design.geometry, self._design.program
        if not geometry.norm_features:
            return
        m.submodules.statistics = statistics = RowStatistics(
            features=geometry.norm_features,
            bits=geometry.norm_bits,
            ways=geometry.ways,
            upper_bits=geometry.square_bits[-1],
            multiplier=geometry.multiplier,
        )
        wanted = by_operation(
            m, post.o_slot.op, program.values("statistics"), name="statistics_wanted"
        )
        for way in range(geometry.ways):
            m.d.comb += statistics.i_x[way].eq(post.o_y[way])
        norms = by_operation(m, vector.o_slot.op, program.values("normalize"), name="normalizes")
        taken = vector.o_slot.valid.any() & vector.o_slot.first & norms
        held = Signal.like(statistics.o_statistics, reset_less=True)
        with m.If(taken):
            m.d.sync += held.eq(statistics.o_statistics)
        m.d.comb += [
            statistics.i_valid.eq(Mux(wanted, post.o_slot.valid, 0)),
            statistics.i_first.eq(post.o_slot.first),
            statistics.i_last.eq(post.o_slot.last),
            statistics.i_take.eq(taken),
            post.i_statistics.as_value().eq(delay(m, held.as_value(), 1, name="statistics")),
        ]

    def _destination(self, m, op, destination: Destination):
        values = [int(d == destination) for d in self._design.program.values("destination")]
        return by_operation(m, op, values, name=f"to_{destination.name.lower()}")

    def _writes(self, m, stores, post, output_port):
        """Results to the store that their operation names."""
        slot, geometry = post.o_slot, self._design.geometry
        for destination, name in (
            (Destination.ACTIVATION, "activations"),
            (Destination.SCORE, "scores"),
        ):
            if name not in stores:
                continue
            store = stores[name]
            bits = store.spec.width // geometry.ways
            here = self._destination(m, slot.op, destination)
            enable = Mux(here, slot.valid, 0)
            word = Cat(post.o_y[way][:bits] for way in range(geometry.ways))
            if name == "activations" and geometry.wide_rows:
                values = self._design.program.values("wide_y")
                wide = by_operation(m, slot.op, values, name="wide_y")
                word = Mux(wide, post.o_y[0], word)
                enable = Mux(here, Mux(wide & slot.valid.any(), 0b11, slot.valid), 0)
            m.d.comb += [
                store.w_addr.eq(slot.dst),
                store.w_data.eq(word),
                store.w_en.eq(enable if len(store.w_en) > 1 else enable.any()),
            ]
        out = self._destination(m, slot.op, Destination.OUTPUT)
        bits = self._design.model.output.bits
        m.d.comb += [
            output_port.i_valid.eq(Mux(out, slot.valid, 0)),
            output_port.i_word.eq(Cat(post.o_y[way][:bits] for way in range(geometry.ways))),
        ]
        if "dynamic" in stores:
            m.submodules.writer = writer = assembly.key_value_writer(self._design)
            m.d.comb += [
                writer.i_y.eq(post.o_y),
                writer.i_valid.eq(slot.valid),
                writer.i_first.eq(slot.first),
                writer.i_key.eq(self._destination(m, slot.op, Destination.KEY)),
                writer.i_value.eq(self._destination(m, slot.op, Destination.VALUE)),
                writer.i_dst.eq(slot.dst),
                stores["dynamic"].w_addr.eq(writer.o_addr),
                stores["dynamic"].w_data.eq(writer.o_data),
                stores["dynamic"].w_en.eq(writer.o_en),
            ]
