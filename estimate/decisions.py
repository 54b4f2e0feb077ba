"""What a decision behind the results takes: it is counted, not fitted.

The formulas follow what Yosys makes of designs with a decision and without, docs/accelerator.md:
within 65 LUTs, by which the rest of a design varies too, and 20 flip-flops.
"""

from bitformer.hw.design import Design
from bitformer.hw.judging import level_bits, score_bits, weight_bits

__all__ = ["decision_quantities"]


def decision_quantities(design: Design) -> dict[str, int]:
    """Return ``decision_luts`` and ``decision_ffs``, memories left out; nothing without one."""
    model, loaded = design.model, design.banks > 1
    bits, count = model.results.bits, model.results.size
    if model.decision is not None:
        # the largest with its number; beside it the second, and the lead
        both = 1 if not model.decision.margin and not loaded else 2
        number = (count - 1).bit_length()
        return {
            "decision_luts": 2 * bits * both,
            "decision_ffs": bits + 3 * number + 2 + 2 * bits * (both - 1),
        }
    if (judge := model.detector) is not None:
        level = level_bits(judge, model)
        weight = weight_bits(judge, any_weights=loaded)
        score = score_bits(judge, model, any_weights=loaded)
        return {
            "decision_luts": 7 * level + 8 * weight + score,
            "decision_ffs": 7 * level + 8 * weight + score + 7 * (count - 1).bit_length() + 80,
        }
    return {}
