"""All proofs, each with the mutant that it must refuse."""

from proofs.question import Change, Proof

__all__ = ["PROOFS", "proof"]

_ALL = "all inputs"
_EVER = "all inputs, for ever: induction"
_STATES = "all inputs, from any state"
_UNITS = "bitformer.hw.units."
_SHELL = "bitformer.boards.shell."


def _proof(
    name: str,
    unit: str,
    what: str,
    make: tuple[str, str, dict[str, object]],
    mutant: tuple[str, str, str],
    *,
    bound: str = _ALL,
    slow: bool = False,
) -> Proof:
    module, old, new = mutant
    prefix = _SHELL if make[0] == "links" else _UNITS
    module = module if module.startswith("bitformer.") else prefix + module
    return Proof(
        name=name,
        unit=unit,
        property=what,
        bound=bound,
        make=make,
        mutant=Change(module, old, new),
        change=f"`{old.strip()}` → `{new.strip()}`".replace("|", "\\|").replace("\n", " "),
        slow=slow,
    )


def _arithmetic() -> list[Proof]:
    found = []
    for bits, most, slow in ((12, 8, False), (48, 24, True)):
        found.append(
            _proof(
                f"round-{bits}",
                "`fixed.round_shift`",
                f"within half a unit, half rounds up: {bits} bits, shifts 0 to {most}",
                ("arithmetic", "rounding_shifts", {"bits": bits, "most": most}),
                (
                    "fixed",
                    "(value + (1 << (shift - 1))) >> shift",
                    "(value + (1 << shift) // 2 - 1) >> shift",
                ),
                slow=slow,
            )
        )
    for bits, result in ((8, 4), (48, 16)):
        found.append(
            _proof(
                f"clamp-{bits}",
                "`fixed.clamp`",
                f"{bits} bits between any two limits of {result} bits",
                ("arithmetic", "clamps", {"bits": bits, "result_bits": result}),
                ("fixed", "Mux(value > high, high, value)", "Mux(value > high, low, value)"),
            )
        )
    for split in (9, 17, 24):
        found.append(
            _proof(
                f"wide-split-{split}",
                "`wide_product.split_multiplicand`",
                f"both parts make up the multiplicand, split at {split}",
                ("arithmetic", "splits", {"bits": 30, "split": split}),
                ("wide_product", "Mux(wide, 0, u[split])", "u[split]"),
            )
        )
    found.append(
        _proof(
            "wide-join",
            "`wide_product.joined`",
            "the sum of both parts' products, a cycle later",
            ("arithmetic", "joins", {"low_bits": 44, "high_bits": 30, "split": 17}),
            ("wide_product", "(low >> split) + high", "(low >> split) - high"),
        )
    )
    for a, b, slow in ((4, 9, False), (8, 9, True)):
        found.append(
            _proof(
                f"lut-product-{a}-{b}",
                "`pipeline.multiply_in_luts`",
                f"signed {a} bits times unsigned {b} bits",
                ("arithmetic", "multiplies", {"a_bits": a, "b_bits": b}),
                ("pipeline", "for i in range(len(b))]", "for i in range(len(b) - 1)]"),
                slow=slow,
            )
        )
    for widths, bits in (((4,), 6), ((4, 8), 11), ((2, 3, 5, 6), 9)):
        found.append(
            _proof(
                f"gelu-{'-'.join(map(str, widths))}",
                "`gelu.Gelu`",
                f"GELU of results of {', '.join(map(str, widths))} bits; others pass",
                ("arithmetic", "gelu", {"widths": widths, "bits": bits}),
                (
                    "gelu",
                    "padded[n if n < half else 2 * half - n]",
                    "padded[n if n < half else 2 * half - n - 1]",
                ),
            )
        )
    found.append(
        _proof(
            "table-rows",
            "`table_rows.TableRows`",
            "rows of 24 and 7 that a time selects, of two windows in turn; no row is row 0",
            ("arithmetic", "table_rows", {"rows": (24, 7), "strides": (3, 5), "bits": 8}),
            ("table_rows", "Mux(beyond, 0, self.i_number[:width])", "self.i_number[:width]"),
            bound=_EVER,
        )
    )
    return found


def _softmax() -> list[Proof]:
    found = [
        _proof(
            "exponential",
            "`softmax.Exponential`",
            "all pairs of a logit and a maximum, 3 cycles later",
            ("softmax", "exponential", {}),
            ("softmax", "shift.eq(distance[_FRACTION:])", "shift.eq(distance[_FRACTION + 1 :])"),
        )
    ]
    for keys in (1, 6, 24, 96, 256):
        found += [
            _proof(
                f"reciprocal-sum-{keys}",
                "`softmax.Reciprocal`",
                f"a row's total, {keys} numerators at most, with any pauses",
                ("softmax", "reciprocal_sum", {"keys": keys}),
                ("softmax", "Mux(self.i_first, 0, total)", "Mux(self.i_last, 0, total)"),
                bound=_EVER,
            ),
            _proof(
                f"reciprocal-table-{keys}",
                "`softmax.Reciprocal`",
                f"the multiplier of each total of up to {keys} keys, 4 cycles later",
                ("softmax", "reciprocal_table", {"keys": keys}),
                ("softmax", "mantissa.eq(final << 1)", "mantissa.eq(final)"),
                bound=_STATES,
            ),
        ]
    for ways in (1, 2):
        found.append(
            _proof(
                f"row-maximum-{ways}",
                "`softmax.RowMaximum`",
                f"the largest logit so far, {ways} a word, with any pauses",
                ("softmax", "row_maximum", {"ways": ways}),
                ("softmax", "(first | (best > self.o_maximum))", "(best > self.o_maximum)"),
                bound=_EVER,
            )
        )
    return found


def _norms() -> list[Proof]:
    found = []
    for features, bits, gamma, slow in ((4, 4, 4, False), (6, 4, 3, False), (16, 8, 8, True)):
        found.append(
            _proof(
                f"normalizer-{features}-{bits}",
                "`layernorm.Normalizer`",
                f"`(N*x - total) << e` and `gamma * factor`: N = {features}, {bits} bits",
                (
                    "norms",
                    "normalizer",
                    {"features": features, "bits": bits, "gamma_bits": gamma},
                ),
                ("layernorm", "lower + (upper << 2 * _PART)", "lower + (upper << _PART)"),
                slow=slow,
            )
        )
    for features, bits, ways, slow in ((4, 3, 1, False), (6, 3, 2, False), (16, 4, 2, True)):
        found.append(
            _proof(
                f"row-sums-{features}-{bits}-{ways}",
                "`row_statistics.RowStatistics`",
                f"sums of numbers and squares: N = {features}, {bits} bits, {ways} a word",
                ("norms", "row_sums", {"features": features, "bits": bits, "ways": ways}),
                (
                    "row_statistics",
                    "Mux(begins[1], 0, own_power) + word_power",
                    "own_power + word_power",
                ),
                bound=_EVER,
                slow=slow,
            )
        )
    for features, bits, soft, slow in (
        (4, 4, False, False),
        (16, 8, False, True),
        (12, 6, True, True),
    ):
        found.append(
            _proof(
                f"variance-{features}-{bits}{'-luts' if soft else ''}",
                "`row_statistics.RowStatistics`",
                f"`N*sum(x^2) - sum(x)^2`: N = {features}, {bits} bits"
                + (", in LUTs" if soft else ""),
                ("norms", "variance", {"features": features, "bits": bits, "soft": soft}),
                (
                    (
                        "row_statistics",
                        "left.eq(scaled - (ac << 2 * bits + 1))",
                        "left.eq(scaled - (ac << 2 * bits))",
                    )
                    if soft
                    else ("row_statistics", "unit.a.eq(-total)", "unit.a.eq(total)")
                ),
                bound=_STATES,
                slow=slow,
            )
        )
    for features, bits in ((4, 4), (16, 8), (24, 8), (32, 6)):
        found.append(
            _proof(
                f"root-{features}-{bits}",
                "`row_statistics.RowStatistics`",
                f"exponent and factor of all variances: N = {features}, {bits} bits",
                ("norms", "reciprocal_root", {"features": features, "bits": bits}),
                (
                    "row_statistics",
                    "(late << (exponent << 1)) >> (kept - 8)",
                    "(late << exponent) >> (kept - 8)",
                ),
                bound=_STATES,
            )
        )
    found.append(
        _proof(
            "small-row",
            "`row_statistics.RowStatistics`",
            "all of it: total, exponent and factor of a row of 3 elements of 3 bits, on time",
            ("norms", "small_rows", {"features": 3, "bits": 3}),
            ("row_statistics", "result.factor.eq(factor)", "result.factor.eq(factor + 1)"),
            bound="all rows; one row from power-up",
            slow=True,
        )
    )
    return found


def _weights() -> list[Proof]:
    found = []
    mutant = ("weight_columns", "free = exact_log2(layout.step(own))", "free = 0")
    for name in ("tiny", "sense-24-1", "etth1-96-24-w2a4"):
        found.append(
            _proof(
                f"columns-{name}",
                "`weight_columns.WeightColumns`",
                f"each column's weights in a word, at the widths of {name}",
                ("weights", "columns", {"name": name}),
                ("weight_columns", "return word\n", "return ~word\n")
                if name != "etth1-96-24-w2a4"
                else (
                    "weight_columns",
                    "number.as_signed() | Const(0, signed(width))",
                    "number | Const(0, width)",
                ),
                slow=name != "tiny",
            )
        )
    for widths, count in (
        (((1, False), (2, True), (4, False), (8, False)), 4),
        (((1, True), (3, False), (6, True)), 4),
        (((2, False), (5, True), (7, False), (16, False)), 2),
    ):
        label = ", ".join(f"{b}{' in pairs' if p else ''}" for b, p in widths)
        found.append(
            _proof(
                f"columns-{'-'.join(str(b) for b, _ in widths)}",
                "`weight_columns.WeightColumns`",
                f"each column's weights in a word of formats of {label} bits",
                ("weights", "columns_of_widths", {"widths": widths, "count": count}),
                mutant,
            )
        )
    for shift, half, always in ((13, 4, True), (17, 8, False), (21, 4, False), (22, 3, False)):
        found.append(
            _proof(
                f"operand-{shift}-{half}",
                "`matrix_engine.MatrixEngine`",
                f"a pair of weights of {half} bits, {shift} bits apart, as one multiplicand",
                ("weights", "operand", {"shift": shift, "half": half, "always": always}),
                ("matrix_engine", "~high[:place].any()", "high[:place].any()"),
            )
        )
    for name in ("tiny",):
        found.append(
            _proof(
                f"engine-{name}",
                "`matrix_engine.MatrixEngine`",
                f"operands of every column and its sum, for any product: {name}",
                ("weights", "engine", {"name": name}),
                (
                    "matrix_engine",
                    "self._begins(m, self.i_first, 2,",
                    "self._begins(m, self.i_first, 1,",
                ),
                bound="all inputs, from any state, any products",
                slow=True,
            )
        )
    for shift, bits, extension in ((6, 13, 0), (11, 23, 4)):
        found.append(
            _proof(
                f"sums-apart-{shift}-{extension}",
                "`sums.add_apart`",
                f"two sums side by side, {shift} bits and {extension} more, or one",
                ("weights", "sums_apart", {"shift": shift, "bits": bits, "extension": extension}),
                ("sums", "packed & sign, above", "sign, above"),
                bound=_STATES,
            )
        )
    return found


def _luts() -> list[Proof]:
    found = []
    for family, widths, shifts, negative, cells, accumulates in (
        ("ecp5", (6, 5), (0, 1), True, False, False),
        ("series7", (6, 5, 4), (0, 1, 2), True, False, False),
        ("series7", (6, 5), (0, 2), False, True, False),
        ("series7", (6, 5, 4), (0, 1, 2), True, True, False),
        ("series7", (8, 7), (0, 3), True, True, True),
    ):
        label = f"{len(widths)}{'-cells' if cells else ''}{'-own' if accumulates else ''}"
        found.append(
            _proof(
                f"lut-adder-{family}-{label}",
                "`lut_adder.add_in_luts`",
                f"the sum of {len(widths)} numbers"
                + (" and its own" if accumulates else "")
                + (", of LUT6_2 and CARRY4" if cells else ""),
                (
                    "weights",
                    "added",
                    {
                        "family": family,
                        "widths": widths,
                        "shifts": shifts,
                        "negative": negative,
                        "cells": cells,
                        "accumulates": accumulates,
                    },
                ),
                (
                    (
                        "lut_adder",
                        "other = int(sum(numbers) >= 2)",
                        "other = int(sum(numbers) >= 1)",
                    )
                    if cells and len(widths) + accumulates > 2
                    else ("lut_adder", "whole = sum(numbers) & 1", "whole = int(sum(numbers) > 0)")
                    if cells
                    else (
                        "lut_adder",
                        "-(term.value << term.shift) if term.negative",
                        "term.value << term.shift if term.negative",
                    )
                ),
                bound=_STATES,
            )
        )
    for family, weight, x, cells, slow in (
        ("series7", 2, 4, False, False),
        ("series7", 4, 6, False, False),
        ("series7", 4, 6, True, False),
        ("series7", 6, 6, True, True),
        ("series7", 8, 5, True, True),
        ("ecp5", 3, 6, False, False),
        ("ecp5", 6, 5, False, True),
    ):
        found.append(
            _proof(
                f"lut-column-{family}-{weight}-{x}{'-cells' if cells else ''}",
                "`lut_column.dot_in_luts`",
                f"a sum goes on with weights of {weight} bits and activations of {x}"
                + (", of LUT6_2 and CARRY4" if cells else ""),
                (
                    "weights",
                    "dot_product",
                    {"family": family, "weight_bits": weight, "x_bits": x, "cells": cells},
                ),
                (
                    "lut_column",
                    "Mux(weight(level, place), own, 0)",
                    "Mux(weight(level, place), own, 1)",
                ),
                bound=_STATES,
                slow=slow,
            )
        )
    for weight, x in ((2, 6), (3, 5), (4, 5)):
        found.append(
            _proof(
                f"short-products-{weight}-{x}",
                "`sums.multiply_short`",
                f"both sums go on with weights of {weight} bits and activations of {x}",
                ("weights", "short_products", {"weight_bits": weight, "x_bits": x}),
                (
                    ("sums", "Mux(negative, ~x, x)", "Mux(negative, x, x)")
                    if weight == 2
                    else (
                        "sums",
                        "sum(rows[:-1], Const(0)) - rows[-1]",
                        "sum(rows[:-1], Const(0)) + rows[-1]",
                    )
                ),
                bound=_STATES,
            )
        )
    return found


def _post() -> list[Proof]:
    found = []
    mutants = (
        ("tiny", ("postprocessor", "(1 << o.shift) >> 1", "(1 << o.shift) >> 2"), True),
        (
            "sense-24-1",
            ("postprocessor", "total.eq(unit.product + offset)", "total.eq(unit.product - offset)"),
            True,
        ),
        ("etth1-96-24", ("drained_sums", "packed & whole[k - 1]", "packed & whole[k - 2]"), True),
        (
            "etth1-96-24-w2a4",
            (
                "postprocessor",
                "half = by_operation(m, ops[0], added",
                "half = by_operation(m, ops[1], added",
            ),
            True,
        ),
    )
    for name, mutant, slow in mutants:
        found.append(
            _proof(
                f"requantizer-{name}",
                "`postprocessor.PostProcessor`",
                "packed split, bias, multiplier, addend, rounding, shift and clamp of every "
                f"operation that is not wide, on time: {name}",
                ("postprocessor", "requantizer", {"name": name}),
                mutant,
                bound="all inputs, from any state, any products",
                slow=slow,
            )
        )
    found.append(
        _proof(
            "vectors-together",
            "`postprocessor.PostProcessor`",
            "rows that a LayerNorm normalises and others that are scaled as they are, in turn",
            ("postprocessor", "vectors_together", {}),
            ("postprocessor", "delay(m, stored, NORM_DELAY,", "delay(m, stored, NORM_DELAY + 1,"),
            bound="all inputs, from any state, any products",
        )
    )
    return found


def _streams() -> list[Proof]:
    found = []
    for label, options in (
        ("plain", {"steps": 3, "channels": 2}),
        ("time", {"steps": 4, "channels": 2, "numbers": 3, "unsigned": True}),
        ("lanes", {"steps": 8, "channels": 1, "lanes": 2, "patch": 2}),
    ):
        found.append(
            _proof(
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
                bound=_EVER,
            )
        )
    for features, rows, ways, placement in (
        (3, 2, 1, "distributed"),
        (4, 2, 2, "distributed"),
        (3, 1, 1, "registers"),
    ):
        found.append(
            _proof(
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
                bound=_EVER,
            )
        )
    found += [
        _proof(
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
        _proof(
            "row-queue",
            "`row_statistics.RowStatistics`",
            "statistics in order, none lost, of 3 rows at most",
            ("streams", "row_queue", {"queue": 3}),
            ("row_statistics", "head.eq(after(head, depth))", "head.eq(head + 1)"),
            bound=_EVER,
        ),
        _proof(
            "axi-stream",
            "`axi_stream.AxiStream`",
            "transfers as they are, none in a reset; TLAST and events at each window's end",
            ("streams", "axi_stream", {"inputs": 6, "results": 4}),
            ("axi_stream", "inner.i.ready & ~restart", "inner.i.ready"),
            bound=_EVER,
        ),
    ]
    for name, slow in (("tiny", False), ("sense-24-1", True), ("etth1-96-24", True)):
        found.append(
            _proof(
                f"sequencer-{name}",
                "`sequencer.Sequencer`",
                "each instruction in order, in the first cycle in which it may be issued: never "
                f"early, late or stuck: {name}",
                ("streams", "sequencer", {"name": name}),
                ("sequencer", "due.eq(timer == 1)", "due.eq(timer == 2)"),
                bound=_EVER,
                slow=slow,
            )
        )
    return found


def _links() -> list[Proof]:
    found = []
    for divisor in (8, 11):
        found += [
            _proof(
                f"uart-receiver-{divisor}",
                "`uart.UartReceiver`",
                f"idle after a quiet frame and a half bit, {divisor} cycles a bit",
                ("links", "uart_receiver", {"divisor": divisor}),
                ("uart", "with m.If(data[0]):", "with m.If(data[0] & ~line):"),
                bound=f"{_STATES}, {10 * divisor + divisor // 2 + 4} cycles",
                slow=divisor != 8,
            ),
            _proof(
                f"uart-transmitter-{divisor}",
                "`uart.UartTransmitter`",
                f"ready and high a frame and a bit later, {divisor} cycles a bit",
                ("links", "uart_transmitter", {"divisor": divisor}),
                ("uart", "timer.eq(timer - 1)", "timer.eq(timer - (rest != 0))"),
                bound=f"{_STATES}, {11 * divisor + 1} cycles",
                slow=divisor != 8,
            ),
        ]
    found += [
        _proof(
            "uart-bytes",
            "`uart.UartReceiver`",
            "a frame of any byte: that byte, on time, and no other",
            ("links", "uart_bytes", {"divisor": 8}),
            ("uart", "divisor - self.divisor // 2)", "divisor // 8)"),
            bound="all bytes; a frame within the first cycles from power-up",
            slow=True,
        ),
        _proof(
            "uart-states",
            "`uart.UartReceiver`, `uart.UartTransmitter`",
            "legal states, frames that end with a one: what the proofs above go out from",
            ("links", "uart_states", {"divisor": 8}),
            ("uart", "Cat(self.i.payload, 1)", "Cat(self.i.payload, 0)"),
            bound=_EVER,
        ),
        _proof(
            "uart-link",
            "`uart.UartLink`",
            "quiet after a frame and the gap",
            ("links", "uart_link", {"divisor": 8, "gap_bits": 2}),
            ("uart", "silence.eq(silence - 1)", "silence.eq(silence)"),
            bound=f"{_STATES}, 110 cycles",
        ),
        _proof(
            "spi",
            "`spi.SpiLink`",
            "quiet, silent and at a transfer's beginning without chip select",
            ("links", "spi", {}),
            ("spi", "first.eq(1), request.eq(0)", "first.eq(1)"),
            bound=f"{_STATES}, 9 cycles",
        ),
        _proof(
            "spi-states",
            "`spi.SpiLink`",
            "an answer only in a transfer: what the proof above goes out from",
            ("links", "spi_states", {}),
            ("spi", "with m.If(was_on & answering):", "with m.If(was_on & answering & sck):"),
            bound=_EVER,
        ),
    ]
    return found


#: All of them.
PROOFS: tuple[Proof, ...] = (
    *_arithmetic(),
    *_post(),
    *_softmax(),
    *_norms(),
    *_weights(),
    *_luts(),
    *_streams(),
    *_links(),
)


def proof(name: str) -> Proof:
    """Return a proof by its name."""
    return next(one for one in PROOFS if one.name == name)
