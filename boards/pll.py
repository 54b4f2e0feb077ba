"""Another clock than the board's oscillator, by the PLL of an ECP5: only when it is asked for.

The limits are those of the data sheet (FPGA-DS-02012, sysCLOCK PLL timing).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance, Signal

__all__ = ["Pll", "pll_for"]

#: Limits in hertz: of the phase detector, of the oscillator, of an output.
_DETECTOR = (3_125_000, 400_000_000)
_VCO = (400_000_000, 800_000_000)
_OUT = (3_125_000, 400_000_000)
_MOST_REFERENCE, _MOST_FEEDBACK, _MOST_OUT = 128, 80, 128


@dataclass(frozen=True, kw_only=True)
class Pll:
    """How an EHXPLLL makes a clock, exactly.

    The detector compares input / ``reference`` with CLKOP / ``feedback``; the oscillator is
    ``primary`` times CLKOP. The clock is CLKOP, or, where ``secondary`` is not None, the oscillator
    through that divider.

    Parameters
    ----------
    input_hz, output_hz : int
    reference, feedback, primary : int
        Dividers: 1 to 128, 1 to 80, 1 to 128.
    secondary : int or None
        1 to 128.
    """

    input_hz: int
    output_hz: int
    reference: int
    feedback: int
    primary: int
    secondary: int | None = None

    @property
    def vco_hz(self) -> Fraction:
        """The frequency of the oscillator."""
        return Fraction(self.input_hz * self.feedback * self.primary, self.reference)

    def instance(self, *, i, o, locked) -> Instance:
        """Return the primitive; the phase of its outputs is that of the input."""
        compared = Signal()
        own = self.secondary is None
        unused = {f"p_CLKOS{n}_ENABLE": "DISABLED" for n in ("2", "3")}
        return Instance(
            "EHXPLLL",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=self.reference,
            p_CLKFB_DIV=self.feedback,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=self.primary,
            p_CLKOP_CPHASE=self.primary - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOS_ENABLE="DISABLED" if own else "ENABLED",
            p_CLKOS_DIV=self.secondary or 1,
            p_CLKOS_CPHASE=(self.secondary or 1) - 1,
            p_CLKOS_FPHASE=0,
            **unused,
            i_CLKI=i,
            i_CLKFB=o if own else compared,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(0),
            i_PHASESTEP=Const(0),
            i_PHASELOADREG=Const(0),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=o if own else compared,
            **({} if own else {"o_CLKOS": o}),
            o_LOCK=locked,
        )


def _settings(input_hz: int) -> Iterator[tuple[int, int, int]]:
    """Yield reference, feedback and primary dividers that keep to the limits."""
    for reference in range(1, _MOST_REFERENCE + 1):
        if not _DETECTOR[0] * reference <= input_hz <= _DETECTOR[1] * reference:
            continue
        for feedback in range(1, _MOST_FEEDBACK + 1):
            made = input_hz * feedback  # CLKOP, times the reference divider
            if not _OUT[0] * reference <= made <= _OUT[1] * reference:
                continue
            for primary in range(1, _MOST_OUT + 1):
                if _VCO[0] * reference <= made * primary <= _VCO[1] * reference:
                    yield reference, feedback, primary


def pll_for(*, input_hz: int, output_hz: int) -> Pll:
    """Return the settings that make exactly `output_hz`.

    Of several, those without a second output, with the fastest detector, then the fastest
    oscillator: the least jitter.

    Raises
    ------
    ValueError
        If there are none; the message names the nearest below and above that there are.
    """
    best: tuple[tuple, Pll] | None = None
    below, above = Fraction(0), Fraction(0)
    for reference, feedback, primary in _settings(input_hz):
        made = Fraction(input_hz * feedback, reference)
        vco = made * primary
        for secondary in (None, *_dividers(vco, output_hz)):
            clock = made if secondary is None else vco / secondary
            if not _OUT[0] <= clock <= _OUT[1]:
                continue
            if clock == output_hz:
                key = (secondary is not None, reference, -vco)
                if best is None or key < best[0]:
                    settings = Pll(
                        input_hz=input_hz,
                        output_hz=output_hz,
                        reference=reference,
                        feedback=feedback,
                        primary=primary,
                        secondary=secondary,
                    )
                    best = key, settings
            elif clock.denominator > 1:
                continue  # nobody can ask for it
            elif clock < output_hz:
                below = max(below, clock)
            elif not above or clock < above:
                above = clock
    if best is not None:
        return best[1]
    near = " and ".join(
        f"{int(clock) / 1e6:.6f}".rstrip("0").rstrip(".") for clock in (below, above) if clock
    )
    nearest = f"; the nearest that can are {near} MHz" if near else ""
    raise ValueError(f"Clock of {output_hz} Hz cannot be made from {input_hz} Hz by a PLL{nearest}")


def _dividers(vco: Fraction, output_hz: int) -> list[int]:
    """Return the dividers by which the oscillator comes nearest to a clock, from both sides."""
    exact = vco / output_hz
    near = {int(exact), int(exact) + 1}
    return [divider for divider in sorted(near) if 1 <= divider <= _MOST_OUT]
