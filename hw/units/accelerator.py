"""The accelerator: samples in, results out, one inference after another."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.design import RELOADED, Design
from bitformer.hw.program import Destination, Source
from bitformer.hw.units import decisions, reads, writes
from bitformer.hw.units.assembly import Units
from bitformer.hw.units.parameters import Parameter
from bitformer.hw.units.ports import number_shape
from bitformer.hw.units.row_results import Drained
from bitformer.model import reference
from bitformer.model.stream import StepModel, StreamSteps

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """Runs a design's program on every window of samples.

    Inferences run back to back, and the next window is taken in while one is computed. With two
    banks, new weights are loaded into the image that is not live.

    Latency: ``design.latency`` cycles from the first sample taken to the last result taken, both
    counted. Throughput: one window in ``design.interval`` cycles, when neither end waits.

    Parameters
    ----------
    design : Design
        A lowered model.

    Members
    -------
    i : In(stream.Signature(signed(input.bits))), samples of a window, step by step, and its time
        and what is judged behind; unsigned for a model of an ADC's words.
    o : Out(stream.Signature(signed(output.bits))), results of a window; unsigned likewise. Of a
        classifier, the number of its class; of a detector, its flag.
    o_trace_y : Out(activation_bits * ways * posts), results of the post-processors as they are
        written.
    o_trace_valid : Out(ways * posts), which of them are valid.
    o_trace_vector : Out(1), they are those of a vector operation.
    o_trace_x : Out(signed(operand_bits * rows)), the activations of the engine's token rows.
    o_trace_input : Out(1), it comes from the input.
    i_bank : In(1), image that is live; this and all that follow with two banks only.
    i_load_addr : In(range(words of an image)), address of a word to load.
    i_load_data : In(8 * bytes of a word), the word, its last byte highest.
    i_load_en : In(len(reloaded)), stores that take it.
    """

    design = Parameter(Design, "a Design")

    def __init__(self, *, design: Design):
        self.design = design
        geometry, model = design.geometry, design.model
        unsigned = model.config.adc_words
        loads: dict[str, wiring.Member] = {}
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
                "i": In(stream.Signature(number_shape(model.input.bits, unsigned))),
                "o": Out(stream.Signature(number_shape(model.output.bits, unsigned))),
                "o_trace_y": Out(geometry.activation_bits * geometry.ways * geometry.posts),
                "o_trace_valid": Out(geometry.ways * geometry.posts),
                "o_trace_vector": Out(1),
                "o_trace_x": Out(signed(geometry.operand_bits * geometry.rows)),
                "o_trace_input": Out(1),
            }
        )

    @property
    def reloaded(self) -> list[str]:
        """The stores that new weights are loaded into, in order."""
        return [name for name in RELOADED if name in self.design.stores]

    def model(self, windows) -> np.ndarray:
        """Return the results of windows, a row of them for each, in words as at the ports.

        Of a stream, they are patches from a reset on.
        """
        model = self.design.model
        numbers = model.numbers(windows)
        if isinstance(model, StepModel):
            values = StreamSteps(model.source, numbers, phases=model.phases).values(numbers)
        else:
            values = reference.run(model, numbers)
        return model.words(values[model.output.name]).reshape(len(windows), -1)

    def elaborate(self, platform):
        m = Module()
        units = Units(m, self.design, self.i_bank if self.design.banks > 1 else None)
        if self.design.banks > 1:
            self._load(m, units)
        self._issue(m, units)
        reads.read_activations(m, units)
        writes.write_samples(m, units)
        reads.read_scores(m, units)
        reads.read_last_step(m, units)
        reads.read_weights(m, units)
        drained = Drained(m, units)
        reads.read_columns(m, units, drained)
        reads.read_rows(m, units)
        reads.read_post_operands(m, units, drained)
        writes.follow_scores(m, units)
        writes.follow_statistics(m, units)
        writes.write_results(m, units)
        writes.write_sums(m, units, drained)
        # the window has been read when the last row that reads it ends
        addresses, port = units.addresses, units.input_port
        release = units.decode(m, addresses.o_op, "release_input", name="release")
        wiring.connect(m, wiring.flipped(self.i), port.i)
        self._hand_out(m, units)
        operands, post, posts = units.operands[0], units.post, len(units.posts)
        source = units.decode(m, operands.o_op, "source", name="traced")
        valid = [post.o_slot.valid]
        if "sums" in units.stores:
            # what is kept for the next step is no result
            valid = [Mux(writes.goes_to(m, units, Destination.SUMS), 0, post.o_slot.valid)]
        if posts > 1:
            valid = [Mux(post.o_slot.posts[n], post.o_slot.valid, 0) for n in range(posts)]
        m.d.comb += [
            port.i_release.eq(addresses.o_last & addresses.o_end & release),
            port.i_start.eq(units.sequencer.o_start),
            self.o_trace_y.eq(Cat(one.o_y for one in units.posts)),
            self.o_trace_valid.eq(Cat(valid)),
            self.o_trace_vector.eq(post.o_vector),
            self.o_trace_x.eq(Cat(one.o_x for one in units.operands)),
            self.o_trace_input.eq(operands.o_valid & (source == Source.INPUT)),
        ]
        return m

    def _load(self, m: Module, units: Units) -> None:
        """Write a word of new weights to the other image of its store."""
        for number, name in enumerate(self.reloaded):
            store = units.stores[name]
            width, inner = store.spec.width, len(store.addr_0) - 1
            address = (self.i_load_addr | Const(0, inner))[:inner]
            m.d.comb += [
                store.w_addr.eq(Cat(address, ~self.i_bank)),
                store.w_data.eq(self.i_load_data[-8 * (-(-width // 8)) :][:width]),
                store.w_en.eq(self.i_load_en[number]),
            ]

    def _hand_out(self, m: Module, units: Units) -> None:
        """Give results as they leave their queue, or what is decided of them."""
        port, model = units.output_port, self.design.model
        if model.detector is not None:
            decision = decisions.detect(m, units, model.detector)
        elif model.decision is not None:
            decision = decisions.choose(m, units)
        else:
            wiring.connect(m, port.o, wiring.flipped(self.o))
            return
        wiring.connect(m, port.o, decision.i)
        m.d.comb += [
            self.o.payload.eq(decision.o.payload),
            self.o.valid.eq(decision.o.valid),
            decision.o.ready.eq(self.o.ready),
        ]

    def _issue(self, m: Module, units: Units) -> None:
        """Hand each instruction to the units that run it."""
        sequencer, addresses, port = units.sequencer, units.addresses, units.input_port
        row, store = sequencer.o_next, units.stores["program"]
        m.d.comb += [
            sequencer.i_word.eq(store.data_0),
            store.addr_0.eq(sequencer.o_addr),
            sequencer.i_count.eq(port.o_count),
            sequencer.i_output.eq(units.output_port.o_empty),
            addresses.i_start.eq(sequencer.o_matrix),
            addresses.i_op.eq(row.op),
            addresses.i_act.eq(row.act),
            units.drain.i_issue.eq(sequencer.o_matrix),
            units.vector.i_issue.eq(sequencer.o_vector),
        ]
        for unit in (units.drain, units.vector):
            m.d.comb += [unit.i_op.eq(row.op), unit.i_dst.eq(row.dst), unit.i_res.eq(row.res)]
