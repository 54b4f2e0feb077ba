"""A Transformer as a list of layers: what each computes, from what, and whose bits it takes.

The names are those of parameters, of tensors and of everything derived from them:

    input  position  layers.L.{q,k,v,o,ffn1,ffn2,norm1,norm2}  output
    layers.L.{mix1,mix2,o,ffn1,ffn2,norm1,norm2} where tokens are mixed, {ffn1,ffn2,norm2} in an MLP
    norm, behind the last layer, where rows are normalised once more
    decoder.input  decoder.position  decoder.layers.L.{q,k,v,o,cross.{q,k,v,o},ffn1,ffn2,norm1..3}
"""

import functools
from dataclasses import replace

from bitformer.model.calendar import ROWS
from bitformer.model.layer import Kind, Layer
from bitformer.model.shape import Shape

__all__ = [
    "Layer",
    "clocks",
    "distances",
    "fixed_scales",
    "free_zero_points",
    "graph",
    "linear_shapes",
    "logits",
    "norms",
    "tensor_components",
    "weight_components",
    "weight_like",
]


#: Components of a sublayer's residual sum and of its norm, by that of its weights.
_ENDS = {
    "MHA": ("AddMHA", "BNMHA"),
    "FFN": ("AddFFN", "BNFFN"),
    "DMHA": ("DAddMHA", "DBNMHA"),
    "CMHA": ("AddCMHA", "BNCMHA"),
    "DFFN": ("DAddFFN", "DBNFFN"),
}


def graph(shape: Shape) -> tuple[Layer, ...]:
    """Return the layers in the order in which they are computed."""
    return _graph(Shape(**{name: getattr(shape, name) for name in Shape.__dataclass_fields__}))


@functools.lru_cache(maxsize=64)
def _graph(shape: Shape) -> tuple[Layer, ...]:
    window, one = (shape.rows_seen, shape.inputs), (1, shape.d_model)
    found, steps, classifies = [], "input", shape.task == "classify"
    if shape.subtract_last:
        steps = "delta"
        kind: Kind = "subtract_preceding" if shape.stream else "subtract_last"
        found += [Layer(kind=kind, y=steps, x=("input",), shape=window, component="Linput")]
    found += _embedding(shape, "", steps, shape.tokens_seen, "Linput", "AddPE")
    for n in range(shape.layers):
        p = f"layers.{n}."
        if shape.block == "attention":
            found += _attention(shape, p, found[-1], found[-1], f"{p}add1", f"{p}norm1", "MHA")
        if shape.block == "mixer":
            found += _mixer(shape, p, found[-1], f"{p}add1", f"{p}norm1", "MHA")
        found += _ffn(shape, p, found[-1], f"{p}add2", f"{p}norm2", "FFN")
    if shape.final_norm:
        found += [_norm(found[-1], "norm", "FFN")]
    if shape.decoder_layers:
        encoded, rows = found[-1], shape.decoder_tokens
        found += _embedding(shape, "decoder.", steps, rows, "Dinput", "DAddPE")
    for n in range(shape.decoder_layers):
        p = f"decoder.layers.{n}."
        found += _attention(shape, p, found[-1], found[-1], f"{p}add1", f"{p}norm1", "DMHA")
        cross = p + "cross."
        found += _attention(shape, cross, found[-1], encoded, f"{p}add2", f"{p}norm2", "CMHA")
        found += _ffn(shape, p, found[-1], f"{p}add3", f"{p}norm3", "DFFN")
    if shape.pooling == "mean":
        x = (found[-1].y,)
        newest = shape.tokens if shape.stream else 0
        found += [Layer(kind="pool", y="pooled", x=x, shape=one, component="GAP", newest=newest)]
    rows = shape.decoder_tokens
    size = shape.targets * rows, shape.horizon // rows
    adds_last = shape.subtract_last and not classifies
    residual = "input" if adds_last else None
    head = _head(shape, found[-1], size)
    if shape.linear_path:
        path = _linear_path(shape, steps, residual)
        found, residual, head = [*found, path], path.y, replace(head, dropout="inputs")
    head = replace(head, residual=residual, parts=shape.targets)
    numbers = _clock_numbers(shape)
    return tuple(replace(one, clock=numbers.get(one.weights)) for one in (*found, head))


def _clock_numbers(shape: Shape) -> dict[str, int]:
    """Return the number of the time that layers have a table for, by the name of their weights.

    The hour is added to the tokens and to the forecast. The day of the week is added to the
    forecast by the linear path, and to the tokens by the first sublayer, so that no layer has two.
    """
    first = "layers.0.ffn2" if shape.block == "mlp" else "layers.0.o"
    tables = {"hour": ["input", "output"], "weekday": [first]}
    if shape.linear_path:
        tables["weekday"].append("path")
    return {layer: number for number, name in enumerate(shape.calendar) for layer in tables[name]}


def _head(shape: Shape, x: Layer, size: tuple[int, int]) -> Layer:
    """Return the last layer, which reads ``x`` or, of a stream or where it is asked, its end."""
    head = replace(_linear("output", "output", x, size, "Loutput"), inputs=shape.head_inputs)
    if shape.pooling == "last":
        return replace(head, start=(x.shape[0] - 1) * x.shape[1])
    if shape.stream and shape.pooling == "flatten":
        start = (x.shape[0] - shape.tokens) * x.shape[1]
        return replace(head, start=start, newest=shape.tokens)
    return head


def _linear_path(shape: Shape, steps: str, residual: str | None) -> Layer:
    """Return the layer from the whole window straight to the forecast."""
    return Layer(
        kind="linear",
        y="path",
        x=(steps,),
        shape=(shape.targets, shape.horizon),
        parts=shape.targets,
        component="Lpath",
        weights="path",
        inputs=shape.window * shape.inputs,
        owner="Lpath",
        start=(shape.rows_seen - shape.window) * shape.inputs,
        newest=shape.window if shape.stream else 0,
        residual=residual,
    )


def _linear(weights: str, y: str, x: Layer, shape: tuple[int, int], owner: str) -> Layer:
    return Layer(
        kind="linear",
        y=y,
        x=(x.y,),
        shape=shape,
        component=owner,
        weights=weights,
        inputs=x.shape[1],
        owner=owner,
    )


def _embedding(
    shape: Shape, prefix: str, steps: str, rows: int, owner: str, component: str
) -> list[Layer]:
    """Return a table of positions, and the tokens of the last steps with positions added.

    Where positions are relative, there is no table.
    """
    size, inputs = (rows, shape.d_model), shape.token_inputs
    position = Layer(kind="position", y=prefix + "position", x=(), shape=size, component=component)
    has_table, step = shape.position != "relative", shape.patch_stride * shape.inputs
    tokens = Layer(
        kind="linear",
        y=prefix + "embedding",
        x=(steps,),
        shape=size,
        component=component,
        weights=prefix + "input",
        inputs=inputs,
        owner=owner,
        start=shape.rows_seen * shape.inputs - inputs - (rows - 1) * (step or inputs),
        step=step,
        residual=position.y if has_table else None,
    )
    return [position, tokens] if has_table else [tokens]


def _attention(
    shape: Shape, p: str, x: Layer, source: Layer, add: str, norm: str, owner: str
) -> list[Layer]:
    """Return attention of ``x`` to ``source``, with its residual and norm."""
    before, rows = _start(shape, x, norm, owner)
    others = rows if source is x else source
    q, k, v = (
        _linear(p + name, p + name, read, read.shape, owner)
        for name, read in (("q", rows), ("k", others), ("v", others))
    )
    if shape.fused:
        k = Layer(kind="copy", y=k.y, x=k.x, shape=k.shape, component=owner)
    scores = Layer(
        kind="scores",
        y=p + "scores",
        x=(q.y, k.y),
        shape=(x.shape[0] * shape.heads, source.shape[0]),
        component=owner,
        causal=owner == "DMHA" or (owner == "MHA" and shape.causal),
        reach=shape.tokens if shape.stream else 0,
        distances=shape.tokens if shape.stream else 0,
    )
    context = Layer(
        kind="attend",
        y=p + "context",
        x=(scores.y, v.y),
        shape=x.shape,
        component=owner,
        causal=scores.causal,
        reach=scores.reach,
    )
    end = _end(shape, p + "o", context, x, add, norm, owner)
    return [*before, k, v, q, scores, context, *end]


def _transposed(weights: str, y: str, x: Layer, features: int, owner: str) -> Layer:
    """Return a linear layer on the columns of ``x``, with a row of results for each."""
    layer = _linear(weights, y, x, (x.shape[1], features), owner)
    return replace(layer, inputs=x.shape[0], transposed=True)


def _mixer(shape: Shape, p: str, x: Layer, add: str, norm: str, owner: str) -> list[Layer]:
    """Return a network over the tokens of each feature, with an output layer over features.

    A feature of all tokens is a row until the output layer, which reads columns again.
    """
    before, rows = _start(shape, x, norm, owner)
    hidden = _transposed(p + "mix1", p + "mix1", rows, shape.token_ffn, owner)
    mixed = _linear(p + "mix2", p + "mix2", hidden, rows.shape[::-1], owner)
    last, *after = _end(shape, p + "o", mixed, x, add, norm, owner)
    last = replace(last, inputs=mixed.shape[0], transposed=True)
    return [*before, replace(hidden, nonlinearity=shape.nonlinearity), mixed, last, *after]


def _ffn(shape: Shape, p: str, x: Layer, add: str, norm: str, owner: str) -> list[Layer]:
    """Return a feed-forward network with its residual and norm."""
    before, rows = _start(shape, x, norm, owner)
    hidden = _linear(p + "ffn1", p + "hidden", rows, (x.shape[0], shape.ffn), owner)
    return [
        *before,
        replace(hidden, nonlinearity=shape.nonlinearity),
        *_end(shape, p + "ffn2", hidden, x, add, norm, owner),
    ]


def _norm(x: Layer, norm: str, owner: str) -> Layer:
    return Layer(kind="norm", y=norm, x=(x.y,), shape=x.shape, component=_ENDS[owner][1])


def _start(shape: Shape, x: Layer, norm: str, owner: str) -> tuple[list[Layer], Layer]:
    """Return what comes before a sublayer on ``x``, and the rows that it reads."""
    before = [_norm(x, norm, owner)] if shape.pre_norm else []
    return before, [x, *before][-1]


def _end(
    shape: Shape, weights: str, x: Layer, residual: Layer, add: str, norm: str, owner: str
) -> list[Layer]:
    """Return a sublayer's last linear layer, which adds ``residual``, and what comes after it."""
    last = _linear(weights, add, x, residual.shape, owner)
    last = replace(last, component=_ENDS[owner][0], residual=residual.y, dropout="results")
    return [last] if shape.pre_norm else [last, _norm(last, norm, owner)]


def _linears(shape: Shape) -> list[Layer]:
    """Return the linear layers, those of the tokens first."""
    found = [layer for layer in graph(shape) if layer.kind == "linear"]
    return sorted(found, key=lambda layer: not layer.y.endswith("embedding"))


def weight_components(shape: Shape) -> dict[str, str]:
    """Return the component of every linear layer, by the name of its weights."""
    return {layer.weights: layer.owner for layer in _linears(shape)}


def linear_shapes(shape: Shape) -> dict[str, tuple[int, int]]:
    """Return (outputs, inputs) of every linear layer, by the name of its weights."""
    return {
        layer.weights: (layer.parts * layer.shape[1], layer.inputs) for layer in _linears(shape)
    }


def clocks(shape: Shape) -> dict[str, tuple[int, int]]:
    """Return (number of the time, rows of the table) of each layer with one, by its weights."""
    return {
        layer.weights: (layer.clock, ROWS[shape.calendar[layer.clock]])
        for layer in _linears(shape)
        if layer.clock is not None
    }


def distances(shape: Shape) -> dict[str, tuple[int, int]]:
    """Return (heads, distances) of each attention with a bias for each, by its logits' tensor."""
    return {one.y: (shape.heads, one.distances) for one in graph(shape) if one.distances}


def norms(shape: Shape) -> dict[str, str]:
    """Return the component of every norm, by the name of the tensor it writes."""
    return {layer.y: layer.component for layer in graph(shape) if layer.kind == "norm"}


def tensor_components(shape: Shape) -> dict[str, str]:
    """Return the component of every stored tensor.

    Their order is that of a model's file and of the scales in a training's state: the tokens and
    positions first, queries before keys and values.
    """
    found = {layer.y: layer.component for layer in graph(shape)}
    first = [y for y in found if y.rpartition(".")[2] in ("delta", "position", "embedding")]
    order = dict.fromkeys(first)
    for y in found:
        if y.endswith(".k"):
            order[y.removesuffix("k") + "q"] = None
        order[y] = None
    return {"input": "Linput"} | {y: found[y] for y in order}


def logits(shape: Shape) -> frozenset[str]:
    """Return the tensors of softmax logits, whose bits and scale are always the same."""
    return frozenset(layer.y for layer in graph(shape) if layer.kind == "scores")


def fixed_scales(shape: Shape) -> frozenset[str]:
    """Return the tensors whose scale follows from their bits: logits, and what a table makes."""
    functions = {layer.y: layer.nonlinearity for layer in graph(shape)}
    return logits(shape) | {y for y, one in functions.items() if one and one.exponent}


def weight_like(shape: Shape) -> frozenset[str]:
    """Return the tensors that act as weights: keys, values, and pooled rows."""
    layers = [layer for layer in graph(shape) if layer.kind in ("scores", "attend", "pool")]
    return frozenset(layer.x[-1] for layer in layers)


def free_zero_points(shape: Shape) -> frozenset[str]:
    """Return the tensors whose zero point may be chosen.

    Nothing but linear layers reads them, and no nonlinearity decides what their zero point is.
    """
    layers = graph(shape)
    linear = {x for layer in layers if layer.kind == "linear" for x in layer.x}
    others = {x for layer in layers if layer.kind != "linear" for x in layer.x}
    others |= {layer.y for layer in layers if layer.nonlinearity}
    return frozenset(linear - others - {layer.residual for layer in layers} - {"input"})
