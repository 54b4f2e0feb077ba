"""The parts of a Transformer by name: what has weights, what is stored, and whose bits they take.

The names are those of parameters, of tensors and of everything derived from them:

    input  position  layers.L.{q,k,v,o,ffn1,ffn2,norm1,norm2}  output
    decoder.input  decoder.position  decoder.layers.L.{q,k,v,o,cross.{q,k,v,o},ffn1,ffn2,norm1..3}
"""

from dataclasses import dataclass

from bitformer.model.shape import Shape

__all__ = [
    "Sublayer",
    "decoder_sublayers",
    "encoder_sublayers",
    "linear_shapes",
    "norms",
    "only_linear_reads",
    "sublayers",
    "tensor_components",
    "weight_components",
]


@dataclass(frozen=True, kw_only=True)
class Sublayer:
    """One attention or feed-forward network with its residual and norm.

    ``prefix`` : of its own names. ``add``, ``norm`` : names of the tensors it ends in.
    ``components`` : of the sublayer, of its residual sum and of its norm.
    ``rows``, ``keys`` : rows it works on and rows it attends to. ``attention`` : or an FFN.
    ``cross`` : keys and values come from the encoder. ``causal`` : row i attends to rows 0..i.
    """

    prefix: str
    add: str
    norm: str
    components: tuple[str, str, str]
    rows: int
    keys: int = 0
    attention: bool = True
    cross: bool = False
    causal: bool = False

    @property
    def layers(self) -> tuple[str, ...]:
        """Its linear layers, in the order in which they are computed."""
        return tuple(self.prefix + name for name in ("kvqo" if self.attention else _FFN))

    @property
    def tensors(self) -> tuple[str, ...]:
        """What it stores before its residual sum."""
        names = ("q", "k", "v", "scores", "context") if self.attention else ("hidden",)
        return tuple(self.prefix + name for name in names)


_FFN = ("ffn1", "ffn2")


def encoder_sublayers(shape: Shape) -> list[Sublayer]:
    """Sublayers of the encoder in the order in which they are computed."""
    sublayers = []
    n = shape.tokens
    for layer in range(shape.layers):
        p = f"layers.{layer}."
        attention, ffn = ("MHA", "AddMHA", "BNMHA"), ("FFN", "AddFFN", "BNFFN")
        sublayers += [
            Sublayer(
                prefix=p, add=p + "add1", norm=p + "norm1", components=attention, rows=n, keys=n
            ),
            Sublayer(
                prefix=p,
                add=p + "add2",
                norm=p + "norm2",
                components=ffn,
                rows=n,
                attention=False,
            ),
        ]
    return sublayers


def decoder_sublayers(shape: Shape) -> list[Sublayer]:
    """Sublayers of the decoder in the order in which they are computed."""
    sublayers = []
    n, m = shape.tokens, shape.decoder_tokens
    for layer in range(shape.decoder_layers):
        p = f"decoder.layers.{layer}."
        sublayers += [
            Sublayer(
                prefix=p,
                add=p + "add1",
                norm=p + "norm1",
                components=("DMHA", "DAddMHA", "DBNMHA"),
                rows=m,
                keys=m,
                causal=True,
            ),
            Sublayer(
                prefix=p + "cross.",
                add=p + "add2",
                norm=p + "norm2",
                components=("CMHA", "AddCMHA", "BNCMHA"),
                rows=m,
                keys=n,
                cross=True,
            ),
            Sublayer(
                prefix=p,
                add=p + "add3",
                norm=p + "norm3",
                components=("DFFN", "DAddFFN", "DBNFFN"),
                rows=m,
                attention=False,
            ),
        ]
    return sublayers


def sublayers(shape: Shape) -> list[Sublayer]:
    """All sublayers in the order in which they are computed."""
    return encoder_sublayers(shape) + decoder_sublayers(shape)


def weight_components(shape: Shape) -> dict[str, str]:
    """Component of every linear layer, by the layer's name."""
    components = {"input": "Linput"}
    if shape.decoder_layers:
        components["decoder.input"] = "Dinput"
    for sublayer in sublayers(shape):
        components |= dict.fromkeys(sublayer.layers, sublayer.components[0])
    return components | {"output": "Loutput"}


def linear_shapes(shape: Shape) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of every linear layer, by name."""
    d, f = shape.d_model, shape.ffn
    shapes = {}
    for name in weight_components(shape):
        kind = name.rpartition(".")[2]
        shapes[name] = {"ffn1": (f, d), "ffn2": (d, f)}.get(kind, (d, d))
        if kind == "input":
            shapes[name] = (d, shape.token_inputs)
    shapes["output"] = (shape.horizon // shape.decoder_tokens, shape.head_inputs)
    return shapes


def norms(shape: Shape) -> dict[str, str]:
    """Component of every norm, by the name of the tensor it writes."""
    return {sublayer.norm: sublayer.components[2] for sublayer in sublayers(shape)}


def tensor_components(shape: Shape) -> dict[str, str]:
    """Component of every stored tensor, in order of computation."""
    components = {"input": "Linput"}
    if shape.subtract_last:
        components["delta"] = "Linput"
    components |= dict.fromkeys(("position", "embedding"), "AddPE")
    if shape.decoder_layers:
        components |= dict.fromkeys(("decoder.position", "decoder.embedding"), "DAddPE")
    for sublayer in sublayers(shape):
        component, add, norm = sublayer.components
        components |= dict.fromkeys(sublayer.tensors, component)
        components |= {sublayer.add: add, sublayer.norm: norm}
    if shape.pooling == "mean":
        components["pooled"] = "GAP"
    return components | {"output": "Loutput"}


def only_linear_reads(shape: Shape) -> frozenset[str]:
    """Tensors that nothing but linear layers reads: those may have a zero point.

    The last norm of a stack is one of them, unless it is pooled.
    """
    names = {sublayer.prefix + "context" for sublayer in sublayers(shape) if sublayer.attention}
    names |= {sublayer.prefix + "hidden" for sublayer in sublayers(shape) if not sublayer.attention}
    if shape.subtract_last:
        names.add("delta")
    names.add("pooled" if shape.pooling == "mean" else encoder_sublayers(shape)[-1].norm)
    if shape.decoder_layers:
        names.add(decoder_sublayers(shape)[-1].norm)
    return frozenset(names)
