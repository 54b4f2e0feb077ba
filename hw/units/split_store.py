"""A store of several memories: an address says which of them is read or written."""

from collections.abc import Iterable, Mapping, Sequence

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import wiring
from amaranth.utils import exact_log2

from bitformer.hw.families.family import Luts
from bitformer.hw.memory import READ_LATENCY, StorePart, StoreSpec
from bitformer.hw.units.banks import PLAIN_LUTS
from bitformer.hw.units.parameters import Parameter
from bitformer.hw.units.pipeline import delay
from bitformer.hw.units.store import Store, one_of, store_ports

__all__ = ["SplitStore"]


class SplitStore(wiring.Component):
    """RAM whose words lie in memories of their own, side by side: each of any placement.

    A part begins at a multiple of its span, a power of two. So the lower bits of an address are the
    part's own, and the upper ones say whether it is meant. Every part is read at each address that
    its ports are given; the word of the one that was meant is selected behind their registers.

    Latency: 2 cycles from an address to its data. A word written in cycle t can be addressed from
    cycle t + 1 on; addressed in cycle t it is undefined, and in a block RAM with an early register
    in cycle t - 1, too. So is what is read where no part of the port has a word. Throughput: an
    access a cycle at each port.

    Parameters
    ----------
    spec : StoreSpec
        Shape and parts, the one with the largest span first.
    luts : Luts
        The family's look-up tables, as a :class:`~.store.Store` has them; by default of none.

    Members
    -------
    addr_{port} : In(range(depth))
        Address of read port 0 or 1.
    data_{port} : Out(width)
        Its word.
    w_addr : In(range(depth))
        Address that is written.
    w_data : In(width)
        Word that is written.
    w_en : In(width // granule)
        Which granules of the word are written.

    Raises
    ------
    TypeError, ValueError
        If ``spec`` is no shape of a memory of parts, or parts of it share an address.
    """

    latency = READ_LATENCY
    spec = Parameter(StoreSpec, "a StoreSpec")
    luts = Parameter(Luts, "a family's Luts")

    def __init__(self, *, spec: StoreSpec, luts: Luts = PLAIN_LUTS):
        self.spec, self.luts = spec, luts
        if len(spec.parts) < 2:
            raise ValueError(f"Parts must be two or more, not {len(spec.parts)}")
        end = 0
        for part in spec.parts:
            if part.base % part.span:
                raise ValueError(f"Base must be a multiple of {part.span}, not {part.base}")
            if part.base < end:
                raise ValueError(f"Base must be at least {end}, where a part ends, not {part.base}")
            if (part.spec.width, part.spec.granule) != (spec.width, spec.granule):
                raise ValueError(f"Parts must have words of {spec.width} bits, as {spec.name} has")
            if part.spec.read_ports != len(part.ports):
                raise ValueError(f"Parts must have a read port for each of {part.ports}")
            end = part.end
        if spec.parts[0].base:
            raise ValueError(f"Base of the first part must be 0, not {spec.parts[0].base}")
        if end != spec.depth:
            raise ValueError(f"Depth must be {end}, where the last part ends, not {spec.depth}")
        super().__init__(store_ports(spec))

    @property
    def granule(self) -> int:
        """Bits that share a write enable."""
        return self.spec.granule or self.spec.width

    def model(self, steps: Iterable[Mapping[str, int]]) -> list[tuple[int | None, ...]]:
        """Return the words that are read, ``latency`` cycles after each step.

        A step has the inputs of a cycle by name, 0 where it names none. A word that is written in
        the step that reads it, or too soon after it, is None, and so is one that the port has not.
        """
        steps, spec = list(steps), self.spec
        read: list[list[int | None]] = [[None] * spec.read_ports for _ in steps]
        for part in spec.parts:
            here = range(part.base, part.end)
            own = []
            for step in steps:
                given = {"w_data": step.get("w_data", 0)}
                if (place := step.get("w_addr", 0)) in here:
                    given |= {"w_addr": place - part.base, "w_en": step.get("w_en", 0)}
                for inner, port in enumerate(part.ports):
                    address = step.get(f"addr_{port}", 0)
                    given[f"addr_{inner}"] = address - part.base if address in here else 0
                own.append(given)
            for number, words in enumerate(Store(spec=part.spec).model(own)):
                for port, word in zip(part.ports, words, strict=True):
                    if steps[number].get(f"addr_{port}", 0) in here:
                        read[number][port] = word
        return [tuple(words) for words in read]

    def elaborate(self, platform):
        m = Module()
        parts = self.spec.parts
        stores = [Store(spec=part.spec, luts=self.luts) for part in parts]
        written = self._meant(self.w_addr, parts)
        for number, (part, store) in enumerate(zip(parts, stores, strict=True)):
            m.submodules[f"part_{number}"] = store
            m.d.comb += [
                store.w_addr.eq(self.w_addr[: len(store.w_addr)]),
                store.w_data.eq(self.w_data),
                store.w_en.eq(Mux(written == number, self.w_en, 0)),
            ]
            for inner, port in enumerate(part.ports):
                address = getattr(store, f"addr_{inner}")
                m.d.comb += address.eq(getattr(self, f"addr_{port}")[: len(address)])
        for port in range(self.spec.read_ports):
            own = [
                (part, store)
                for part, store in zip(parts, stores, strict=True)
                if port in part.ports
            ]
            if not own:
                continue
            number = self._meant(getattr(self, f"addr_{port}"), [part for part, _ in own])
            number = delay(m, number, READ_LATENCY - 1, name=f"number_{port}")
            words = [getattr(store, f"data_{part.ports.index(port)}") for part, store in own]
            word = one_of(m, words, number, name=f"part_of_{port}")
            m.d.comb += getattr(self, f"data_{port}").eq(word)
        return m

    @staticmethod
    def _meant(address: Value, parts: Sequence[StorePart]) -> Value:
        """Return the number of the part that an address is of: 0 if it is of no other."""
        number: Value = Value.cast(0)
        for place, part in enumerate(parts[1:], start=1):
            shift = exact_log2(part.span)
            number = Mux(address[shift:] == part.base >> shift, place, number)
        return number
