"""``bitformer info``: what a model file holds."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import model_argument
from .report import Report, json_option

if TYPE_CHECKING:
    from bitformer.model.ir import IntegerModel, Operation

__all__ = ["command"]


def _integers(op: "Operation") -> tuple[int, int]:
    """How many parameters an operation holds, and the bits of all its integers.

    Weights have their own bits, vectors are as narrow as they can be. A linear layer's multipliers
    take space and are no parameters: they follow from the scales.
    """
    import numpy as np

    count = bits = 0
    for name, value in vars(op).items():
        if not isinstance(value, np.ndarray):
            continue
        width = int(np.maximum(value, ~value).max()).bit_length() + 1
        count += 0 if name == "multiplier" and hasattr(op, "weight") else value.size
        bits += value.size * (getattr(op, "weight_bits", width) if name == "weight" else width)
    return count, bits


def _operations(model: "IntegerModel") -> list[dict]:
    rows = []
    for op in model.operations:
        count, bits = _integers(op)
        spec = model.tensors[op.y]
        rows.append(
            {
                "operation": type(op).__name__,
                "output": op.y,
                "component": spec.component,
                "rows": spec.rows,
                "features": spec.features,
                "bits": spec.bits,
                "exponent": spec.exponent,
                "zero": spec.zero,
                "weight_bits": getattr(op, "weight_bits", None),
                "reads": list(op.reads),
                "parameters": count,
                "parameter_bits": bits,
            }
        )
    return rows


@click.command("info")
@model_argument
@json_option
def command(model: Path, report: Report) -> None:
    """Show what MODEL holds: configuration, operations, bits, size, and how it was trained.

    \b
    bitformer info runs/demo/model.safetensors
    bitformer info runs/demo/model.safetensors --json
    """
    from bitformer.model.checkpoint import load_model

    loaded = load_model(model)
    config, rows = loaded.config, _operations(loaded)
    tables = {
        name: (loaded.tensors[name].bits, array.size) for name, array in loaded.constants.items()
    }
    parameters = sum(row["parameters"] for row in rows)
    bits = sum(row["parameter_bits"] for row in rows) + sum(b * n for b, n in tables.values())
    report.line(f"{model}: {config.name}")
    report.line(
        f"  {config.window} steps of {config.inputs} input(s) in {config.tokens} tokens,"
        f" {config.horizon} output(s); width {config.d_model}, {config.layers} layer(s),"
        f" {config.heads} head(s), FFN {config.ffn}, {config.norm} norm, {config.pooling} head"
    )
    report.line(f"  {parameters} parameters in {bits} bits, {config.macs} MACs an inference")
    report.table(
        ("output", "operation", "component", "shape", "bits", "exponent", "weights", "parameters"),
        (
            (
                row["output"],
                row["operation"],
                row["component"],
                f"{row['rows']} x {row['features']}",
                row["bits"],
                row["exponent"],
                f"{row['weight_bits']} bits" if row["weight_bits"] else "",
                row["parameters"] or "",
            )
            for row in rows
        ),
        words=3,
    )
    for name, value in loaded.meta.items():
        report.line(f"{name}: {_plain(value)}")
    report.data(
        {
            "model": str(model),
            "config": config.to_dict(),
            "tensors": [vars(spec) for spec in loaded.tensors.values()],
            "operations": rows,
            "parameters": parameters,
            "size_bits": bits,
            "macs": config.macs,
            "meta": dict(loaded.meta),
        }
    )


def _plain(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{key} {_number(item)}" for key, item in value.items() if item is not None)


def _number(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(_number, value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)
