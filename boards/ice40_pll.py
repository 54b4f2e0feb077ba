"""Another clock than the oscillator's, by the PLL of an iCE40: only when it is asked for.

Formula and limits are those of FPGA-TN-02052, with simple feedback.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance

__all__ = ["IcePll", "ice_pll_for"]

#: Limits in hertz: of the input, of the phase detector, of the oscillator, of the output.
_IN = (10_000_000, 133_000_000)
_DETECTOR = (10_000_000, 133_000_000)
_VCO = (533_000_000, 1_066_000_000)
_OUT = (16_000_000, 275_000_000)
_MOST_REFERENCE, _MOST_FEEDBACK = 16, 128
_SHIFTS = range(1, 7)
#: Where the loop filter's next setting begins, in megahertz at the detector; the first is 1.
_FILTERS_MHZ = (17, 26, 44, 66, 101)


@dataclass(frozen=True, kw_only=True)
class IcePll:
    """How an SB_PLL40 makes a clock, exactly.

    The detector compares input / ``reference`` with the oscillator / ``feedback``; the clock is the
    oscillator / 2 ** ``shift``.

    Parameters
    ----------
    input_hz, output_hz : int
    reference, feedback : int
        Dividers: 1 to 16, 1 to 128.
    shift : int
        1 to 6.
    """

    input_hz: int
    output_hz: int
    reference: int
    feedback: int
    shift: int

    @property
    def detector_hz(self) -> Fraction:
        """The frequency at the phase detector."""
        return Fraction(self.input_hz, self.reference)

    @property
    def vco_hz(self) -> Fraction:
        """The frequency of the oscillator."""
        return self.detector_hz * self.feedback

    @property
    def filter_range(self) -> int:
        """The setting of the loop filter, 1 to 6."""
        return 1 + sum(self.detector_hz >= mhz * 1_000_000 for mhz in _FILTERS_MHZ)

    def instance(self, *, pad=None, core=None, o, locked) -> Instance:
        """Return the primitive, for an input from a ball, ``pad``, or from the chip, ``core``."""
        kind = "SB_PLL40_CORE" if pad is None else "SB_PLL40_PAD"
        source = {"i_REFERENCECLK": core} if pad is None else {"io_PACKAGEPIN": pad}
        return Instance(
            kind,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(self.reference - 1, 4),
            p_DIVF=Const(self.feedback - 1, 7),
            p_DIVQ=Const(self.shift, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            **source,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=o,
            o_LOCK=locked,
        )


def _settings(input_hz: int) -> Iterator[tuple[int, int, int]]:
    """Yield reference, feedback and shift that keep to the limits."""
    if not _IN[0] <= input_hz <= _IN[1]:
        return
    for reference in range(1, _MOST_REFERENCE + 1):
        if not _DETECTOR[0] * reference <= input_hz <= _DETECTOR[1] * reference:
            continue
        for feedback in range(1, _MOST_FEEDBACK + 1):
            vco = input_hz * feedback  # times the reference divider
            if not _VCO[0] * reference <= vco <= _VCO[1] * reference:
                continue
            for shift in _SHIFTS:
                if _OUT[0] * reference << shift <= vco <= _OUT[1] * reference << shift:
                    yield reference, feedback, shift


def ice_pll_for(*, input_hz: int, output_hz: int) -> IcePll:
    """Return the settings that make exactly `output_hz`: of several, with the fastest detector.

    Raises
    ------
    ValueError
        If there are none; the message names the nearest below and above that there are.
    """
    below, above = Fraction(0), Fraction(0)
    for reference, feedback, shift in _settings(input_hz):
        clock = Fraction(input_hz * feedback, reference << shift)
        if clock == output_hz:
            return IcePll(
                input_hz=input_hz,
                output_hz=output_hz,
                reference=reference,
                feedback=feedback,
                shift=shift,
            )
        if clock.denominator > 1:
            continue  # nobody can ask for it
        if clock < output_hz:
            below = max(below, clock)
        elif not above or clock < above:
            above = clock
    near = " and ".join(
        f"{int(clock) / 1e6:.6f}".rstrip("0").rstrip(".") for clock in (below, above) if clock
    )
    nearest = f"; the nearest that can are {near} MHz" if near else ""
    raise ValueError(f"Clock of {output_hz} Hz cannot be made from {input_hz} Hz by a PLL{nearest}")
