"""The shape and precision of a Transformer, and the named configurations."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import UserError

__all__ = ["COMPONENTS", "NAMED_CONFIGS", "Precision", "TransformerConfig", "named_config"]

#: The published components, each with its own bitwidths.
COMPONENTS = (
    "Linput",
    "AddPE",
    "MHA",
    "AddMHA",
    "BNMHA",
    "FFN",
    "AddFFN",
    "BNFFN",
    "GAP",
    "Loutput",
)
_COUNTS = (
    *("window", "inputs", "horizon", "patch", "d_model", "layers", "heads", "ffn"),
    *("input_bits", "output_bits"),
)
WEIGHT_BITS = (2, 3, 4, 6, 8)
ACTIVATION_BITS = (4, 5, 6, 7, 8)


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bits of a component's weights and of the activations it produces."""

    weights: int
    activations: int

    def __post_init__(self):
        if self.weights not in WEIGHT_BITS:
            raise UserError(f"weights must be one of {WEIGHT_BITS} bits, not {self.weights}")
        if self.activations not in ACTIVATION_BITS:
            raise UserError(
                f"activations must be one of {ACTIVATION_BITS} bits, not {self.activations}"
            )


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """An encoder-only time-series Transformer.

    Parameters
    ----------
    window : steps of the input window.
    inputs : channels of a step.
    horizon : output values.
    patch : steps in a token; must divide ``window``.
    d_model, layers, heads, ffn : width, encoder layers, attention heads, hidden width of the FFN.
    norm : ``"batch"`` or ``"layer"``.
    pooling : ``"mean"`` over tokens or ``"flatten"``.
    position : ``"sinusoidal"`` or ``"learned"`` position table.
    subtract_last : subtract the window's last step before and add the target's back after.
    target_channel : channel of ``inputs`` that is added back.
    input_bits, output_bits : width of a sample and of a result.
    precision : bits per component; a missing component takes ``default``.
    """

    name: str
    window: int
    inputs: int = 1
    horizon: int = 1
    patch: int = 1
    d_model: int
    layers: int = 1
    heads: int = 1
    ffn: int
    norm: str = "layer"
    pooling: str = "flatten"
    position: str = "sinusoidal"
    subtract_last: bool = False
    target_channel: int = 0
    input_bits: int = 8
    output_bits: int = 8
    default: Precision = Precision(weights=8, activations=8)
    precision: Mapping[str, Precision] = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.name, str):
            raise UserError(f"name must be a string, not {self.name!r}")
        for name in _COUNTS:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be a positive integer, not {value!r}")
        for name, choices in (
            ("norm", ("batch", "layer")),
            ("pooling", ("mean", "flatten")),
            ("position", ("sinusoidal", "learned")),
            ("subtract_last", (False, True)),
        ):
            if getattr(self, name) not in choices:
                raise UserError(f"{name} must be one of {choices}, not {getattr(self, name)!r}")
        if self.window % self.patch:
            raise UserError(f"patch must divide window ({self.window}), not be {self.patch}")
        if self.d_model % self.heads:
            raise UserError(f"heads must divide d_model ({self.d_model}), not be {self.heads}")
        if self.subtract_last and not 0 <= self.target_channel < self.inputs:
            raise UserError(
                f"target_channel must be a channel below {self.inputs}, not {self.target_channel}"
            )
        if self.tokens > 256:
            raise UserError(f"window / patch must be at most 256 tokens, not {self.tokens}")
        if self.d_model > 256:
            raise UserError(f"d_model must be at most 256, not {self.d_model}")
        for name in ("input_bits", "output_bits"):
            if not 4 <= getattr(self, name) <= 12:
                raise UserError(f"{name} must be 4 to 12, not {getattr(self, name)}")
        for component in self.precision:
            if component not in COMPONENTS:
                raise UserError(
                    f"precision must name components of {COMPONENTS}, not {component!r}"
                )

    @property
    def tokens(self) -> int:
        """Rows that the encoder sees."""
        return self.window // self.patch

    @property
    def token_inputs(self) -> int:
        """Values in a token."""
        return self.patch * self.inputs

    @property
    def head_inputs(self) -> int:
        """Inputs of the output layer."""
        return self.d_model * (1 if self.pooling == "mean" else self.tokens)

    def bits(self, component: str) -> Precision:
        """The component's bitwidths."""
        return self.precision.get(component, self.default)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference (pooling not counted)."""
        n, d = self.tokens, self.d_model
        layer = 4 * n * d * d + 2 * n * n * d + 2 * n * d * self.ffn
        return n * self.token_inputs * d + self.layers * layer + self.head_inputs * self.horizon

    def replace(self, **changes) -> "TransformerConfig":
        """A copy with fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict:
        """As plain data, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> "TransformerConfig":
        """Inverse of :meth:`to_dict`; refuses unknown fields."""
        if not isinstance(data, Mapping):
            raise UserError(f"config must be an object, not {data!r}")
        known = {f.name for f in dataclasses.fields(cls)}
        for key in data:
            if key not in known:
                raise UserError(f"config has an unknown field {key!r}")
        try:
            fields = dict(data)
            if "default" in fields:
                fields["default"] = Precision(**fields["default"])
            if "precision" in fields:
                fields["precision"] = {k: Precision(**v) for k, v in fields["precision"].items()}
            return cls(**fields)
        except (TypeError, AttributeError) as error:
            raise UserError(f"config is incomplete or malformed: {error}") from None


def grid_config(window: int, d_model: int, bits: int) -> TransformerConfig:
    """The published family: 7 inputs, 1 output, one layer, one head, BatchNorm, mean over time."""
    return TransformerConfig(
        name=f"grid-{window}-{d_model}-{bits}",
        window=window,
        inputs=7,
        horizon=1,
        d_model=d_model,
        ffn=4 * d_model,
        norm="batch",
        pooling="mean",
        input_bits=bits,
        output_bits=bits,
        default=Precision(weights=bits, activations=bits),
    )


_W4A8 = Precision(weights=4, activations=8)

#: Configurations by name; ``grid-N-D-B`` is made on demand by :func:`named_config`.
NAMED_CONFIGS = {
    "tiny": TransformerConfig(
        name="tiny",
        window=24,
        horizon=6,
        patch=4,
        d_model=8,
        heads=2,
        ffn=16,
        subtract_last=True,
        default=_W4A8,
    ),
    "etth1-96-24": TransformerConfig(
        name="etth1-96-24",
        window=96,
        horizon=24,
        patch=8,
        d_model=16,
        heads=2,
        ffn=32,
        subtract_last=True,
        default=_W4A8,
        input_bits=10,
        output_bits=10,
    ),
}
NAMED_CONFIGS["etth1-48-24"] = NAMED_CONFIGS["etth1-96-24"].replace(
    name="etth1-48-24", window=48, patch=4
)


def named_config(name: str) -> TransformerConfig:
    """The configuration called ``name``: a key of ``NAMED_CONFIGS`` or ``grid-N-D-B``."""
    if name in NAMED_CONFIGS:
        return NAMED_CONFIGS[name]
    match = re.fullmatch(r"grid-(\d+)-(\d+)-(\d+)", name)
    if match:
        return grid_config(*map(int, match.groups()))
    known = ", ".join(NAMED_CONFIGS)
    raise UserError(f"config must be one of {known} or grid-N-D-B, not {name!r}")
