"""A stored tensor of the integer model, as its operations read and write it."""

from dataclasses import dataclass

__all__ = ["Tensor"]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A stored tensor of ``rows`` x ``features`` signed integers of ``bits`` bits.

    A stored ``q`` stands for ``2**exponent * (q - zero)``. ``narrow`` leaves out the lowest number,
    as for weights: keys and values take their place in the engine.
    """

    name: str
    rows: int
    features: int
    bits: int
    exponent: int
    zero: int = 0
    component: str = ""
    narrow: bool = False

    @property
    def low(self) -> int:
        """Smallest number."""
        return -(1 << (self.bits - 1)) + self.narrow

    @property
    def high(self) -> int:
        """Largest number."""
        return (1 << (self.bits - 1)) - 1

    @property
    def magnitude(self) -> int:
        """Largest magnitude of a number."""
        return max(-self.low, self.high)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, features)."""
        return (self.rows, self.features)

    @property
    def size(self) -> int:
        """Numbers in all rows."""
        return self.rows * self.features
