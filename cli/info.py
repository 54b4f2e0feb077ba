"""``bitformer info``: what a model file holds."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bitformer.cli.options import model_argument
from bitformer.cli.report import Report, json_option
from bitformer.model.precision import UNIFORM

if TYPE_CHECKING:
    from bitformer.model.config import TransformerConfig
    from bitformer.model.ir import IntegerModel

__all__ = ["command"]


def _operations(model: "IntegerModel") -> list[dict]:
    rows, widths = [], {op.y: op.weight_bits for op in model.linears}
    calendar = model.config.calendar
    tables = {op.y: calendar[op.clock] for op in model.linears if op.clock is not None}
    schemes = model.weight_schemes
    for op in model.operations:
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
                "weight_bits": widths.get(op.y),
                "weight_scheme": schemes.get(op.y),
                "reads": list(op.reads),
                "calendar": tables.get(op.y),
                "parameters": op.parameter_count,
                "parameter_bits": sum(op.stored_bits().values()),
            }
        )
    return rows


def _outputs(config: "TransformerConfig") -> str:
    """Return what comes out, in words."""
    called = {"classify": "classes", "detect": "judged number(s)"}.get(config.task, "output(s)")
    each = f" for each of {config.targets} targets" if config.targets > 1 else ""
    return f"{config.horizon} {called}{each}"


@click.command("info")
@model_argument
@json_option
def command(model: Path, report: Report) -> None:
    """Show what MODEL holds: configuration, operations, bits, size, and how it was trained.

    \b
    bitformer info runs/demo/model.safetensors
    bitformer info runs/demo/model.safetensors --json
    """
    from bitformer.model.calendar import ROWS
    from bitformer.model.checkpoint import read_model
    from bitformer.model.compression import published_ratio, stored_size
    from bitformer.model.forecasts.answer import Answer
    from bitformer.model.forecasts.classes import REJECTED, class_names
    from bitformer.model.identity import model_hash

    loaded, digest = read_model(model)
    config, rows = loaded.config, _operations(loaded)
    size, published = stored_size(loaded), published_ratio(config)
    parameters = sum(row["parameters"] for row in rows)
    report.line(f"{model}: {config.name}")
    report.line(
        f"  {config.window} steps of {config.inputs} input(s) in {config.tokens} tokens,"
        f" {_outputs(config)}; width {config.d_model}, {_stack(config)},"
        f" {_tokens(config)}{_network(config)}"
    )
    if loaded.decision is not None:
        margin = loaded.decision.margin
        told = f", or {REJECTED} below a lead of {margin} steps of a score" if margin else ""
        report.line(f"  answers with a class: {', '.join(class_names(loaded))}{told}")
    else:
        for sentence in Answer.of(loaded).sentences:
            report.line(f"  {sentence[0].lower()}{sentence[1:]}")
    if config.calendar:
        names = [f"{name} (0 to {ROWS[name] - 1})" for name in config.calendar]
        report.line(
            f"  calendar: {' and '.join(names)} of the last step, behind the window in"
            f" {config.clock_rows} step(s) of {config.inputs}"
        )
    report.line(f"  {parameters} parameters, {config.macs} MACs an inference")
    kinds = ", ".join(f"{kind} {bits}" for kind, bits in size.bits.items())
    report.line(
        f"  {size.total} bits stored ({kinds}): {size.ratio:.2f} times smaller than float32;"
        f" {published:.2f} times counted as published, linear layers at nominal widths"
    )
    report.table(
        ("output", "operation", "component", "shape", "bits", "scale", "weights", "values"),
        (
            (
                row["output"],
                row["operation"],
                row["component"],
                f"{row['rows']}x{row['features']}",
                row["bits"],
                f"2^{row['exponent']}",
                _weights(row["weight_bits"], row["weight_scheme"]),
                row["parameters"] or "",
            )
            for row in rows
        ),
        words=3,
    )
    if any(row["weight_scheme"] not in (None, UNIFORM) for row in rows):
        report.line("p: weights are 0 and powers of two, with any sign")
    report.line(f"hash of what it computes, as hardware has it: {model_hash(loaded).hex()}")
    report.line(f"SHA-256 of all that is in the file: {digest}")
    for name, value in loaded.meta.items():
        report.line(f"{name}: {_plain(value)}")
    report.data(
        {
            "model": str(model),
            "config": config.to_dict(),
            "tensors": [vars(spec) for spec in loaded.tensors.values()],
            "operations": rows,
            "parameters": parameters,
            "size_bits": size.total,
            "stored_bits": size.bits,
            "float_bits": size.float_bits,
            "compression": size.ratio,
            "compression_published": published,
            "macs": config.macs,
            "model_hash": model_hash(loaded).hex(),
            "digest": digest,
            "answer": Answer.of(loaded).to_dict(),
            "meta": dict(loaded.meta),
        }
    )


def _weights(bits: int | None, scheme: str | None) -> str:
    """Return bits and scheme of an operation's weights, in words."""
    if bits is None:
        return ""
    return f"{bits} bits" if scheme == UNIFORM else f"{bits}p bits"


def _stack(config: "TransformerConfig") -> str:
    """Layers and what follows them, in words."""
    if config.decoder_layers:
        return f"{config.layers} encoder and {config.decoder_layers} decoder layer(s)"
    return f"{config.layers} layer(s) and a {config.pooling} head"


def _tokens(config: "TransformerConfig") -> str:
    """Say in words what each layer has over tokens: nothing in an MLP."""
    heads = "1 head with a fused weight, " if config.fused else f"{config.heads} head(s), "
    said = {"attention": heads, "mixer": f"mixer {config.token_ffn}, "}
    return said.get(config.block, "")


def _network(config: "TransformerConfig") -> str:
    """Say in words what the feed-forward network is, and where rows are normalised."""
    function = "" if config.activation == "relu" else f" with {config.activation.upper()}"
    where = " before each sublayer" if config.pre_norm else ""
    return f"FFN {config.ffn}{function}, {config.norm} norm{where}"


def _plain(value: object) -> str:
    """Return plain data as people read them: names and numbers, groups apart from each other."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if item is not None}
        texts = {key: _plain(item) for key, item in kept.items()}
        inner = {key: f"({texts[key]})" for key, item in kept.items() if isinstance(item, dict)}
        return ", ".join(f"{key} {text}" for key, text in (texts | inner).items())
    if isinstance(value, list):
        apart = "; " if any(isinstance(one, dict) for one in value) else " "
        return apart.join(map(_plain, value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)
