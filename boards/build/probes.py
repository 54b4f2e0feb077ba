"""JTAG probes that are attached, by the lists of openFPGALoader, and the choice of one."""

import re
import subprocess
from dataclasses import dataclass

from bitformer.model.errors import UserError

__all__ = ["Probe", "attached", "choose"]

#: Seconds that openFPGALoader may look at what is attached.
_PATIENCE = 30
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ID = r"0x([0-9a-fA-F]{4}):(?:0x)?([0-9a-fA-F]{4})"
_CABLE = re.compile(rf"(\S+)\s+{_ID}\s*")
_PROBE = re.compile(rf"(\d+)\s+(\d+)\s+{_ID}\s+(.*?)\s*")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One that is attached: its USB bus and device number, its vendor and product, its strings."""

    bus: int
    device: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        """``BUS:DEVICE``; openFPGALoader reads a number with a leading zero as octal."""
        return f"{self.bus}:{self.device}"

    def __str__(self) -> str:
        return f"{self.place} ({self.text})"


def attached(tool: str, cable: str) -> list[Probe]:
    """Return the probes of the kind of ``cable``, as openFPGALoader numbers them.

    None where it cannot say: an old one has no such list, or the system does not let it look.
    """
    try:
        said = subprocess.run(
            [tool, "--list-cables", "--scan-usb"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            text=True,
            errors="replace",
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = _COLOUR.sub("", said).splitlines()
    kinds = {found[1]: _kind(found[2], found[3]) for found in map(_CABLE.fullmatch, lines) if found}
    probes = [
        Probe(
            bus=int(found[1]), device=int(found[2]), kind=_kind(found[3], found[4]), text=found[5]
        )
        for found in map(_PROBE.fullmatch, lines)
        if found
    ]
    return [probe for probe in probes if probe.kind == kinds.get(cable)]


def _kind(vendor: str, product: str) -> str:
    return f"{vendor}:{product}".lower()


def choose(probes: list[Probe], *, usb: str | None, serial: str | None) -> list[str]:
    """Return the arguments that choose one of ``probes``; none for the only one.

    Parameters
    ----------
    probes : list of Probe
        That are attached; none where that is not known, and nothing is checked.
    usb : str or None
        ``BUS:DEVICE``.
    serial : str or None
        A serial number.

    Raises
    ------
    UserError
        If there are several and it is not said which, or what is said names none or several.
    """
    listed = ", ".join(map(str, probes))
    if usb is not None and serial is not None:
        raise UserError("--usb and --serial both name a probe: give one of them")
    if usb is not None:
        place = re.fullmatch("([0-9]{1,3}):([0-9]{1,3})", usb)
        if place is None:
            raise UserError(f"--usb must be BUS:DEVICE, two numbers such as 1:13, not {usb!r}")
        usb = f"{int(place[1])}:{int(place[2])}"
        if probes and usb not in {probe.place for probe in probes}:
            raise UserError(f"--usb must name a probe that is attached, {listed}, not {usb}")
        if len(probes) > 1 and int(place[1]) == 0:
            raise UserError(
                "--usb must name another bus than 0, which openFPGALoader takes for no choice,"
                f" where several probes are attached: {listed}. Take --serial"
            )
        return ["--busdev-num", usb]
    if serial is not None:
        meant = [probe for probe in probes if serial in probe.text.split()]
        if probes and len(meant) != 1:
            raise UserError(
                f"--serial must name one probe that is attached, {listed}; {serial!r} names"
                f" {len(meant)}"
            )
        return ["--ftdi-serial", serial]
    if len(probes) > 1:
        raise UserError(
            f"Several probes of one kind are attached: {listed}. Say which one with --usb"
            " BUS:DEVICE or --serial S"
        )
    return []
