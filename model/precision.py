"""How many bits: the widths a component or a tensor can have, and the components' names."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral

from bitformer.model.errors import UserError

__all__ = [
    "ACTIVATION_BITS",
    "COMPONENTS",
    "DECODER_COMPONENTS",
    "FLOAT_BITS",
    "PRECISE_COMPONENTS",
    "WEIGHT_BITS",
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
#: What arXiv 2408.16495 keeps precise in a 2-bit encoder-decoder.
PRECISE_COMPONENTS = ("Linput", "Dinput", "CMHA", "Loutput")
#: Stands for float32: in accuracy studies only, never on the hardware.
FLOAT_BITS = 32
WEIGHT_BITS = (1, 2, 3, 4, 6, 8, 16, FLOAT_BITS)
ACTIVATION_BITS = (2, 3, 4, 5, 6, 7, 8, 16, FLOAT_BITS)


def _is_one_of(bits: object, known: tuple[int, ...]) -> bool:
    """Whether it is an integer, no boolean and no 4.0, that is known."""
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

    def __str__(self) -> str:
        """``"4"``, or where they differ ``"2/8"``."""
        same = self.weights == self.activations
        return str(self.weights) if same else f"{self.weights}/{self.activations}"


def keep_precise(
    precision: Mapping[str, Precision], bits: int, components=PRECISE_COMPONENTS
) -> dict[str, Precision]:
    """``precision`` with ``components`` at ``bits`` bits, weights and activations."""
    return {**precision, **dict.fromkeys(components, Precision(weights=bits, activations=bits))}
