"""Figures of a family beside its cells: energies, and clocks of designs that were routed."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PowerModel", "RoutedElsewhere"]


@dataclass(frozen=True, kw_only=True)
class PowerModel:
    """Figures of a family for the model of power.

    Parameters
    ----------
    luts_pj, ffs_pj, ramb18_pj, dsps_pj : float
        Picojoules of a clock cycle for each LUT, flip-flop with its share of the clock, block RAM
        and multiplier, at moderate activity.
    clock_pj : float
        Picojoules of a clock cycle for the clock's own network, whatever the design.
    static_w : float
        Watts of a part in which nothing switches, where none is known of the part itself.
    configuration_w, configuration_hz : float
        Watts while a bitstream is loaded, and bits of it in a second.
    factor : float
        The error bar: what the model says may be so many times too much, or too little.
    source : str
        Where the figures are from.
    """

    luts_pj: float
    ffs_pj: float
    ramb18_pj: float
    dsps_pj: float
    static_w: float
    configuration_w: float
    configuration_hz: float
    factor: float
    source: str
    clock_pj: float = 0.0

    @property
    def cycle_pj(self) -> dict[str, float]:
        """Picojoules of a cycle by the name of what is counted."""
        return {
            "luts": self.luts_pj,
            "ffs": self.ffs_pj,
            "ramb18": self.ramb18_pj,
            "dsps": self.dsps_pj,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class RoutedElsewhere:
    """Designs routed elsewhere, by which a clock is estimated until a tool here reports one.

    Parameters
    ----------
    designs : mapping of str to (int, tuple of float)
        By name, loads of the widest net but clocks and resets as synthesis counts them, and
        megahertz of each run.
    source : str
        What routed them, and what it is not, as the end of a sentence.
    """

    designs: Mapping[str, tuple[int, tuple[float, ...]]]
    source: str
