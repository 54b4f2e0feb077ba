"""An accelerator seen from its shell, as plain data."""

from dataclasses import dataclass, replace

from bitformer.boards.checks import check_int
from bitformer.boards.protocol import whole_bytes
from bitformer.hw.design import RELOADED, Design
from bitformer.hw.families.family import Family
from bitformer.hw.golden import golden_vectors
from bitformer.hw.lowering.place import cost
from bitformer.hw.lowering.reload import STRUCTURE_BYTES, structure_hash
from bitformer.hw.memory import StoreSpec
from bitformer.hw.parts import DEFAULT_PART, PARTS
from bitformer.model.identity import HASH_BYTES, model_hash

__all__ = ["DEFAULT_VECTORS", "Contract", "contract_of"]

#: Golden vectors on the chip unless asked otherwise.
DEFAULT_VECTORS = 2
#: A vector's index, or that all have passed, is one byte.
_MOST_VECTORS = 254
_MOST_NUMBERS = 0xFFFF
_CYCLES = 1 << 24
#: Inputs of a LUT with which the shell's logic is shallow enough as it is.
_LUT_INPUTS = 6


@dataclass(frozen=True, kw_only=True)
class Contract:
    """An accelerator seen from outside.

    Parameters
    ----------
    inputs, results : int
        Numbers of a window, of a stream those of a patch, and of its forecast; 1 to 65535.
    model_hash : bytes
        8 bytes that identify the model.
    structure : bytes
        4 bytes that identify what new weights do not change, or say how many phases take steps
        in turn; 0 of others.
    latency : int
        Cycles from the first number in to the last result out, below 2**24.
    vectors : tuple of (inputs, results)
        Golden vectors for the self-test, at most 254.
    image : tuple of (words, bytes of a word)
        The stores that take new weights, of an accelerator that does; see `Accelerator.reloaded`.
        It needs golden vectors.
    classes : int
        Of a classifier, the classes that its one result is a number of: that number itself says
        that a window is rejected, which is counted. Of a detector 1, which says that the flag is
        up. 0 for others.
    remembers : bool
        Whether a result depends on what came before, as a detector's and a stream's do: then one
        that is asked for again is not computed again, and golden vectors are those from a reset on.
    unsigned : bool
        Whether numbers are an ADC's words, from 0 on, and not signed.
    ramb18 : int
        Block RAMs that the accelerator leaves for the shell's memory.
    family : Family
        Of the part.

    Raises
    ------
    TypeError, ValueError
        If a count is none or too large, or a vector has another number of integers than it must.
    """

    inputs: int = 1
    results: int = 1
    model_hash: bytes = bytes(HASH_BYTES)
    structure: bytes = bytes(STRUCTURE_BYTES)
    latency: int = 0
    vectors: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
    image: tuple[tuple[int, int], ...] = ()
    classes: int = 0
    remembers: bool = False
    unsigned: bool = False
    ramb18: int = 0
    family: Family = PARTS[DEFAULT_PART].family

    def __post_init__(self):
        for name in ("inputs", "results"):
            value = check_int(f"Contract: {name}", getattr(self, name))
            if value > _MOST_NUMBERS:
                raise ValueError(f"Contract: {name} must be at most {_MOST_NUMBERS}, not {value}")
        if check_int("Contract: latency", self.latency, least=0) >= _CYCLES:
            raise ValueError(
                f"Contract: latency must be below {_CYCLES} cycles, not {self.latency}"
            )
        for name, size in (("model_hash", HASH_BYTES), ("structure", STRUCTURE_BYTES)):
            if len(getattr(self, name)) != size:
                raise ValueError(
                    f"Contract: {name} must have {size} bytes, not {len(getattr(self, name))}"
                )
        if check_int("Contract: classes", self.classes, least=0) and self.results != 1:
            raise ValueError(
                f"Contract: results must be 1 of a classifier, a class, not {self.results}"
            )
        if len(self.vectors) > _MOST_VECTORS:
            raise ValueError(
                f"Contract: vectors must be at most {_MOST_VECTORS}, not {len(self.vectors)}"
            )
        for inputs, results in self.vectors:
            if (len(inputs), len(results)) != (self.inputs, self.results):
                raise ValueError(
                    f"Contract: vectors must have {self.inputs} inputs and {self.results} results, "
                    f"not {len(inputs)} and {len(results)}"
                )
        if self.image and not self.vectors:
            raise ValueError("Contract: vectors must be 1 at least where new weights are taken")
        check_int("Contract: ramb18", self.ramb18, least=0)

    @property
    def all_in_blocks(self) -> bool:
        """Whether all memory is block RAM, as the family has none in LUTs."""
        return not self.family.luts.rams

    @property
    def pipelined(self) -> bool:
        """Whether long logic is cut by registers, as LUTs of few inputs make it deep."""
        return self.family.luts.inputs < _LUT_INPUTS

    def memory(self, depth: int) -> StoreSpec:
        """Return a memory of ``depth`` bytes: in block RAM if enough is left, else in LUTs."""
        spec = StoreSpec(name="shell", depth=depth, width=8, placement="block")
        if self.all_in_blocks or cost(spec, spec.placement, self.family).ramb18 <= self.ramb18:
            return spec
        return replace(spec, placement="distributed")


def _turns(phases: int) -> bytes:
    """Return what stands in the place of a structure, which without new weights nobody compares."""
    return (phases if phases > 1 else 0).to_bytes(STRUCTURE_BYTES, "little")


def contract_of(design: Design, *, vectors: int = DEFAULT_VECTORS) -> Contract:
    """Return the contract of a design's accelerator, with ``vectors`` golden vectors."""
    check_int("Vectors", vectors, least=0)
    model = design.model
    taken = sum(cost(spec, spec.placement, design.family).ramb18 for spec in design.stores.values())
    golden = golden_vectors(model, vectors) if vectors else []
    return Contract(
        inputs=model.window_size,
        results=model.output.size,
        model_hash=model_hash(model),
        latency=design.latency,
        structure=structure_hash(design) if design.banks > 1 else _turns(design.phases),
        vectors=tuple((tuple(x), tuple(y)) for x, y in golden),
        image=tuple(
            (len(design.images[name]), whole_bytes(design.stores[name].width))
            for name in (RELOADED if design.banks > 1 else ())
            if name in design.stores
        ),
        classes=model.results.features if model.decision else int(model.detector is not None),
        remembers=model.detector is not None or model.config.stream,
        unsigned=model.config.adc_words,
        ramb18=max(0, PARTS[design.part].ramb18 - taken),
        family=design.family,
    )
