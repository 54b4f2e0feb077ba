"""An accelerator with the ports of AXI4-Stream, named as block designs expect them."""

from amaranth.hdl import ClockDomain, Module, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.design import Design
from bitformer.hw.units.accelerator import Accelerator
from bitformer.hw.units.parameters import Integer, Parameter
from bitformer.hw.units.streams import stream_shape

__all__ = ["AxiStream", "axi_stream"]

#: How Vivado learns which clock and which reset belong to the streams.
_ATTRIBUTES = {
    "aclk": {
        "X_INTERFACE_INFO": "xilinx.com:signal:clock:1.0 aclk CLK",
        "X_INTERFACE_PARAMETER": "ASSOCIATED_BUSIF s_axis:m_axis, ASSOCIATED_RESET aresetn",
    },
    "aresetn": {
        "X_INTERFACE_INFO": "xilinx.com:signal:reset:1.0 aresetn RST",
        "X_INTERFACE_PARAMETER": "POLARITY ACTIVE_LOW",
    },
}


def _data_bits(shape: Shape) -> int:
    """Return the bits of the whole bytes that hold a number."""
    return 8 * -(-shape.width // 8)


class AxiStream(wiring.Component):
    """Component with two streams, ``i`` and ``o``, behind AXI4-Stream ports.

    It is a top: it makes its clock domain from its ports.

    A number is one transfer, in as few whole bytes as hold it. Bits of ``s_axis_tdata`` above the
    number are ignored; ``m_axis_tdata`` is extended, with the sign if the numbers have one. Every
    byte counts: there is no TKEEP.

    Windows are counted, not delimited: ``s_axis_tlast`` changes no result. A transfer that has it
    without being its window's last, or is the last without having it, raises an event for one
    cycle, one cycle later. After an event, a reset begins a window anew. With a source that has no
    TLAST, the events are left open.

    Latency: none is added. Throughput: a transfer a cycle at either end. No output depends on an
    input of the same cycle.

    Parameters
    ----------
    accelerator : wiring.Component
        Component with members ``i: In(stream)`` and ``o: Out(stream)`` of plain integers. Members
        ``i_bank`` and ``i_load_...``, where it has them, become ports.
    inputs, results : int
        Numbers of a window and of a forecast.

    Members
    -------
    aclk : In(1)
        Clock of everything.
    aresetn : In(1)
        Reset, active low, sampled by ``aclk``; one cycle is enough.
    s_axis_tdata : In(8 * bytes)
        Number of a window.
    s_axis_tvalid : In(1)
        It is valid.
    s_axis_tready : Out(1)
        It is taken.
    s_axis_tlast : In(1)
        It is its window's last.
    m_axis_tdata : Out(8 * bytes)
        Number of a forecast.
    m_axis_tvalid : Out(1)
        It is valid.
    m_axis_tready : In(1)
        It is taken.
    m_axis_tlast : Out(1)
        It is its forecast's last.
    event_tlast_missing : Out(1)
        A window has ended without ``s_axis_tlast``.
    event_tlast_unexpected : Out(1)
        ``s_axis_tlast`` has come within a window.

    Raises
    ------
    TypeError, ValueError
        If a parameter is none of the above.
    """

    accelerator = Parameter(wiring.Component, "a component")
    inputs = Integer(1)
    results = Integer(1)

    def __init__(self, *, accelerator: wiring.Component, inputs: int, results: int):
        self.accelerator, self.inputs, self.results = accelerator, inputs, results
        sample, result = stream_shape(accelerator, "i", In), stream_shape(accelerator, "o", Out)
        members = accelerator.signature.members
        self._loads = [name for name in members if name.startswith(("i_bank", "i_load"))]
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(_data_bits(sample)),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(_data_bits(result)),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                "event_tlast_missing": Out(1),
                "event_tlast_unexpected": Out(1),
                **{name: members[name] for name in self._loads},
            }
        )
        for name, attributes in _ATTRIBUTES.items():
            getattr(self, name).attrs.update(attributes)

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = inner = self.accelerator
        # one flip-flop resets all, and lets no transfer pass meanwhile
        restart = Signal(init=1, reset_less=True)
        m.domains.sync = domain = ClockDomain()
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(restart)]
        m.d.sync += restart.eq(~self.aresetn)
        m.d.comb += [
            inner.i.payload.eq(self.s_axis_tdata),
            inner.i.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(inner.i.ready & ~restart),
            self.m_axis_tdata.eq(inner.o.payload),
            self.m_axis_tvalid.eq(inner.o.valid & ~restart),
            inner.o.ready.eq(self.m_axis_tready),
            *(getattr(inner, name).eq(getattr(self, name)) for name in self._loads),
        ]

        def ends(name: str, count: int, transfer) -> Signal:
            """Count transfers; return whether the one at hand is the last of ``count``."""
            number, last = Signal(range(max(2, count)), name=name), Signal(name=f"{name}_last")
            m.d.comb += last.eq(number == count - 1)
            with m.If(transfer):
                m.d.sync += number.eq(number + 1)
                with m.If(last):
                    m.d.sync += number.eq(0)
            return last

        taken = self.s_axis_tvalid & self.s_axis_tready
        last = ends("sample", self.inputs, taken)
        m.d.sync += [
            self.event_tlast_missing.eq(taken & last & ~self.s_axis_tlast),
            self.event_tlast_unexpected.eq(taken & ~last & self.s_axis_tlast),
        ]
        m.d.comb += self.m_axis_tlast.eq(
            ends("result", self.results, self.m_axis_tvalid & self.m_axis_tready)
        )
        return m


def axi_stream(design: Design) -> AxiStream:
    """Return a design's accelerator with the ports of AXI4-Stream."""
    model = design.model
    return AxiStream(
        accelerator=Accelerator(design=design), inputs=model.window_size, results=model.output.size
    )
