"""A multiplier that is cut out: what it is given is looked at, and its product is any number."""

from typing import ClassVar

from amaranth.hdl import Module, Shape, Signal

__all__ = ["Cut"]


class Cut:
    """Stands in for :class:`bitformer.hw.units.multiplier.Product`; ``found`` has all of them."""

    found: ClassVar[list["Cut"]] = []

    def __init__(self, m: Module, platform, multiplier, a, b, *names: str):
        self.domain = "sync"
        self.a, self.b = Signal(a, name=names[0]), Signal(b, name=names[1])
        self.product = Signal(Shape(len(self.a) + len(self.b), True), name=names[2])
        self.found.append(self)
