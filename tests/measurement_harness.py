"""Measurements that nobody had to synthesize for: counts by a formula of our own."""

from bitformer.hw.lower import lower
from bitformer.model.initialize import initialize
from bitformer.search.features import VERSION, physical, quantities
from bitformer.search.knowledge import Entry
from bitformer.search.profile import mixed, parse_bits

__all__ = ["drawn", "invented"]


def invented(design, *, key, noise=0.0):
    """An entry whose counts are a sum of some physical features, off by ``noise``."""
    q = {name: int(value) for name, value in quantities(design).items()}
    f = physical(q)
    memory = f["cells"] + f["delayed"] + 20
    logic = 300 + 0.7 * f["select"] + 8 * f["post"] + 1.1 * f["rom_luts"] + 5 * f["timer"]
    ffs = 400 + 0.5 * f["engine"] + f["rom_bits"] + f["ram_bits"] + 5 * f["post"]
    return Entry(
        key=key,
        name=design.model.config.name,
        part=design.part,
        lanes=design.geometry.columns,
        tool="invented",
        version="1",
        features={"version": VERSION, **q},
        luts=round(float(memory + logic * (1 + noise))),
        lutram=round(float(memory)),
        srls=0,
        ffs=round(float(ffs)),
        ramb18=q["ramb18"],
        dsps=18,
    )


def drawn(count, seed):
    """Lowered designs with random bits, small ones."""
    bits = [parse_bits(one) for one in ("4", "6", "8")]
    configs = mixed(count, seed=seed, windows=[6, 12], widths=[8, 16], bits=bits)
    return [lower(initialize(config)) for config in configs]
