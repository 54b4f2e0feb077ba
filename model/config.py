"""The shape and precision of a Transformer, and the named configurations."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitformer.model.alike import none_of
from bitformer.model.errors import UserError
from bitformer.model.names import check_name
from bitformer.model.plain import built
from bitformer.model.precision import (
    FLOAT_BITS,
    PATH_BITS,
    PATH_COMPONENTS,
    UNIFORM,
    Precision,
    check_activation_bits,
    check_weight_bits,
    has_powers,
    keep_precise,
)
from bitformer.model.ready.library import ready_card, ready_names
from bitformer.model.shape import Shape, check_choices, check_positive
from bitformer.model.sizes import check_sizes
from bitformer.model.strict_json import read_json
from bitformer.model.structure import graph, logits, tensor_components, weight_components

__all__ = [
    "CLASSIFY_CONFIG",
    "DEFAULT_CONFIG",
    "NAMED_CONFIGS",
    "SENSE_CONFIG",
    "TransformerConfig",
    "named_config",
    "read_config",
    "streamed",
]

#: What is trained where nothing is named: a forecast of a day, a quantity that is sensed, a class.
DEFAULT_CONFIG, SENSE_CONFIG, CLASSIFY_CONFIG = "etth1-96-24", "sense-24-1", "strike-25"

_W8A8 = Precision(weights=8, activations=8)
#: Fields of later releases. At their defaults they are left out of what is written, so that a model
#: has the digests that it had before them.
#: What a model answers whose results do not leave the device, by its task.
_ANSWERS = {"classify": "a class's number", "detect": "a flag"}
_LATER: tuple[str, ...] = ("block", "mixing", "calendar", "pre_norm", "activation", "fused", "task")
_LATER += ("targets", "target_channels", "patch_stride", "final_norm", "norm_eps", "window_scaling")
_LATER += ("causal", "stream")


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(Shape):
    """A time-series Transformer: an encoder, or an encoder and a decoder.

    A decoder's rows are the last ``horizon`` known steps, in patches. Row i sees rows 0..i and the
    whole encoder, and gives the i-th patch of the forecast: all of it in one pass.

    Parameters
    ----------
    name : of the configuration, and of what is made from it.
    input_bits, output_bits : width of a sample and of a result.
    precision : bits per component; a missing component takes ``default``, the linear path
        ``PATH_BITS`` of :mod:`bitformer.model.precision`.
    tensors : bits of single tensors (``layers.0.q``) or weights (``layers.0.q.weight``), which
        keep the scheme of their component; in 1 and 2 bits there is but one.
    weight_scales : ``"channel"`` or ``"tensor"``: what has a scale of its own.
    asymmetric : whether activations that only linear layers read may have a zero point.
    adc_words : whether samples and results are sent as an ADC's words, from 0 on, not signed; then
        both have the same 8 to 16 bits.

    The others are those of :class:`bitformer.model.shape.Shape`.
    """

    name: str
    input_bits: int = 8
    output_bits: int = 8
    default: Precision = _W8A8
    precision: Mapping[str, Precision] = field(default_factory=dict)
    tensors: Mapping[str, int] = field(default_factory=dict)
    weight_scales: str = "channel"
    asymmetric: bool = False
    adc_words: bool = False

    def __post_init__(self):
        check_name(self.name, "name")
        super().__post_init__()
        both = (False, True)
        check_choices(self, weight_scales=("channel", "tensor"), asymmetric=both, adc_words=both)
        for name in ("input_bits", "output_bits"):
            check_positive(name, getattr(self, name))
            if not 4 <= getattr(self, name) <= 16:
                raise UserError(f"{name} must be 4 to 16, not {getattr(self, name)}")
        if self.adc_words and not 8 <= self.input_bits == self.output_bits:
            raise UserError(
                "input_bits and output_bits must be the same 8 to 16 for an ADC's words, not"
                f" {self.input_bits} and {self.output_bits}"
            )
        if self.adc_words and (answer := _ANSWERS.get(self.task)):
            raise UserError(
                f"adc_words must be false with task {self.task}, not true: an answer is {answer},"
                " no word of an ADC's"
            )
        if self.calendar and self.input_bits < 6:
            raise UserError(
                "input_bits must be at least 6 with a calendar, whose numbers go up to 23, not"
                f" {self.input_bits}"
            )
        if self.stream and self.asymmetric:
            raise UserError(
                "asymmetric must be false with stream, not true: rows that are not there are 0"
            )
        check_sizes(self)
        self._check_precision()

    def _check_precision(self):
        known = self.components
        for component in self.precision:
            if component not in known:
                raise UserError(f"precision must name components of {known}, not {component!r}")
        weights, tensors = weight_components(self), tensor_components(self)
        for name, bits in self.tensors.items():
            if name.removesuffix(".weight") in weights and name.endswith(".weight"):
                check_weight_bits(f"tensors: {name}", bits)
            elif name in tensors and name not in ("input", "output"):
                check_activation_bits(f"tensors: {name}", bits)
                if name in logits(self):
                    raise UserError(f"tensors must not name softmax logits, which {name} are")
            else:
                raise UserError(
                    "tensors must name a weight such as layers.0.q.weight or a tensor such as"
                    f" layers.0.q, not {name!r}"
                )
        self._check_tables()

    def _check_tables(self):
        """Refuse results of a nonlinearity that are too wide for its table."""
        for layer in graph(self):
            if layer.nonlinearity is None or layer.nonlinearity.bits is None:
                continue
            (least, most), bits = layer.nonlinearity.bits, self.tensor_bits(layer.y)
            if bits != FLOAT_BITS and not least <= bits <= most:
                raise UserError(
                    f"activations of component {layer.component} must have {least} to {most} bits"
                    f' with "activation": "{self.activation}", not {bits}: give them {most}, in'
                    f' "precision" or with --activations {most}, or choose "activation": "relu"'
                )

    def bits(self, component: str) -> Precision:
        """Return the bitwidths of a component."""
        default = PATH_BITS if component in PATH_COMPONENTS else self.default
        return self.precision.get(component, default)

    def weight_bits(self, layer: str) -> int:
        """Return the bits of a linear layer's weights, by its name: ``layers.0.q``."""
        component = weight_components(self)[layer]
        return self.tensors.get(layer + ".weight", self.bits(component).weights)

    def weight_scheme(self, layer: str) -> str:
        """Return the scheme of a linear layer's weights, by its name."""
        scheme = self.bits(weight_components(self)[layer]).scheme
        return scheme if has_powers(self.weight_bits(layer)) else UNIFORM

    def tensor_bits(self, name: str) -> int:
        """Return the bits of a stored tensor; the fixed width of softmax logits does not count."""
        fixed = {"input": self.input_bits, "output": self.output_bits}
        if name in fixed:
            return fixed[name]
        return self.tensors.get(name, self.bits(tensor_components(self)[name]).activations)

    @property
    def has_floats(self) -> bool:
        """Whether anything is kept in float32: such a model runs in torch only."""
        used = [self.weight_bits(name) for name in weight_components(self)]
        used += [self.tensor_bits(name) for name in tensor_components(self)]
        return FLOAT_BITS in used

    def at(self, bits: Precision) -> "TransformerConfig":
        """Return a copy with the same bits everywhere, in the linear path too."""
        own = [name for name in PATH_COMPONENTS if name in self.components]
        return self.replace(default=bits, precision=dict.fromkeys(own, bits), tensors={})

    def replace(self, **changes) -> "TransformerConfig":
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict:
        """Return the fields as plain data, for JSON; later ones only where they are no default."""
        plain = {name: getattr(type(self), name) for name in _LATER}
        found = {
            "name": self.name,
            **dataclasses.asdict(self),
            "default": self.default.to_dict(),
            "precision": {name: bits.to_dict() for name, bits in self.precision.items()},
        }
        found = {n: value for n, value in found.items() if n not in plain or value != plain[n]}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in found.items()}

    @classmethod
    def from_dict(cls, data: dict) -> "TransformerConfig":
        """Inverse of :meth:`to_dict`; refuses unknown fields."""
        return built(cls, data, "config")


def grid_config(window: int, d_model: int, bits: int) -> TransformerConfig:
    """Return one of the published family: 7 inputs, 1 output, 1 layer, 1 head, BatchNorm, mean."""
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


def streamed(config: TransformerConfig) -> TransformerConfig:
    """Return ``config`` as a stream, called so: by steps of a patch."""
    kind = {"causal": True, "stream": True, "position": "relative"}
    return config.replace(name=f"{config.name}-stream", **kind)


_W4A8 = Precision(weights=4, activations=8)
#: The head adds to the linear path, and holds little.
_PRECISE_HEAD = {"Loutput": _W8A8}

#: Configurations by name; ``grid-N-D-B[-stream]`` is made on demand by :func:`named_config`.
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
        linear_path=True,
        input_bits=16,
        output_bits=16,
        default=_W4A8,
        precision=_PRECISE_HEAD,
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
        linear_path=True,
        input_bits=16,
        output_bits=16,
        default=_W4A8,
        precision=_PRECISE_HEAD,
    ),
}
#: Ozone from seven other quantities (data set beijing-air), or what else has no sensor.
NAMED_CONFIGS[SENSE_CONFIG] = TransformerConfig(
    name=SENSE_CONFIG,
    window=24,
    inputs=7,
    horizon=1,
    patch=4,
    d_model=16,
    heads=2,
    ffn=32,
    input_bits=12,
    output_bits=12,
    default=_W4A8,
    precision=_PRECISE_HEAD,
)
#: Half a second of a runner's wrist, x, y, z and magnitude, and two ways to strike the ground.
NAMED_CONFIGS[CLASSIFY_CONFIG] = TransformerConfig(
    name=CLASSIFY_CONFIG,
    task="classify",
    window=25,
    inputs=4,
    horizon=2,
    patch=5,
    d_model=24,
    block="mixer",
    ffn=32,
    norm="batch",
    default=_W4A8,
    precision=_PRECISE_HEAD,
)
NAMED_CONFIGS["etth1-48-24"] = NAMED_CONFIGS["etth1-96-24"].replace(
    name="etth1-48-24", window=48, patch=4
)
#: A day of half hours in tokens of six hours, with tables of the hour and the weekday. Nothing is
#: subtracted: the time says more about the next hours than the last count does.
NAMED_CONFIGS["taxi-48-12"] = NAMED_CONFIGS["etth1-48-24"].replace(
    name="taxi-48-12",
    horizon=12,
    patch=12,
    d_model=24,
    ffn=64,
    subtract_last=False,
    calendar=("hour", "weekday"),
)
#: As etth1-96-24 without attention, of about as many multiplications.
NAMED_CONFIGS["mixer-96-24"] = NAMED_CONFIGS["etth1-96-24"].replace(
    name="mixer-96-24", heads=1, block="mixer"
)
NAMED_CONFIGS["mlp-96-24"] = NAMED_CONFIGS["etth1-96-24"].replace(
    name="mlp-96-24", patch=96, d_model=96, heads=1, ffn=128, block="mlp"
)
#: The first and the last layer hold little and matter much.
_ENDS = {"Linput": _W4A8, **_PRECISE_HEAD}
for _name in ("etth1-96-24", "etth1-48-24"):
    for _bits in (8, 4):
        NAMED_CONFIGS[f"{_name}-w2a{_bits}"] = NAMED_CONFIGS[_name].replace(
            name=f"{_name}-w2a{_bits}",
            default=Precision(weights=2, activations=_bits),
            precision=_ENDS,
        )
NAMED_CONFIGS["grid-12-32-w2a8"] = grid_config(12, 32, 8).replace(
    name="grid-12-32-w2a8", default=Precision(weights=2, activations=8)
)
NAMED_CONFIGS["etth1-48-24-ed"] = NAMED_CONFIGS["etth1-48-24"].replace(
    name="etth1-48-24-ed",
    d_model=32,
    ffn=256,
    layers=2,
    decoder_layers=1,
    linear_path=False,
    default=Precision(weights=2, activations=8),
    precision=keep_precise({}, 16),
    input_bits=12,
    output_bits=12,
)


#: The head and the path are most of a step's work. In 6 bits, with tokens of 7, two products of
#: trained models fit a multiplier, as they do of the other layers.
_SHARED = {"BNFFN": (4, 7), "Loutput": (6, 8), "Lpath": (6, 16)}
NAMED_CONFIGS["etth1-96-24-stream"] = streamed(NAMED_CONFIGS["etth1-96-24"]).replace(
    precision={name: Precision(weights=w, activations=a) for name, (w, a) in _SHARED.items()}
)


def _with_defaults(data: Any, unsaid: Mapping[str, Any]) -> Any:
    """Return a JSON file's fields with those that are left out and are not the class's own.

    An encoder has a linear path. Where the last value is subtracted, samples and results have 16
    bits, so that levels beyond those of the training rows have room. A stream is causal, with
    relative positions.
    """
    if not isinstance(data, dict):
        return data
    found: dict[str, Any] = {"linear_path": not data.get("decoder_layers")}
    if data.get("subtract_last") is True:
        found |= {"input_bits": 16, "output_bits": 16}
    if data.get("stream") is True:
        found |= {"causal": True, "position": "relative"}
    return found | dict(unsaid) | data


def read_config(config: "str | TransformerConfig", **unsaid: Any) -> TransformerConfig:
    """Return a configuration by its name or its JSON file; one that is there already as it is.

    A file's encoder has a linear path, and 16 bits for samples and results where the last value is
    subtracted, unless it says otherwise, and a stream is causal, with relative positions.
    ``unsaid`` are fields of a file that does not say them.
    """
    if isinstance(config, TransformerConfig):
        return config
    if Path(config).suffix != ".json":
        return named_config(config)
    data = read_json(Path(config), "Config file")
    try:
        return TransformerConfig.from_dict(_with_defaults(data, unsaid))
    except UserError as error:
        raise UserError(f"{config}: {error}") from None


def named_config(name: str) -> TransformerConfig:
    """Return that of ``NAMED_CONFIGS``, a ``grid-N-D-B[-stream]``, or of a model that ships."""
    if name in NAMED_CONFIGS:
        return NAMED_CONFIGS[name]
    match = re.fullmatch(r"grid-(\d{1,9})-(\d{1,9})-(\d{1,9})(-stream)?", name)
    if match:
        *sizes, stream = match.groups()
        found = grid_config(*map(int, sizes))
        return streamed(found) if stream else found
    if name in ready_names():
        return TransformerConfig.from_dict(dict(ready_card(name).config))
    known = (*NAMED_CONFIGS, *ready_names())
    raise UserError(none_of("config", name, known, more=" or grid-N-D-B[-stream]"))
