"""What designs were measured: how large, and of which kinds, so that others can be told apart."""

from collections.abc import Mapping, Sequence

__all__ = ["measured_range", "outside"]

#: What a design is by its quantities, in words: of some there can be too many for an estimate.
_SIZES = {
    "rows": "token rows",
    "posts": "post-processors",
    "columns": "columns",
    "soft_columns": "columns of LUTs",
    "operand_bits": "bits of an activation",
    "accumulator_bits": "bits of an accumulator",
    "norm_width": "bits of a variance",
    "constants": "bits of operations' constants",
    "program_words": "words of the program",
    "weight_words": "words of weights",
    "ram_luts": "LUTs as memory of stores",
    "rom_luts": "LUTs as tables of stores",
    "window_bits": "bits of a window's addresses",
    "channels": "inputs",
}
#: What it may be beside, which has no size.
_KINDS = {
    "steps": "a stream",
    "clocks": "tables of the time",
    "broad_columns": "columns of LUTs for single weights",
    "gelu_luts": "GELU",
    "decision_luts": "a decision",
    "layer_norm": "LayerNorm",
    "score_rows": "attention",
    "wide": "wide sums",
}
#: Beyond what was measured by so much, an estimate is still one of the kind.
_NEAR = 1.1


def measured_range(designs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Return the least and the most of each quantity that designs have."""
    found = {}
    for name in (*_SIZES, *_KINDS):
        values = [one.get(name, 0) for one in designs]
        found[name] = (min(values), max(values))
    return found


def outside(q: Mapping[str, float], measured: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Return what a design with quantities ``q`` has that no measured one has, in words."""
    found = [
        f"{q.get(name, 0):.0f} {words} (measured: {measured[name][0]:.0f} to"
        f" {measured[name][1]:.0f})"
        for name, words in _SIZES.items()
        if not measured[name][0] / _NEAR <= q.get(name, 0) <= measured[name][1] * _NEAR
    ]
    kinds = [words for name, words in _KINDS.items() if q.get(name, 0) and not measured[name][1]]
    return (*found, *kinds)
