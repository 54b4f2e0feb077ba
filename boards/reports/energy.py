"""Energy of an inference, alone and over a day."""

from dataclasses import dataclass

__all__ = [
    "BATTERY_MAH",
    "BATTERY_V",
    "Day",
    "Energy",
    "battery_days",
    "configuration_seconds",
    "energy",
]

_DAY_S = 86_400
#: A lithium cell of the size 18650, where nobody says which battery: mAh, and its mean voltage.
BATTERY_MAH, BATTERY_V = 2600.0, 3.6


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of evenly spaced inferences, ``forecasts`` of them, in joules.

    ``idle_j``: the FPGA stays on between them. ``off_j``: its power is cut after each, and it is
    configured again before the next, and a stream is fed again what it had kept; None where there
    is no time for that. ``best`` is the name of the smaller one.
    """

    forecasts: int
    idle_j: float
    off_j: float | None

    @property
    def best(self) -> str:
        return "idle" if self.off_j is None or self.idle_j <= self.off_j else "off"


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy that follows from a power and a number of cycles.

    Parameters
    ----------
    seconds : float
        Of an inference, cycles / clock.
    inference_j : float
        Reported total power × seconds.
    idle_w : float
        Between inferences.
    configuration_s, configuration_j : float
        To load the bitstream once, and what that takes.
    break_even_s : float
        The time from one inference to the next above which switching off takes less.
    day : Day
    """

    seconds: float
    inference_j: float
    idle_w: float
    configuration_s: float
    configuration_j: float
    break_even_s: float
    day: Day


def configuration_seconds(*, bits: int, width: int, rate_hz: float) -> float:
    """Return the seconds to read `bits` over `width` lines at `rate_hz`.

    Power-up (10 to 50 ms), the flash's address phase and the start-up sequence come on top; the
    FPGA's own configuration clock may be off by half.
    """
    return bits / (width * rate_hz)


def energy(
    *,
    total_w: float,
    idle_w: float,
    cycles: int,
    clock_hz: float,
    configuration_s: float,
    configuration_w: float,
    forecasts: int,
    refill: int = 0,
) -> Energy:
    """Return the energy of an inference and of a day of them.

    With t = `cycles` / `clock_hz` and N `forecasts` in a day of D = 86 400 s:

    - one inference: E = P_total · t
    - a day, idle in between: N · E + P_idle · (D − N · t)
    - a day, off in between: N · (E + P_config · t_config + R · E)

    R, `refill`, are the steps of a stream before one that forecasts, as its rings are empty.
    Off is taken as no power at all: what regulators and a flash take is the board's.

    Raises
    ------
    ValueError
        If `forecasts` is below 1, or more than a day has time for.
    """
    seconds = cycles / clock_hz
    if forecasts < 1 or forecasts * seconds > _DAY_S:
        most = int(_DAY_S / seconds)
        raise ValueError(f"Inferences per day must be 1 to {most}, not {forecasts}")
    inference_j = total_w * seconds
    configuration_j = configuration_w * configuration_s
    return Energy(
        seconds=seconds,
        inference_j=inference_j,
        idle_w=idle_w,
        configuration_s=configuration_s,
        configuration_j=configuration_j,
        break_even_s=seconds + (configuration_j + refill * inference_j) / idle_w,
        day=Day(
            forecasts=forecasts,
            idle_j=forecasts * inference_j + idle_w * (_DAY_S - forecasts * seconds),
            off_j=(
                forecasts * ((1 + refill) * inference_j + configuration_j)
                if forecasts * ((1 + refill) * seconds + configuration_s) <= _DAY_S
                else None
            ),
        ),
    )


def battery_days(day_j: float, *, mah: float, volts: float = BATTERY_V) -> float:
    """Return the days that a battery lasts: charge · voltage / energy of a day.

    An mAh is 3.6 coulombs. The battery's own discharge and what a regulator loses are not in it.

    Parameters
    ----------
    day_j : float
        Joules of a day.
    mah, volts : float
        The battery's charge in milliampere-hours, and its mean voltage.
    """
    return mah * 3.6 * volts / day_j
