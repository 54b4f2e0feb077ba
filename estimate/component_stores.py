"""Components measured: a component's stores, and nothing else, as Yosys maps them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from bitformer.estimate.components import Share
from bitformer.estimate.knowledge import Entry
from bitformer.estimate.measure import measured_entry
from bitformer.estimate.stores import live_bits
from bitformer.hw.design import Design
from bitformer.hw.families.family import BlockRam, Family
from bitformer.hw.memory import StoreSpec, placement_attributes
from bitformer.hw.units.store import Store
from bitformer.synth.batch import synthesize_apart
from bitformer.synth.synthesize import digest

__all__ = ["ComponentStores", "component_keys", "measure_components", "stores_of"]


def _typical(words: Sequence[int], depth: int) -> list[int]:
    """Return ``depth`` words with as many bits that change, which take the same block RAM.

    The lowest bits are those that are not, and they take turns: blocks with equal contents are
    mapped once, where Yosys takes seconds for each other content.
    """
    live = (1 << live_bits(words)) - 1
    return [live * (number % 2) for number in range(depth)]


def _whole(spec: StoreSpec, ram: BlockRam) -> StoreSpec:
    """Return a store in block RAM with all the words that its blocks have: it takes as many.

    Words of the shallowest block: deeper ones have a multiple of them.
    """
    if spec.placement != "block" or spec.tiles:
        return spec
    return replace(spec, depth=-(-spec.depth // ram.shapes[0][0]) * ram.shapes[0][0])


def _contents(spec: StoreSpec, words: Sequence[int]) -> list[int]:
    """Return a ROM's contents, typical ones wherever they are in block RAM."""
    if spec.placement != "block":
        return list(words)
    if not spec.tiles:
        words = [*words, *[0] * (2 - len(words))]  # a memory has two words at least
        return _typical(words, spec.depth)
    found = list(words)
    for tile in spec.tiles:
        mask = (1 << tile.width) - 1
        for row, rows in tile.parts:
            own = [word >> tile.first & mask for word in words[row : row + rows]]
            for number, value in enumerate(_typical(own, rows), start=row):
                found[number] = found[number] & ~(mask << tile.first) | value << tile.first
    return found


class ComponentStores(wiring.Component):
    """A component's stores, side by side, every port of which leads outside.

    A memory in block RAM is as large whatever it holds, and up to its blocks' last word: it has
    typical words here, and all of them. Components that take the same are the same.

    Members
    -------
    NAME_PORT : the ports of each store (:class:`bitformer.hw.units.store.Store`).
    """

    def __init__(
        self,
        *,
        stores: Mapping[str, StoreSpec],
        images: Mapping[str, Sequence[int]],
        family: Family,
    ):
        self._stores: dict[str, wiring.Component] = {}
        ports: dict[str, In | Out] = {}
        for name, spec in sorted(stores.items()):
            spec = _whole(spec, family.block_ram)
            if spec.asynchronous:
                store: wiring.Component = _Asynchronous(spec=spec)
            else:
                init = _contents(spec, images[name]) if spec.rom else ()
                store = Store(spec=spec, init=init)
            self._stores[name] = store
            ports |= {f"{name}_{port}": member for port, member in store.signature.members.items()}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        for name, store in self._stores.items():
            m.submodules[name] = store
            for port, member in store.signature.members.items():
                inside, outside = getattr(store, port), getattr(self, f"{name}_{port}")
                if member.flow is In:
                    m.d.comb += inside.eq(outside)
                else:
                    m.d.comb += outside.eq(inside)
        return m


class _Asynchronous(wiring.Component):
    """A memory read in the cycle of its address, if in no block, as that of the output port is."""

    def __init__(self, *, spec: StoreSpec):
        self._spec = spec
        granule = spec.granule or spec.width
        super().__init__(
            {
                "addr_0": In(range(max(2, spec.depth))),
                "data_0": Out(spec.width),
                "w_addr": In(range(max(2, spec.depth))),
                "w_data": In(spec.width),
                "w_en": In(spec.width // granule),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec = self._spec
        m.submodules.mem = mem = memory.Memory(
            shape=spec.width,
            depth=max(2, spec.depth),
            init=[],
            attrs=placement_attributes(spec.placement, rom=False),
        )
        granule = spec.granule if spec.granule != spec.width else 0
        domain = "sync" if spec.placement == "block" else "comb"
        read, write = mem.read_port(domain=domain), mem.write_port(granularity=granule or None)
        m.d.comb += [
            read.addr.eq(self.addr_0),
            self.data_0.eq(read.data),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            write.en.eq(self.w_en),
        ]
        return m


def stores_of(share: Share) -> ComponentStores:
    """Return the stores that are synthesized for a component."""
    return ComponentStores(stores=share.stores, images=share.images, family=share.family)


def component_keys(shares: Iterable[Share]) -> dict[str, str]:
    """Return the key of each component with stores: equal stores have equal keys.

    Raises :class:`bitformer.model.errors.UserError` if there is no Yosys: its release is in them.
    """
    return {
        share.name: digest(stores_of(share), family=share.family)
        for share in shares
        if share.stores
    }


def measure_components(wanted: Iterable[tuple[Design, Share]]) -> list[Entry]:
    """Synthesize components of designs for one family in one run; return an entry for each.

    An entry has what the component alone takes, its own bits, and as features its stores' words.
    """
    wanted = list(wanted)
    if not wanted:
        return []
    sources = (stores_of(share) for _, share in wanted)
    return [
        measured_entry(
            design,
            found.tool,
            found.digest,
            share.name,
            "component",
            found.resources,
            levels=found.levels,
            widths={share.name: share.bits.both},
            placement={name: spec.placement for name, spec in share.stores.items()},
            features={name: spec.depth for name, spec in share.stores.items()},
        )
        for (design, share), found in zip(
            wanted, synthesize_apart(sources, wanted[0][0].family), strict=True
        )
    ]
