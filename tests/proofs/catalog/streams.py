"""Proofs of streams, queues and the sequencer."""

from proofs.catalog.making import EVER, STATES, made
from proofs.question import Proof

__all__ = ["streams"]


def streams() -> list[Proof]:
    """Return the proofs."""
    found = []
    for label, options in (
        ("plain", {"steps": 3, "channels": 2}),
        ("time", {"steps": 4, "channels": 2, "numbers": 3, "unsigned": True}),
        ("lanes", {"steps": 8, "channels": 1, "lanes": 2, "patch": 2}),
    ):
        found.append(
            made(
                f"input-port-{label}",
                "`ports.InputPort`",
                "each sample once, in order, at its address; ready as soon as it may be; none "
                f"beyond a window: {', '.join(f'{k} {v}' for k, v in options.items())}",
                ("streams", "input_port", options),
                (
                    "ports",
                    "(self.o_count != total) & (asleep == 0)",
                    "(self.o_count != total + 1) & (asleep == 0)",
                )
                if label == "plain"
                else (
                    "ports",
                    "with m.If(self.o_count == total - 1)",
                    "with m.If(self.o_count == total - 2)",
                ),
                bound=EVER,
            )
        )
    for features, rows, ways, placement in (
        (3, 2, 1, "distributed"),
        (4, 2, 2, "distributed"),
        (3, 1, 1, "registers"),
    ):
        found.append(
            made(
                f"output-port-{features}-{rows}-{ways}",
                "`ports.OutputPort`",
                f"any element once, in order, and it stands until taken: {rows} rows of "
                f"{features}, {ways} a word",
                (
                    "streams",
                    "output_port",
                    {"features": features, "rows": rows, "ways": ways, "placement": placement},
                ),
                (
                    "ports",
                    "stored.eq(stored + count - taken)",
                    "stored.eq(stored + count - self.o.ready)",
                ),
                bound=EVER,
            )
        )
    found += [
        made(
            "output-port-odd",
            "`ports.OutputPort`",
            "the same where a row's last word is not full: a row of 3, 2 a word",
            (
                "streams",
                "output_port",
                {"features": 3, "rows": 1, "ways": 2, "placement": "registers", "cycles": 8},
            ),
            ("ports", "with m.If(upper | (left == 1))", "with m.If(upper)"),
            bound="all inputs, the first 8 cycles",
        ),
        made(
            "row-queue",
            "`row_statistics.RowStatistics`",
            "statistics in order, none lost, of 3 rows at most",
            ("streams", "row_queue", {"queue": 3}),
            ("row_statistics", "head.eq(after(head, depth))", "head.eq(head + 1)"),
            bound=EVER,
        ),
        made(
            "axi-stream",
            "`axi_stream.AxiStream`",
            "transfers as they are, none in a reset; TLAST and events at each window's end",
            ("streams", "axi_stream", {"inputs": 6, "results": 4}),
            ("axi_stream", "inner.i.ready & ~restart", "inner.i.ready"),
            bound=EVER,
        ),
    ]
    for name, slow in (("tiny", False), ("sense-24-1", True), ("etth1-96-24", True)):
        found.append(
            made(
                f"sequencer-{name}",
                "`sequencer.Sequencer`",
                "each instruction in order, in the first cycle in which it may be issued: never "
                f"early, late or stuck: {name}",
                ("streams", "sequencer", {"name": name}),
                ("sequencer", "due.eq(timer == 1)", "due.eq(timer == 2)"),
                bound=EVER,
                slow=slow,
            )
        )
    found += _slots()
    return found


def _slots() -> list[Proof]:
    """Return the proofs of drain and slots."""
    found = []
    for kind, columns, queue, mutant in (
        ("single", 5, 1, ("drain", "active & (column >= skip)", "active & (column > skip)")),
        (
            "single",
            4,
            2,
            ("drain", "self.i_done & self.i_begin, after(head", "self.i_done, after(head"),
        ),
        ("pairs", 4, 3, ("drain", "odd & at_last & end, 0b01", "odd & at_last, 0b01")),
        ("wide", 4, 2, ("result_slots", '"dst": "wide_y"', '"dst": "wide_r"')),
        (
            "blocks",
            4,
            2,
            ("drain", "slot.round + 1), direct.eq(0)", "slot.round + 1), direct.eq(1)"),
        ),
    ):
        found.append(
            made(
                f"drain-{kind}-{queue}",
                "`drain.Drain`",
                "rows in order, a slot for each column in its cycle, none else: "
                f"{kind}, {columns} columns, {queue} rows wait at most",
                ("slots", "drain", {"kind": kind, "columns": columns, "queue": queue}),
                mutant,
                bound=EVER,
            )
        )
    for kind, mutant in (
        ("single", ("result_slots", "active & ((left != 0) | more)", "active & (left > 1)")),
        ("pairs", ("result_slots", "Mux(odd & (left == 0), 1", "Mux(odd & (left == 1), 1")),
        ("wide", ("result_slots", "step = ~wide | upper", "step = wide | upper")),
    ):
        found.append(
            made(
                f"vector-slots-{kind}",
                "`result_slots.VectorSlots`",
                f"a slot for each word of a row in its cycle, none else: {kind}",
                ("slots", "vector_slots", {"kind": kind}),
                mutant,
                bound=EVER,
            )
        )
    for ways, slots, queue, mutant in (
        (1, 4, 2, ("key_value_writer", "write.en.eq(key & ~(free & ~queued))", "write.en.eq(key)")),
        (2, 4, 3, ("key_value_writer", "upper = second | ~hand.valid[0]", "upper = second")),
        (2, 6, 0, ("key_value_writer", "(place_now == slots - ways)", "(place_now == slots - 1)")),
    ):
        found.append(
            made(
                f"key-values-{ways}-{slots}-{queue}",
                "`key_value_writer.KeyValueWriter`",
                "each element of keys and values in its word and slot, in its cycle: "
                f"{slots} slots, {ways} a cycle, {queue} words wait at most",
                ("key_values", "key_value_writer", {"ways": ways, "slots": slots, "queue": queue}),
                mutant,
                bound=EVER,
            )
        )
    for rows, posts, ways, slots, parts, mutant in (
        (
            2,
            1,
            2,
            2,
            2,
            ("block_writer", "self.posts, part % self.ways", "self.posts, part // self.ways"),
        ),
        (4, 2, 2, 8, 2, ("block_writer", "Cat(turn, above[:block])", "Cat(above[:block], turn)")),
        (
            4,
            4,
            2,
            4,
            4,
            ("block_writer", "return part % self.posts, slot", "return part // self.ways, slot"),
        ),
        (4, 1, 1, 4, 1, ("block_writer", "pair[of_slot:] << exact", "pair << exact")),
    ):
        found.append(
            made(
                f"blocks-{rows}-{posts}-{ways}-{slots}-{parts}",
                "`block_writer.BlockWriter`",
                "each element of keys and values of a block in its word, part and slot: "
                f"{rows} token rows, {posts} post-processors, {parts} parts of {slots} slots",
                (
                    "blocks",
                    "block_writer",
                    {"rows": rows, "posts": posts, "ways": ways, "slots": slots, "parts": parts},
                ),
                mutant,
                bound=STATES,
            )
        )
    for rows, posts, mutant in (
        (1, 1, ("row_results", "Cat(lower, upper)", "Cat(upper, lower)")),
        (2, 1, ("row_results", "write.en.eq(drain.o_direct)", "write.en.eq(1)")),
        (
            4,
            2,
            ("row_results", "turn = drain.o_slot.round", "turn = ~drain.o_slot.round"),
        ),
    ):
        found.append(
            made(
                f"kept-rows-{rows}-{posts}",
                "`row_results.drain_rows`",
                "the column in hand, in later rounds as it was when it finished: "
                f"{rows} token rows, {posts} post-processors",
                ("rows", "kept_rows", {"rows": rows, "posts": posts}),
                mutant,
                bound=EVER,
            )
        )
    for rows, soft, mutant in (
        (2, False, ("row_results", "total.eq(first + second)", "total.eq(first | second)")),
        (4, True, ("row_results", "whole[shift + 1 :]", "whole[shift:-1]")),
    ):
        found.append(
            made(
                f"split-rows-{rows}",
                "`row_results.drain_rows`",
                f"the sum of a split row's columns, on time: {rows} token rows"
                + (", sums of LUTs apart" if soft else ""),
                ("rows", "split_rows", {"rows": rows, "soft": soft}),
                mutant,
                bound=STATES,
            )
        )
    return found
