"""What is decided of an accelerator's results, between their queue and its output."""

from amaranth.hdl import Const, Module, Value

from bitformer.hw.judging import limits_word
from bitformer.hw.units.assembly import Units, detector
from bitformer.hw.units.class_choice import ClassChoice
from bitformer.hw.units.detector import Detector
from bitformer.hw.units.reads import live_address
from bitformer.model.operations import Judge

__all__ = ["choose", "detect"]


def _loaded(m: Module, units: Units, name: str, constant: int) -> Value:
    """Return the one word of a store in the image that is live; else a constant."""
    if name not in units.stores:
        return Const(constant)
    store = units.stores[name]
    m.d.comb += store.addr_0.eq(live_address(units, store, Const(0, 1)))
    return store.data_0


def choose(m: Module, units: Units) -> ClassChoice:
    """Add the choice of a class, without its streams."""
    port, decision = units.output_port, units.design.model.decision
    margin = 0 if decision is None else decision.margin
    m.submodules.class_choice = choice = ClassChoice(classes=port.features, bits=port.bits)
    m.d.comb += choice.i_margin.eq(_loaded(m, units, "margin", margin))
    return choice


def detect(m: Module, units: Units, judge: Judge) -> Detector:
    """Add the detector and its stores, without its streams."""
    port, stores = units.input_port, units.stores
    judged, levels, weights = stores["judged"], stores["levels"], stores["judge_weights"]
    m.submodules.detector = unit = detector(units.design, judge)
    limits = _loaded(m, units, "judge_limits", limits_word(judge, unit.score_bits))
    m.d.comb += [
        unit.i_judged_en.eq(port.o_judged_en),
        judged.w_addr.eq(unit.o_judged_w_addr),
        judged.w_data.eq(port.o_data),
        judged.w_en.eq(port.o_judged_en),
        judged.addr_0.eq(unit.o_judged_addr),
        unit.i_judged.eq(judged.data_0),
        levels.addr_0.eq(unit.o_level_addr),
        unit.i_level.eq(levels.data_0),
        levels.w_addr.eq(unit.o_level_w_addr),
        levels.w_data.eq(unit.o_level),
        levels.w_en.eq(unit.o_level_en),
        weights.addr_0.eq(live_address(units, weights, unit.o_weight_addr)),
        unit.i_weight.eq(weights.data_0),
        unit.i_threshold.eq(limits),
        unit.i_hold.eq(limits >> unit.score_bits),
    ]
    return unit
