"""Another clock than the board's oscillator, by an MMCM: only when it is asked for."""

from dataclasses import dataclass

from amaranth.hdl import Instance, Signal

__all__ = ["GENERATOR_W", "Mmcm", "mmcm_for"]

#: Watts of an MMCM, by Vivado's reports of XC7S15, XC7S25 and XC7S50 designs. It is five
#: times the static power of an XC7S15.
GENERATOR_W = 0.105

#: Limits in the slowest speed grade, in hertz; quoted from memory of DS189, and Vivado checks them.
_LEAST_VCO, _MOST_VCO = 600_000_000, 1_200_000_000
_LEAST_IN = 10_000_000
#: Highest frequency of a global buffer.
_MOST_OUT = 464_000_000
#: Multiplier and divider count in eighths.
_STEP = 8


@dataclass(frozen=True, kw_only=True)
class Mmcm:
    """How an MMCME2 makes a clock: input × `multiply` / 8, through the oscillator, × 8 / `divide`.

    Parameters
    ----------
    input_hz, output_hz : int
    multiply, divide : int
        In eighths: 16 to 512 and 8 to 1024.
    """

    input_hz: int
    output_hz: int
    multiply: int
    divide: int

    def instance(self, *, i, o, locked) -> Instance:
        """Return the primitive; its feedback is internal: nothing depends on the clock's phase."""
        feedback = Signal()
        return Instance(
            "MMCME2_BASE",
            p_CLKIN1_PERIOD=1e9 / self.input_hz,
            p_CLKFBOUT_MULT_F=self.multiply / _STEP,
            p_CLKOUT0_DIVIDE_F=self.divide / _STEP,
            p_DIVCLK_DIVIDE=1,
            i_CLKIN1=i,
            i_CLKFBIN=feedback,
            i_RST=0,
            i_PWRDWN=0,
            o_CLKFBOUT=feedback,
            o_CLKOUT0=o,
            o_LOCKED=locked,
        )


def mmcm_for(*, input_hz: int, output_hz: int) -> Mmcm:
    """Return the settings that make exactly `output_hz`, with the fastest oscillator of several.

    Raises
    ------
    ValueError
        If there are none.
    """
    if input_hz >= _LEAST_IN and 0 < output_hz <= _MOST_OUT:
        for multiply in range(512, 15, -1):
            if not _LEAST_VCO * _STEP <= input_hz * multiply <= _MOST_VCO * _STEP:
                continue
            divide, rest = divmod(input_hz * multiply, output_hz)
            # Between one and two, the divider takes whole numbers only.
            if rest == 0 and _STEP <= divide <= 1024 and not _STEP < divide < 2 * _STEP:
                return Mmcm(
                    input_hz=input_hz, output_hz=output_hz, multiply=multiply, divide=divide
                )
    raise ValueError(f"Clock of {output_hz} Hz cannot be made from {input_hz} Hz by an MMCM")
