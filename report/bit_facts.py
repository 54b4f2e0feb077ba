"""Where a model's bits go, and what rounding does to each tensor, as a page shows them."""

import math
from typing import TYPE_CHECKING, Any

from bitformer.model.compression import published_ratio, stored_size
from bitformer.model.ir import IntegerModel

if TYPE_CHECKING:
    from bitformer.model.noise import Noise

__all__ = ["bit_facts", "noise_facts"]


def bit_facts(model: IntegerModel) -> dict[str, Any]:
    """Return the bits that each component stores, by what they hold, and its widths.

    Tables, which components share, are a row of their own, so that rows add up to the total.
    """
    size, config = stored_size(model), model.config
    weight_bits = {op.y: op.weight_bits for op in model.linears}
    found: dict[str, dict[str, Any]] = {}
    for op in model.operations:
        spec = model.tensors[op.y]
        row = found.setdefault(
            spec.component,
            {"name": spec.component, "weights": set(), "activations": set(), "bits": {}},
        )
        row["activations"].add(spec.bits)
        if op.y in weight_bits:
            row["weights"].add(weight_bits[op.y])
        for kind, count in op.stored_bits().items():
            row["bits"][kind] = row["bits"].get(kind, 0) + count
    rows = [
        {
            "name": row["name"],
            "weights": sorted(row["weights"]),
            "activations": sorted(row["activations"]),
            "bits": row["bits"],
            "total": sum(row["bits"].values()),
        }
        for row in found.values()
    ]
    rest = {
        kind: bits - sum(r["bits"].get(kind, 0) for r in rows) for kind, bits in size.bits.items()
    }
    rest = {kind: bits for kind, bits in rest.items() if bits}
    if rest:
        rows.append(
            {"name": "shared", "weights": [], "activations": [], "bits": rest}
            | {"total": sum(rest.values())}
        )
    return {
        "rows": rows,
        "kinds": [kind for kind, bits in size.bits.items() if bits],
        "total": size.total,
        "float": size.float_bits,
        "ratio": size.ratio,
        "published_ratio": published_ratio(config),
        "macs": config.macs,
    }


def noise_facts(noise: "Noise") -> dict[str, Any]:
    """Return the share of each tensor in what rounding changes, in the order of computation.

    Ratios in dB that are infinite, of tensors that are stored as they are, are None.
    """
    shares = noise.shares

    def finite(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) else None

    return {
        "sentence": f"{noise}",
        "windows": noise.windows,
        "float_mse": noise.mse,
        "integer_mse": noise.integer_mse,
        "worst": noise.worst.name,
        "tensors": [
            {
                "name": one.name,
                "component": one.component,
                "bits": one.bits,
                "own": finite(one.own),
                "total": finite(one.total),
                "trained": finite(one.trained),
                "clipped": one.clipped,
                "forecast": one.forecast,
                "share": shares[one.name],
            }
            for one in noise.tensors
        ],
    }
