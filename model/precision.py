"""How many bits: the widths a component or a tensor can have, and the components' names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
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
    "PRECISE_COMPONENTS",
    "TOKEN_COMPONENTS",
    "WEIGHT_BITS",
    "AddedErrors",
    "Precision",
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


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bits of a component's weights and of the activations it produces."""

    weights: int
    activations: int

    def __post_init__(self):
        check_weight_bits("weights", self.weights)
        check_activation_bits("activations", self.activations)

    @classmethod
    def parse(cls, text: str) -> "Precision":
        """Read ``"4"``, or weights and activations apart, ``"2/8"``.

        Raises
        ------
        UserError
            For another notation, and for widths that integer models cannot have.
        """
        match = re.fullmatch(r"([0-9]{1,2})(?:/([0-9]{1,2}))?", text.strip())
        if match is None:
            raise UserError(f"bits must be numbers such as 4 or 2/8, not {shown(text)}")
        weights, activations = int(match[1]), int(match[2] or match[1])
        known = weights in WEIGHT_BITS and activations in ACTIVATION_BITS
        if not known or FLOAT_BITS in (weights, activations):
            raise UserError(
                f"bits must be widths that a model can have, such as 4 or 2/8, not {text}"
            )
        return cls(weights=weights, activations=activations)

    @property
    def both(self) -> str:
        """Bits of weights and of activations, though they are equal: ``"4/4"``."""
        return f"{self.weights}/{self.activations}"

    @property
    def slug(self) -> str:
        """The notation as a part of a file's name: ``"4"``, ``"2a8"``."""
        return str(self).replace("/", "a")

    def __str__(self) -> str:
        """Return ``"4"``, or where they differ ``"2/8"``."""
        return str(self.weights) if self.weights == self.activations else self.both


#: Bits of the linear path unless they are given: the rest of the network is added to what it makes.
PATH_BITS = Precision(weights=8, activations=16)

#: Validation error that bits add to a model, by the component that alone has them.
AddedErrors = Mapping[str, Mapping[Precision, float]]


def keep_precise(
    precision: Mapping[str, Precision], bits: int, components=PRECISE_COMPONENTS
) -> dict[str, Precision]:
    """Return ``precision`` with weights and activations of ``components`` at ``bits`` bits."""
    return {**precision, **dict.fromkeys(components, Precision(weights=bits, activations=bits))}
