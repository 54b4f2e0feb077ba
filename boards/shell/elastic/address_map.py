"""Addresses of an Elastic Node's firmware: published versions differ."""

from dataclasses import dataclass

from bitformer.boards.checks import check_int

__all__ = ["LEDS", "READ", "RESET", "V1", "V2", "WRITE", "ElasticMap"]

#: The first byte of a transfer.
WRITE, READ = 0x80, 0x40
#: Addresses that all versions share: four LEDs, and the reset of the user's logic.
LEDS, RESET = 0x0003, 0x0004

#: Bytes of a model's name.
ID_BYTES = 16
_ADDRESSES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class ElasticMap:
    """Addresses, which count from ``base``, and the SPI phase.

    Parameters
    ----------
    model_id : int
        16 bytes that name the model.
    start : int
        One byte: 1 starts an inference, 0 ends it.
    data : int
        The window's bytes when written, the results' when read.
    base : int
        Where the user's logic begins.
    phase : int
        The SPI phase: 1, bits are read where SCK falls; 0, where it rises.

    Raises
    ------
    TypeError, ValueError
        If an address is none, the model's name and the start share one, or the phase is not 0 or 1.
    """

    model_id: int = 0
    start: int = 16
    data: int = 18
    base: int = 0x0100
    phase: int = 1

    def __post_init__(self):
        for name in ("model_id", "start", "data", "base", "phase"):
            check_int(f"Elastic Node: {name}", getattr(self, name), least=0)
        if self.phase > 1:
            raise ValueError(f"Elastic Node: phase must be 0 or 1, not {self.phase}")
        if self.base <= RESET:
            raise ValueError(f"Elastic Node: base must be above {RESET}, not {self.base}")
        self.check(size=1)

    def check(self, *, size: int) -> None:
        """Raise `ValueError` unless ``size`` bytes of data collide with nothing."""
        areas = [
            (self.model_id, ID_BYTES, "the model's name"),
            (self.start, 1, "the start"),
            (self.data, size, "the data"),
        ]
        for first, count, name in areas:
            if self.base + first + count > _ADDRESSES:
                raise ValueError(
                    f"Elastic Node: {name} must end below address {_ADDRESSES - self.base}, and"
                    f" ends at {first + count}"
                )
        for (a, a_size, a_name), (b, b_size, b_name) in zip(
            sorted(areas), sorted(areas)[1:], strict=False
        ):
            if a + a_size > b:
                raise ValueError(
                    f"Elastic Node: {b_name} at {b} must lie behind {a_name}, {a_size} byte(s) from"
                    f" {a} on, and {b_size} byte(s) must be free there"
                )


#: The firmware's second stub, and the skeleton of the group's current generator.
V2 = ElasticMap()
#: The first stub, whose data end before the start at 100.
V1 = ElasticMap(model_id=2000, start=100, data=0)
