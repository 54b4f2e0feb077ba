"""How many bits: widths and schemes a component or a tensor can have, and components' names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral

from bitformer.model.errors import UserError
from bitformer.model.plain import shown

__all__ = [
    "ACTIVATION_BITS",
    "COMPONENTS",
    "DECODER_COMPONENTS",
    "FLOAT_BITS",
    "PATH_BITS",
    "PATH_COMPONENTS",
    "POWER_OF_TWO",
    "PRECISE_COMPONENTS",
    "SCHEMES",
    "TOKEN_COMPONENTS",
    "UNIFORM",
    "WEIGHT_BITS",
    "AddedErrors",
    "Precision",
    "Width",
    "read_weights",
]

#: The published components of an encoder, each with its own bitwidths.
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
#: Those of the sublayer over tokens, which not every kind of layer has.
TOKEN_COMPONENTS = ("MHA", "AddMHA", "BNMHA")
#: Those of a decoder, after the same pattern; CMHA is the attention over the encoder's rows.
DECODER_COMPONENTS = (
    "Dinput",
    "DAddPE",
    "DMHA",
    "DAddMHA",
    "DBNMHA",
    "CMHA",
    "AddCMHA",
    "BNCMHA",
    "DFFN",
    "DAddFFN",
    "DBNFFN",
)
#: The linear path from the window to the forecast.
PATH_COMPONENTS = ("Lpath",)
#: What arXiv 2408.16495 keeps precise in a 2-bit encoder-decoder.
PRECISE_COMPONENTS = ("Linput", "Dinput", "CMHA", "Loutput")
#: Stands for float32: in accuracy studies only, never on the hardware.
FLOAT_BITS = 32
WEIGHT_BITS = (1, 2, 3, 4, 6, 8, 16, FLOAT_BITS)
ACTIVATION_BITS = (2, 3, 4, 5, 6, 7, 8, 16, FLOAT_BITS)
#: Which integers of their bits weights may be: all, or 0 and the powers of two with any sign.
UNIFORM, POWER_OF_TWO = SCHEMES = ("uniform", "power-of-two")
#: Weights of fewer bits are 0, 1 and -1 in any scheme.
_LEAST_BITS = 3
#: Bits of weights: a number, or as text with the scheme, ``"4p"``.
Width = int | str


def _is_one_of(bits: object, known: tuple[int, ...]) -> bool:
    """Return True for a known integer, neither a boolean nor 4.0."""
    return isinstance(bits, Integral) and not isinstance(bits, bool) and bits in known


def check_weight_bits(what: str, bits) -> None:
    """Refuse widths that weights cannot have."""
    if not _is_one_of(bits, WEIGHT_BITS):
        raise UserError(f"{what} must be one of {WEIGHT_BITS} bits, not {bits!r}")


def check_activation_bits(what: str, bits) -> None:
    """Refuse widths that activations cannot have."""
    if not _is_one_of(bits, ACTIVATION_BITS):
        raise UserError(f"{what} must be one of {ACTIVATION_BITS} bits, not {bits!r}")


def has_powers(bits: int) -> bool:
    """Return whether weights of these bits can be powers of two, and others."""
    return _LEAST_BITS <= bits < FLOAT_BITS


def check_scheme(bits: int, scheme: object) -> None:
    """Refuse an unknown scheme, and powers of two in bits that have no choice of them."""
    if scheme not in SCHEMES:
        raise UserError(f"scheme must be one of {SCHEMES}, not {shown(scheme)}")
    if scheme == POWER_OF_TWO and not has_powers(bits):
        why = {1: "are 1 and -1 anyway", 2: "are 0, 1 and -1 anyway"}.get(bits, "are floats")
        raise UserError(
            f"scheme must be uniform for weights of {bits} bit{'s' * (bits > 1)}, which {why},"
            f" not power-of-two: write {bits} instead of {bits}p"
        )


def read_weights(width: Width) -> tuple[int, str]:
    """Return bits and scheme of weights: a number, ``"4"``, or powers of two, ``"4p"``.

    Raises
    ------
    UserError
        For another notation. Whether weights can have these bits is not checked.
    """
    match = re.fullmatch(r"([0-9]{1,2})(p?)", str(width).strip())
    if match is None:
        raise UserError(
            "bits of weights must be a number such as 4, or 4p for powers of two, not"
            f" {shown(width)}"
        )
    return int(match[1]), POWER_OF_TWO if match[2] else UNIFORM


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bits of a component's weights and of the activations it produces.

    ``scheme`` : of the weights, ``"uniform"`` or ``"power-of-two"``, which are 0, ±1, ±2, ±4 in 4
    bits. One bit is always binary, two are ternary.
    """

    weights: int
    activations: int
    scheme: str = UNIFORM

    def __post_init__(self):
        check_weight_bits("weights", self.weights)
        check_activation_bits("activations", self.activations)
        check_scheme(self.weights, self.scheme)

    @classmethod
    def parse(cls, text: str) -> "Precision":
        """Read ``"4"``, or weights and activations apart, ``"2/8"``; of powers of two ``"4p/8"``.

        Raises
        ------
        UserError
            For another notation, and for widths that integer models cannot have.
        """
        match = re.fullmatch(r"([0-9]{1,2})(p?)(?:/([0-9]{1,2}))?", text.strip())
        if match is None:
            raise UserError(
                "bits must be numbers such as 4 or 2/8, or 4p/8 for powers of two, not"
                f" {shown(text)}"
            )
        weights, activations = int(match[1]), int(match[3] or match[1])
        known = weights in WEIGHT_BITS and activations in ACTIVATION_BITS
        if not known or FLOAT_BITS in (weights, activations):
            raise UserError(
                f"bits must be widths that a model can have, such as 4 or 2/8, not {text}"
            )
        scheme = POWER_OF_TWO if match[2] else UNIFORM
        return cls(weights=weights, activations=activations, scheme=scheme)

    @property
    def width(self) -> Width:
        """Bits of weights with their scheme: ``4``, or ``"4p"``."""
        return self.weights if self.scheme == UNIFORM else f"{self.weights}p"

    @property
    def both(self) -> str:
        """Bits of weights and of activations, though they are equal: ``"4/4"``."""
        return f"{self.width}/{self.activations}"

    def with_weights(self, width: Width) -> "Precision":
        """Return a copy with weights of other bits and of the scheme that ``width`` says."""
        bits, scheme = read_weights(width)
        return replace(self, weights=bits, scheme=scheme)

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain data, the scheme only where it is not uniform."""
        found: dict[str, object] = {"weights": self.weights, "activations": self.activations}
        return found if self.scheme == UNIFORM else found | {"scheme": self.scheme}

    @property
    def slug(self) -> str:
        """The notation as a part of a file's name: ``"4"``, ``"2a8"``, ``"4pa8"``."""
        return str(self).replace("/", "a")

    def __str__(self) -> str:
        """Return ``"4"``, or where they differ ``"2/8"``; powers of two as ``"4p"``, ``"4p/8"``."""
        return str(self.width) if self.weights == self.activations else self.both


#: Bits of the linear path unless they are given: the rest of the network is added to what it makes.
PATH_BITS = Precision(weights=8, activations=16)

#: Validation error that bits add to a model, by the component that alone has them.
AddedErrors = Mapping[str, Mapping[Precision, float]]


def keep_precise(
    precision: Mapping[str, Precision], bits: int, components=PRECISE_COMPONENTS
) -> dict[str, Precision]:
    """Return ``precision`` with weights and activations of ``components`` at ``bits`` bits."""
    return {**precision, **dict.fromkeys(components, Precision(weights=bits, activations=bits))}
