"""New weights without a new bitstream: two images of what differs between two trained models.

A *reloadable* design keeps weights, parameters and positions in memories that can be written, twice
over: one image is live, and the other can be replaced meanwhile. Everything else (the program,
shifts, zero points, packing, widths) is hardware, and must be the same for a new model; widths have
a bit to spare. That products can be packed is proved again, from the new model's own weights.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from bitformer.hw.design import RELOADED, Design, Geometry
from bitformer.hw.judging import HOLD_BITS, limits_word, score_bits, weight_bits
from bitformer.hw.lowering.asked_places import asked_places, of_results
from bitformer.hw.lowering.images import pack_elements
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.place import cost, place
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.hw.program import MachineOperation
from bitformer.hw.widths import signed_value
from bitformer.model import ir
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent

__all__ = ["STRUCTURE_BYTES", "bank_words", "lower_reloadable", "new_images", "structure_hash"]

#: Bytes of the hash of what a new model must not change.
STRUCTURE_BYTES = 4
#: Bits that a reloadable design's widths have to spare.
SPARE = 1
_CONSTANT = ", a constant of the hardware"
#: How a reloadable design is lowered: multipliers are data, no operation is wide for its rows, and
#: no sum of single weights must fit a field.
_OPTIONS = {"immediate": False, "apart": False, "broad": 0}
#: The widths that follow from the weights, and the width of a multiplier that bounds each.
_WIDTHS = {
    "accumulator_bits": "long_bits",
    "narrow_bits": "long_bits",
    "product_bits": "accumulator_bits",
    "soft_sum_bits": "accumulator_bits",
    "result_bits": "accumulator_bits",
    "value_bits": "accumulator_bits",
    "factor_bits": "factor_bits",
}


def bank_words(words: int) -> int:
    """Return the words of an image in its memory: a power of two, so that a bit chooses one."""
    return 1 << (words - 1).bit_length()


def lower_reloadable(
    model: ir.IntegerModel,
    *,
    part: str = DEFAULT_PART,
    lanes: int | None = None,
    rows: int | str = 1,
    posts: int = 1,
    pack: bool = True,
    placement: Mapping[str, str] | None = None,
    soft: int | str | None = None,
    effort: int = 0,
    progress: Progress = silent,
) -> Design:
    """Lower ``model``, with the options of `lower`, to a design that takes new weights.

    Results that are placed by themselves lie as they would beside one image. Raises
    :class:`UserError` when the part's memories do not hold both images, and for models with wide
    accumulators, whose parameters have another layout.
    """
    options: dict[str, Any] = {"lanes": lanes, "rows": rows, "posts": posts, "pack": pack}
    options |= {"soft": soft, **_OPTIONS}
    results = of_results(placement or {}, model)
    design = lower(model, part=part, placement=results, effort=effort, progress=progress, **options)
    there = PARTS[part]
    multiplier = there.family.multiplier
    if design.geometry.wide:
        raise UserError(
            "a reloadable design must have accumulators of at most "
            f"{multiplier.long_bits} bits, which those of "
            f"{', '.join(sorted(design.geometry.wide))} are not"
        )
    geometry = replace(
        design.geometry,
        **{
            name: min(getattr(design.geometry, name) + SPARE, getattr(multiplier, most))
            for name, most in _WIDTHS.items()
            if getattr(design.geometry, name)
        },
    )
    value, factor = design.parameter_bits
    bits = value + SPARE, min(factor + SPARE, multiplier.factor_bits)
    specs, images = [], dict(design.images)
    stored = [*design.stores.values()]
    if (decision := model.decision) is not None:
        stored.append(StoreSpec(name="margin", depth=1, width=model.results.bits))
        images["margin"] = [decision.margin]
    if (judge := model.detector) is not None:
        score = score_bits(judge, model, any_weights=True)
        stored.append(StoreSpec(name="judge_limits", depth=1, width=score + HOLD_BITS))
        images["judge_limits"] = [limits_word(judge, score)]
    for spec in stored:
        if spec.name in RELOADED:
            width = sum(bits) * geometry.ways if spec.name == "parameters" else spec.width
            depth = 2 * bank_words(spec.depth)
            if spec.name == "judge_weights" and judge is not None:
                width = weight_bits(judge, any_weights=True)
            spec = replace(spec, rom=False, depth=depth, width=width)
        if spec.name == "sums":
            bits_of_each = geometry.accumulator_bits
            granule = bits_of_each if spec.granule else 0
            spec = replace(spec, width=geometry.ways * bits_of_each, granule=granule)
        specs.append(replace(spec, placement="auto", tiles=()))
    wanted = asked_places(placement or {}, [spec.name for spec in specs], model)[0]
    split = {spec.name: [spec] for spec in stored if spec.parts}
    stores = place(specs, there, wanted, split)
    costs = [cost(spec, spec.placement, there.family) for spec in stores.values()]
    ramb18, lutram = sum(c.ramb18 for c in costs), sum(c.lutram for c in costs)
    if ramb18 > there.ramb18 or lutram > there.lutram_luts:
        raise UserError(
            f"a reloadable design keeps its weights twice, for which {part} must have {ramb18} "
            f"{there.family.block_ram.name} and {lutram} LUTs as memory, not {there.ramb18} and "
            f"{there.lutram_luts}"
        )
    words, old = images["parameters"], design.parameter_bits
    images["parameters"] = _widened(words, geometry.ways, old, bits)
    return replace(
        design, geometry=geometry, parameter_bits=bits, stores=stores, images=images, banks=2
    )


def _widened(
    words: Sequence[int], ways: int, old: tuple[int, int], new: tuple[int, int]
) -> list[int]:
    """Return parameter words with wider fields: value and factor of each way, both signed."""
    widened = []
    for word in words:
        elements = []
        for way in range(ways):
            own = word >> way * sum(old)
            value, factor = signed_value(own, old[0]), signed_value(own >> old[0], old[1])
            elements.append(
                pack_elements([value], new[0]) | pack_elements([factor], new[1]) << new[0]
            )
        widened.append(pack_elements(elements, sum(new)))
    return widened


def _ends(model: ir.IntegerModel) -> tuple:
    """Return what the hardware of input and output is made for, besides the program."""
    subtraction, steps = model.subtraction, model.steps
    return (
        *((spec.shape, spec.bits) for spec in (model.input, model.output)),
        (subtraction.shift, steps.bits, steps.zero, steps.low) if subtraction else None,
        *(("unsigned",) if model.config.adc_words else ()),
        *model.config.calendar,
        *((model.results.shape, model.results.bits) if model.operations[-1].at_output else ()),
        *_judged(model),
    )


def _judged(model: ir.IntegerModel) -> tuple:
    """Return what the hardware of a detector is made for, besides widths; of others nothing."""
    judge = model.detector
    if judge is None:
        return ()
    return judge.shifts(model.tensors), model.results.zero, judge.smoothing, judge.absolute


def structure_hash(design: Design) -> bytes:
    """Return 4 bytes of SHA-256 over what a new model must not change."""
    stores = [(spec.name, spec.depth, spec.width) for spec in design.stores.values()]
    counts = [len(design.images[name]) for name in RELOADED if name in design.images]
    content = (
        design.program,
        design.geometry,
        sorted(design.packed.items()),
        design.parameter_bits,
        design.last_channel,
        stores,
        counts,
        _ends(design.model),
        *design.strides,
    )
    return hashlib.sha256(repr(content).encode()).digest()[:STRUCTURE_BYTES]


def new_images(
    design: Design,
    model: ir.IntegerModel,
    *,
    lanes: int | None = None,
    pack: bool = True,
) -> dict[str, list[int]]:
    """Return the words of ``model``'s weights, parameters and positions for a reloadable design.

    ``lanes`` and ``pack`` are those that the design was lowered with. Raises :class:`UserError`,
    in one sentence that names the first difference, for a model that needs other hardware.
    """
    if design.banks == 1:
        raise UserError("design must be reloadable to take new weights")
    shifts = {op.tensor: op.shift for op in design.program.operations}
    # columns of LUTs that were asked for are as many again
    soft = None if design.geometry.apart else design.geometry.weights.soft or None
    options: dict[str, Any] = {"lanes": lanes, "pack": pack, "soft": soft, **_OPTIONS}
    options |= {"rows": design.geometry.rows, "posts": design.geometry.posts}
    options |= {"order": design.schedule, "like": design.stores}
    other = lower(model, part=design.part, shifts=shifts, **options)
    _check_tensors(design.model, other.model)
    _check_program(design, other)
    _check_widths(design, other)
    words = dict(other.images)
    if model.decision is not None:
        words["margin"] = [model.decision.margin]
    if model.detector is not None:
        score = score_bits(model.detector, model, any_weights=True)
        words["judge_limits"] = [limits_word(model.detector, score)]
    images = {name: list(words[name]) for name in RELOADED if name in design.stores}
    if "parameters" in images:
        bits = other.parameter_bits, design.parameter_bits
        images["parameters"] = _widened(images["parameters"], design.geometry.ways, *bits)
    return images


def _keep(what: str, ours: object, theirs: object, why: str = "") -> None:
    if ours != theirs:
        raise UserError(f"new weights must keep {what} at {ours}{why}, not {theirs}")


def _check_tensors(ours: ir.IntegerModel, theirs: ir.IntegerModel) -> None:
    for field in ("task", "block", "pre_norm"):
        _keep(field, getattr(ours.config, field), getattr(theirs.config, field))
    if list(ours.tensors) != list(theirs.tensors):
        odd = sorted(set(ours.tensors) ^ set(theirs.tensors))
        raise UserError(f"new weights must be of a model of the same shape, and differ in {odd}")
    for name, spec in ours.tensors.items():
        for field in ("rows", "features", "bits", "zero", "narrow"):
            other = getattr(theirs.tensors[name], field)
            _keep(f"{field} of tensor {name}", getattr(spec, field), other)
    _keep("calendar", list(ours.config.calendar), list(theirs.config.calendar))
    if ours.config.adc_words != theirs.config.adc_words:
        raise UserError("new weights must keep whether words are those of an ADC, and do not")
    _keep("scales and smoothing of the flag", _judged(ours), _judged(theirs), _CONSTANT)
    a, b = ours.subtraction, theirs.subtraction
    if (a is None) != (b is None):
        raise UserError("new weights must keep whether the last step is subtracted, and do not")
    if a is not None and b is not None:
        _keep(f"shift of {a.y}", a.shift, b.shift, _CONSTANT)


def _check_program(design: Design, other: Design) -> None:
    ours, theirs = design.program.operations, other.program.operations
    if len(ours) != len(theirs):
        raise UserError(
            f"new weights must keep the program's {len(ours)} operations, not {len(theirs)}"
        )
    for a, b in zip(ours, theirs, strict=True):
        for name in (field.name for field in fields(MachineOperation)):
            _keep(f"{name} of {a.tensor}", getattr(a, name), getattr(b, name), _CONSTANT)
    if design.program.instructions != other.program.instructions:
        raise UserError("new weights must keep the program's rows and cycles, and do not")


def _check_widths(design: Design, other: Design) -> None:
    for name in (field.name for field in fields(Geometry)):
        ours, theirs = getattr(design.geometry, name), getattr(other.geometry, name)
        if name not in _WIDTHS:
            _keep(f"{name} of the hardware", ours, theirs)
        elif theirs > ours:
            raise UserError(
                f"new weights must keep {name} of the hardware at at most {ours}, not {theirs}"
            )
    if design.packed != other.packed:
        odd = sorted(n for n in design.packed if design.packed[n] != other.packed.get(n))
        raise UserError(
            f"new weights must let {', '.join(odd)} be packed as in the hardware, and do not"
        )
    kinds = zip(design.parameter_bits, other.parameter_bits, strict=True)
    for name, (ours, theirs) in zip(("biases and offsets", "multipliers"), kinds, strict=True):
        if theirs > ours:
            raise UserError(f"new weights must have {name} of at most {ours} bits, not {theirs}")
    if design.last_channel != other.last_channel:
        raise UserError("new weights must keep the channel whose last value is added, and do not")
