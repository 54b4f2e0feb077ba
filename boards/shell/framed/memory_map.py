"""The memory of a framed endpoint: what lies where, and the registers in it."""

from amaranth.hdl import Shape

from bitformer.boards.protocol import BLOCK_BYTES, CONSTANT_BYTES, MOST_BYTES, Feature, Registers
from bitformer.boards.shell.contract import Contract
from bitformer.boards.shell.numbers import number_bytes
from bitformer.boards.shell.weight_loader import WeightLoader

__all__ = ["LOAD_BYTES", "MemoryMap"]

#: Where regions of the memory begin: the low bits of an address count the changing registers then.
_ALIGNED = 32
#: A block of new weights with its number.
LOAD_BYTES = 2 + BLOCK_BYTES


class MemoryMap:
    """The buffer, then for each image of the weights a region: constants and golden vectors.

    Parameters are those of `Endpoint`; `ValueError` if a window or its results fit no frame.

    Attributes
    ----------
    contract : Contract
    sample, answer : bytes of a window and of its results.
    registers : Registers, as before anything has happened.
    regions : where the regions begin. depth : bytes in all. memory : what holds them.
    loader : sorts new weights; None in a design that takes none.
    """

    def __init__(
        self,
        *,
        contract: Contract,
        input_shape: Shape,
        result_shape: Shape,
        clock_hz: int,
        features: Feature,
    ):
        self.contract = contract
        self.sample = contract.inputs * number_bytes(input_shape)
        self.answer = contract.results * number_bytes(result_shape)
        for name, size in (("window", self.sample), ("results", self.answer)):
            if size > MOST_BYTES:
                raise ValueError(
                    f"Contract: {name} must take at most {MOST_BYTES} bytes of a frame, not {size}"
                )
        if contract.vectors:
            features |= Feature.SELF_TEST
        if contract.image:
            features |= Feature.RELOADABLE
        if contract.unsigned:
            features |= Feature.UNSIGNED
        self.registers = Registers(
            features=features,
            input_bits=input_shape.width,
            result_bits=result_shape.width,
            inputs=contract.inputs,
            results=contract.results,
            vectors=len(contract.vectors),
            capacity=max(self.sample, self.answer, LOAD_BYTES if contract.image else 0),
            model_hash=contract.model_hash,
            structure=contract.structure,
            clock_hz=clock_hz,
            latency=contract.latency,
        )
        size = CONSTANT_BYTES + len(contract.vectors) * (self.sample + self.answer)
        self.loader = WeightLoader(parts=(*contract.image, (size, 1))) if contract.image else None
        self.regions = [_aligned(self.registers.capacity)]
        if self.loader is not None:
            self.regions.append(self.regions[0] + _aligned(size))
        self.depth = self.regions[-1] + size
        self.memory = contract.memory(self.depth)

    def contents(self) -> bytes:
        """Return the memory as it is configured."""
        region = self.registers.region(self.contract.vectors)
        return (bytes(self.regions[0]) + region).ljust(self.depth, b"\0")


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
