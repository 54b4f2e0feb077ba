"""The post-processor: bias, multiplier, addend, rounding shift and clamp of every result."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitformer.hw.families.family import Multiplier
from bitformer.hw.memory import READ_LATENCY
from bitformer.hw.program import Addend, Factor, MachineOperation
from bitformer.hw.timing import GELU_DELAY, NORM_DELAY, POST, WIDE_DELAY
from bitformer.hw.units.choices import Choices, WideChoices
from bitformer.hw.units.drained_sums import drained_sums
from bitformer.hw.units.fixed import clamp
from bitformer.hw.units.gelu import Gelu
from bitformer.hw.units.layernorm import Normalizer, statistics_layout
from bitformer.hw.units.multiplier import Product
from bitformer.hw.units.parameters import Items, Parameter
from bitformer.hw.units.pipeline import by_operation, decode, delay, registered
from bitformer.hw.units.postprocessor_model import post_processed
from bitformer.hw.units.postprocessor_widths import PostProcessorWidths
from bitformer.hw.units.product_pair import scaled_gammas
from bitformer.hw.units.result_slots import delay_slot
from bitformer.hw.units.wide_product import joined, split_multiplicand

__all__ = ["PostProcessor"]


class PostProcessor(wiring.Component):
    """Makes results: ``clamp(((u * multiplier + (r << s) + 2**(n-1)) >> n) + zero)``.

    ``u`` is a drained accumulator plus its bias, or an element of a stored row (for a LayerNorm
    centred and normalised). The stores answer a slot's addresses ``READ_LATENCY`` cycles later.

    The one result of a wide operation takes the multipliers of both ways: way 0 multiplies the
    lower bits of ``u`` and adds the addend, way 1 multiplies the upper bits, and a stage more adds
    the two. Both ways give the result. Where an operation has GELU, a stage more makes that.

    Latency: ``latency`` cycles from a drain's slot to its results, ``vector_delay`` cycles more
    from a vector's. Throughput: one slot a cycle; two that would meet must not be given.

    Parameters
    ----------
    operations : sequence of MachineOperation
        Constants of each operation, by number.
    slot : data.StructLayout
        Layout of a slot, made by :func:`bitformer.hw.units.result_slots.slot_layout`.
    widths : PostProcessorWidths
        Width of every number.
    multiplier : Multiplier
        Multiplier of the device, whose long port is fed with ``u``.

    Members
    -------
    i_drain : In(slot), slot of a drained column.
    i_vector : In(slot), slot of a stored word.
    i_p : In(signed(product_bits + extension)), drained accumulator, in the cycle of its slot.
    i_parameter : In((value_bits + scale_bits) * ways), parameters, the cycle after the slot.
    i_sums : In(accumulator_bits * ways), sums to go on with, the cycle after the slot. This and
        ``o_sums`` are there if an operation resumes.
    i_statistics : In(statistics_layout(norm_features, norm_bits)), of the row that is normalised,
        the cycle after the slot.
    i_activation : In(activation_bits * ways), word of the stored row, ``READ_LATENCY`` after the
        slot, as are all that follow.
    i_position : In(position_bits * ways), word of the position's row.
    i_last : In(signed(last_bits)), value of the last step.
    i_factor : In(signed(factor_bits)), reciprocal of a softmax's sum.
    o_y : Out(ArrayLayout(signed(result_bits), ways)), results.
    o_slot : Out(slot), their slot; all but ``valid`` is that of the last one that was valid.
    o_vector : Out(1), it is a vector's.
    o_following : Out(slot.op), operation of the next cycle's results.
    o_sums : Out(accumulator_bits * ways), sums of a drain's slot ``SUMS_DELAY`` cycles before.
    """

    operations = Items(MachineOperation, "operations")
    slot = Parameter(data.StructLayout, "a layout of slots")
    widths = Parameter(PostProcessorWidths, "PostProcessorWidths")
    multiplier = Parameter(Multiplier, "a Multiplier")

    def __init__(
        self,
        *,
        operations: Sequence[MachineOperation],
        slot: data.StructLayout,
        widths: PostProcessorWidths,
        multiplier: Multiplier,
    ):
        self.operations, self.slot = operations, slot
        self.widths, self.multiplier = widths, multiplier
        if any(o.normalize for o in self.operations) and not widths.norm_features:
            raise ValueError("Norm features must be positive for operations that normalise")
        if self.wide and widths.narrow_bits > multiplier.long_bits:
            port = f"the {multiplier.long_bits} bits of the {multiplier.name}'s long port"
            raise ValueError(f"Narrow bits must fit {port}, not be {widths.narrow_bits}")
        rows = max(1, widths.norm_features), max(2, widths.norm_bits)
        sums = widths.accumulator_bits * self.ways
        super().__init__(
            {
                "i_drain": In(slot),
                "i_vector": In(slot),
                "i_p": In(signed(widths.product_bits + widths.extension)),
                "i_parameter": In((widths.value_bits + widths.scale_bits) * self.ways),
                "i_statistics": In(statistics_layout(*rows)),
                "i_activation": In(widths.activation_bits * self.ways),
                "i_position": In(widths.position_bits * self.ways),
                "i_last": In(signed(widths.last_bits)),
                "i_factor": In(signed(widths.factor_bits)),
                "o_y": Out(data.ArrayLayout(signed(widths.result_bits), self.ways)),
                "o_slot": Out(slot),
                "o_vector": Out(1),
                "o_following": Out(slot["op"].width),
                **({"i_sums": In(sums), "o_sums": Out(sums)} if self.resumes else {}),
            }
        )

    @property
    def ways(self) -> int:
        """Results of a slot, at most."""
        return self.slot["valid"].width

    @property
    def wide(self) -> bool:
        """Whether some operation is wide: a stage more for all."""
        return any(o.wide for o in self.operations)

    @property
    def resumes(self) -> bool:
        """Whether some operation goes on with sums that are kept."""
        return any(o.resumes for o in self.operations)

    @property
    def latency(self) -> int:
        """Cycles from a drain's slot to its results."""
        wide, gelu = WIDE_DELAY * self.wide, GELU_DELAY * bool(self.gelu)
        return POST + wide + gelu

    @property
    def gelu(self) -> tuple[int, ...]:
        """Bits of the operations' results that are GELU: a stage more for all if there are any."""
        return tuple(sorted({o.gelu for o in self.operations} - {0}))

    @property
    def vector_delay(self) -> int:
        """More cycles from a vector's slot to its results."""
        return NORM_DELAY if self.widths.norm_features else 0

    def elaborate(self, platform):
        m = Module()
        operations, widths = self.operations, self.widths
        # one stage ahead of the operands, so that constants come from registers
        slot, is_vector = self._in_hand(m)
        vector_now = delay(m, is_vector, 1, name="is_vector_now")
        chosen = Choices(m, operations, slot, widths)
        drained = self._drained(m, chosen)
        self._scaled = None
        if widths.gamma_block and widths.norm_features:
            gammas = [chosen.fields(self.i_parameter, way)[1] for way in range(self.ways)]
            factor = self.i_statistics.factor
            self._scaled = scaled_gammas(m, platform, self.multiplier, gammas, factor)
        parameter = delay(m, self.i_parameter, READ_LATENCY - 1, name="parameter")
        if self.wide and self.vector_delay:
            vector = delay(m, self.i_vector, READ_LATENCY - 1, name="vector_early")
            chosen.early = WideChoices(m, operations, data.View(self.slot, vector), "early")
        stages = self.latency - READ_LATENCY
        last = stages - (GELU_DELAY if self.gelu else 0)
        narrow = last - 1 - (WIDE_DELAY if self.wide else 0)
        # their constants come out of registers: they are looked up a cycle ahead
        ops = [delay(m, slot.op, stage - 1, name=f"op_{stage}") for stage in (2, narrow, last)]
        scaled_vectors = any(not o.matrix and o.factor is Factor.PARAMETER for o in operations)
        rounding = [((1 << o.shift) >> 1) + (o.zero << o.shift) for o in operations]
        totals: list[Value] = []
        results: list[Value] = []
        upper: Value = Const(0)

        for way in range(self.ways):

            def register(name: str, bits: int, way: int = way) -> Signal:
                return Signal(signed(bits), name=f"{name}_{way}", reset_less=True)

            # the parameters of a vector come with its slot, and its row is normalised first
            late = parameter
            if self.vector_delay:
                early = delay(m, parameter, self.vector_delay - 1, name=f"parameter_{way}")
                late = Signal.like(early, name=f"parameter_now_{way}", reset_less=True)
                # in a register that holds: a shift register in LUTs would answer late
                with m.If(is_vector):
                    m.d.sync += late.eq(early)
            u, normal = self._multiplicand(m, way, chosen, vector_now, drained[way])
            if chosen.now is not None and way == 0:
                u, upper = split_multiplicand(u, chosen.now.wide, self.multiplier.split)
            elif chosen.now is not None:
                u = Mux(chosen.now.wide, upper, u)
            bits = widths.high_bits if way else widths.low_bits
            unit = self._product(m, platform, u, f"_{way}")
            scale = chosen.fields(parameter, way)[1]
            if self.vector_delay and scaled_vectors:
                scale = Mux(vector_now, chosen.fields(late, way)[1], scale)
            factors = self._factors(chosen, scale, normal)
            self._choose(m, unit, chosen.factor, factors)
            addend = register("addend", bits)
            sources = {
                Addend.PARAMETER: chosen.value(late, way, chosen.now and chosen.now.wide),
                Addend.ACTIVATION: chosen.stored(self.i_activation, way),
                Addend.POSITION: chosen.element(self.i_position, way),
                Addend.LAST: self.i_last,
            }
            m.d.sync += addend.eq(0)
            with m.Switch(chosen.addend[way]):
                for (source, shift), number in chosen.addends.items():
                    if way == 0 or number in chosen.narrow:
                        with m.Case(number):
                            m.d.sync += addend.eq(sources[source] << shift)
            offset, total = register("offset", bits), register("total", bits)
            added = [0 if way and o.wide else r for o, r in zip(operations, rounding, strict=True)]
            half = by_operation(m, ops[0], added, name=f"rounding_{way}")
            m.d.sync += [
                offset.eq(addend + registered(m, half, name=f"rounding_{way}")),
                total.eq(unit.product + offset),
            ]
            totals.append(total)
            results.append(register("result", widths.shifted_bits))
            kind = self._shift_kind(m, ops[1], wide=False)
            self._shift(m, m.d.sync, results[way], total, kind, wide=False)
            if not self.wide:
                self._clamp(m, way, results[way], ops[2])
        if self.wide:
            if self.ways == 1:
                unit = self._product(m, platform, upper, "_high")
                self._choose(m, unit, chosen.factor, factors)
                high = unit.product[: widths.high_bits].as_signed()
                totals.append(delay(m, high, 1, name="total_high").as_signed())
            results = self._wide_results(m, totals, results, delay(m, ops[1], 1, name="op_wide"))
            for way, result in enumerate(results):
                self._clamp(m, way, result, ops[2])

        self._show(m, delay_slot(m, slot, stages, name="slot"))
        m.d.comb += [
            self.o_following.eq(delay(m, slot.op, stages, name="op_following")),
            self.o_vector.eq(delay(m, is_vector, stages + 1, name="is_vector", reset_less=False)),
        ]
        return m

    def _product(self, m: Module, platform: object, u: Value, suffix: str) -> Product:
        """Return the multiplier of a multiplicand, whose other operand is still to be chosen."""
        # lowering has seen to it that u fits
        most = max(self.multiplier.long_bits, self.widths.upper_bits)
        bits = min(max(len(u), 2), most)
        names = (f"{name}{suffix}" for name in ("u", "factor", "product"))
        factor_bits = self.widths.factor_bits
        never_negative = unsigned(max(1, factor_bits - 1))
        factor = signed(factor_bits) if self.widths.factor_signed else never_negative
        unit = Product(m, platform, self.multiplier, signed(bits), factor, *names)
        m.d[unit.domain] += unit.a.eq(u)
        return unit

    @staticmethod
    def _choose(m: Module, unit: Product, kind: Value, factors: Mapping[Factor, Value]) -> None:
        """Give a product the multiplier of the operation."""
        with m.Switch(kind):
            for factor, operand in factors.items():
                with m.Case(factor):
                    m.d[unit.domain] += unit.b.eq(operand)

    def _show(self, m: Module, slot: data.View) -> None:
        """Give a slot a cycle later; its addresses stay until another is valid."""
        shown = Signal(self.slot, reset_less=True)
        valid = delay(m, slot.valid, 1, name="shown_valid", reset_less=False)
        # so they leave a register: a shift register in LUTs would answer late
        with m.If(slot.valid.any()):
            m.d.sync += shown.eq(slot)
        m.d.comb += [self.o_slot.eq(shown), self.o_slot.valid.eq(valid)]

    def _drained(self, m: Module, chosen: Choices) -> list[Value]:
        """Return the sums in a drained accumulator, with their bias, two cycles later."""
        packed, biased, wide = (
            registered(
                m, decode(m, self.i_drain.op, self.operations, field), name=f"drained_{field}"
            )
            for field in ("packed", "bias", "wide")
        )
        soft = self.i_drain.soft if "soft" in self.slot.members else None
        sums = drained_sums(m, self.i_p, packed, soft, widths=self.widths, ways=self.ways)
        if self.resumes:
            flag = decode(m, self.i_drain.op, self.operations, "resumes")
            resumed = registered(m, flag, name="drained_resumes")
        results: list[Value] = []
        longest = self.widths.accumulator_bits
        for way, (part, carry) in enumerate(sums):
            bits = self.widths.narrow_bits if way else longest
            value = chosen.value(self.i_parameter, way, wide if self.wide else None)
            bias = Mux(biased, value, 0)
            if self.resumes:
                kept = self.i_sums.word_select(way, longest)[:bits]
                bias = Mux(resumed, kept.as_signed(), bias)
            terms = (Cat(Const(1, 1), part).as_signed(), Cat(carry, bias).as_signed())
            total = (terms[0] + terms[1])[1 : bits + 1] if way else (part + bias)[:bits]
            results.append(Signal(signed(bits), name=f"acc_{way}", reset_less=True))
            m.d.sync += results[way].eq(total.as_signed())
            if self.resumes:
                m.d.comb += self.o_sums.word_select(way, longest).eq(results[way])
        return results

    def _in_hand(self, m: Module) -> tuple[data.View, Value]:
        """Return the slot whose operands come in the next cycle, and if it is a vector's."""
        wait = READ_LATENCY - 1
        drain = delay_slot(m, self.i_drain, wait, name="drain")
        wait, resets = wait + self.vector_delay, ("valid", "op")
        vector = delay_slot(m, self.i_vector, wait, name="vector", resets=resets)
        is_vector = vector.valid.any()
        return data.View(self.slot, Mux(is_vector, vector, drain)), is_vector

    def _multiplicand(self, m, way, chosen, vector_now, drained):
        """Return ``u``, and a LayerNorm's multiplier."""
        if all(o.matrix for o in self.operations):
            return drained, None
        stored = chosen.stored(self.i_activation, way, early=True)
        if not self.widths.norm_features:
            return Mux(vector_now, stored, drained), None
        gamma = chosen.fields(self.i_parameter, way)[1]
        unit = Normalizer(
            features=self.widths.norm_features,
            bits=self.widths.norm_bits,
            gamma_bits=len(gamma),
            multiplier=self.multiplier,
            elsewhere=self._scaled is not None,
        )
        m.submodules[f"normalizer_{way}"] = unit
        scaled = unit.o_multiplier if self._scaled is None else self._scaled[way]
        m.d.comb += [
            unit.i_x.eq(stored),
            unit.i_gamma.eq(gamma),
            unit.i_statistics.eq(self.i_statistics),
        ]
        late = delay(m, stored, NORM_DELAY, name=f"stored_{way}").as_signed()
        vector = Mux(chosen.normalize, unit.o_u, late)
        return Mux(vector_now, vector, drained), scaled

    def _factors(self, chosen, scale, normal) -> dict[Factor, Value]:
        """Return the multipliers that the operations use."""
        factors: dict[Factor, Value] = {
            Factor.IMMEDIATE: chosen.multiplier,
            Factor.PARAMETER: scale,
            Factor.RECIPROCAL: self.i_factor,
            Factor.NORM: normal,
        }
        return {kind: factors[kind] for kind in sorted({o.factor for o in self.operations})}

    def _wide_results(self, m: Module, totals, results, op) -> list[Value]:
        """Return narrow results a cycle later, wide ones from the sums of both ways."""
        total = joined(m, *totals, split=self.multiplier.split, bits=self.widths.sum_bits)
        wide = registered(m, decode(m, op, self.operations, "wide"), name="wide_result")
        shifted = Signal(signed(self.widths.shifted_bits))
        self._shift(m, m.d.comb, shifted, total, self._shift_kind(m, op, wide=True), wide=True)
        late = []
        for way, result in enumerate(results):
            late.append(Signal.like(result, name=f"late_{way}", reset_less=True))
            m.d.sync += late[way].eq(Mux(wide, shifted, result))
        return late

    def _shifts(self, wide: bool) -> list[int]:
        return sorted({o.shift for o in self.operations if o.wide == wide})

    def _shift_kind(self, m: Module, op, *, wide: bool) -> Value:
        """Return which of the shifts that operations have is that of ``op``, a cycle later."""
        points = self._shifts(wide)
        kinds = [points.index(o.shift) if o.wide == wide else 0 for o in self.operations]
        return registered(m, by_operation(m, op, kinds, name="shift_kind"), name="shift_kind")

    def _shift(self, m: Module, domain, result, total, kind, *, wide: bool) -> None:
        """Shift ``total`` right by the few shifts of the operations that are ``wide`` or not."""
        with m.Switch(kind):
            for number, point in enumerate(self._shifts(wide)):
                with m.Case(number):
                    domain += result.eq(total >> point)

    def _clamp(self, m: Module, way: int, result: Value, op: Value) -> None:
        """Give a result within the limits of its operation, ``op`` of the cycle before."""
        low, high = (
            registered(m, decode(m, op, self.operations, f, name=f"{f}_{way}"), name=f"{f}_{way}")
            for f in ("low", "high")
        )
        bits = max(self.widths.result_bits, 1 + max(self.gelu, default=0))
        y = Signal(signed(bits), name=f"y_{way}", reset_less=True)
        m.d.sync += y.eq(clamp(result, low, high))
        found: Value = y
        if self.gelu:
            tables = [self.gelu.index(o.gelu) + 1 if o.gelu else 0 for o in self.operations]
            table = delay(m, by_operation(m, op, tables, name=f"table_{way}"), 2, name="table")
            m.submodules[f"gelu_{way}"] = unit = Gelu(widths=self.gelu, bits=bits)
            m.d.comb += [unit.i_x.eq(y), unit.i_table.eq(table)]
            found = unit.o_y
        m.d.comb += self.o_y[way].eq(found)

    def model(self, op: int, **numbers) -> list[int]:
        """Return ``o_y`` of a slot of operation ``op``, from what is there for it.

        ``numbers`` are those of :func:`bitformer.hw.units.postprocessor_model.post_processed`.
        """
        return post_processed(self.operations[op], self.widths, self.ways, **numbers)
