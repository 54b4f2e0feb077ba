"""Proofs of the links between host and chip."""

from proofs.catalog.making import EVER, STATES, made
from proofs.question import Proof
from proofs.units.endpoint import most_cycles

__all__ = ["links"]

#: Kinds of framed endpoints.
_ENDPOINTS = {
    "plain": "two golden vectors",
    "remembers": "of a detector or a stream",
    "pipelined": "with a pipelined cursor",
    "reloadable": "with new weights",
}


def links() -> list[Proof]:
    """Return the proofs."""
    found = []
    for divisor in (8, 11):
        found += [
            made(
                f"uart-receiver-{divisor}",
                "`uart.UartReceiver`",
                f"idle after a quiet frame and a half bit, {divisor} cycles a bit",
                ("links", "uart_receiver", {"divisor": divisor}),
                ("uart", "with m.If(data[0]):", "with m.If(data[0] & ~line):"),
                bound=f"{STATES}, {10 * divisor + divisor // 2 + 4} cycles",
                slow=divisor != 8,
            ),
            made(
                f"uart-transmitter-{divisor}",
                "`uart.UartTransmitter`",
                f"ready and high a frame and a bit later, {divisor} cycles a bit",
                ("links", "uart_transmitter", {"divisor": divisor}),
                ("uart", "timer.eq(timer - 1)", "timer.eq(timer - (rest != 0))"),
                bound=f"{STATES}, {11 * divisor + 1} cycles",
                slow=divisor != 8,
            ),
        ]
    found += [
        made(
            "uart-bytes",
            "`uart.UartReceiver`",
            "a frame of any byte: that byte, on time, and no other",
            ("links", "uart_bytes", {"divisor": 8}),
            ("uart", "divisor - self.divisor // 2)", "divisor // 8)"),
            bound="all bytes; a frame within the first cycles from power-up",
            slow=True,
        ),
        made(
            "uart-states",
            "`uart.UartReceiver`, `uart.UartTransmitter`",
            "legal states, frames that end with a one: what the proofs above go out from",
            ("links", "uart_states", {"divisor": 8}),
            ("uart", "Cat(self.i.payload, 1)", "Cat(self.i.payload, 0)"),
            bound=EVER,
        ),
        made(
            "uart-link",
            "`uart.UartLink`",
            "quiet after a frame and the gap",
            ("links", "uart_link", {"divisor": 8, "gap_bits": 2}),
            ("uart", "silence.eq(silence - 1)", "silence.eq(silence)"),
            bound=f"{STATES}, 110 cycles",
        ),
        made(
            "spi",
            "`spi.SpiLink`",
            "quiet, silent and at a transfer's beginning without chip select",
            ("links", "spi", {}),
            ("spi", "first.eq(1), request.eq(0)", "first.eq(1)"),
            bound=f"{STATES}, 9 cycles",
        ),
        made(
            "spi-states",
            "`spi.SpiLink`",
            "an answer only in a transfer: what the proof above goes out from",
            ("links", "spi_states", {}),
            ("spi", "with m.If(was_on & answering):", "with m.If(was_on & answering & sck):"),
            bound=EVER,
        ),
    ]
    framed = "bitformer.boards.shell.framed."
    for kind, mutant in (
        ("plain", ("receiver", "refuse(m, hand, Reason.TRUNCATED)", "hand.say(Reason.TRUNCATED)")),
        ("remembers", ("commands", 'm.next = "ANSWERED"', 'm.next = "AGAIN"')),
        ("pipelined", ("cursor", "self.left.eq(self.left - 1)", "self.left.eq(self.left)")),
        ("reloadable", ("new_weights", 'm.next = "ANSWER"', 'm.next = "IDLE"')),
    ):
        module, old, new = mutant
        found.append(
            made(
                f"endpoint-{kind}",
                "`endpoint.Endpoint`",
                "one machine has the turn; on a quiet line each cycle comes nearer to listening, "
                f"unless link or accelerator wait: {_ENDPOINTS[kind]}",
                ("endpoint", "endpoint", {"kind": kind}),
                (framed + module, old, new),
                bound=f"{EVER}; {most_cycles(kind)} cycles at most",
            )
        )
    return found
