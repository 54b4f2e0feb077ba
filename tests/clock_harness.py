"""Entries of designs that nobody routed."""

from bitformer.estimate.features import VERSION
from bitformer.estimate.knowledge import Entry

__all__ = ["PART", "routed"]

PART = "lfe5u-25f"


def routed(digest, *mhz, part=PART, version=VERSION):
    """An entry of a design with that digest, whose seeds reach these megahertz."""
    each = sorted(mhz)
    return Entry(
        key=f"{digest}.routed.{'-'.join(map(str, mhz))}",
        kind="routed",
        name="m",
        part=part,
        lanes=24,
        tool="nextpnr-ecp5",
        version="0.99",
        features={
            "best_mhz": each[-1],
            "median_mhz": each[len(each) // 2],
            "worst_mhz": each[0],
            "asked_mhz": 150.0,
            "seeds": len(each),
            "version": version,
        },
        luts=1,
        lutram=0,
        ffs=1,
        ramb18=0,
        dsps=0,
    )
