"""The manifest of a build, ``bitformer.json``: the one place that writes and reads it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from bitformer.boards.build.directory import PLAN_FILE
from bitformer.model.errors import UserError
from bitformer.model.forecasts.answer import Answer
from bitformer.model.names import check_design_name
from bitformer.model.plain import built, shown
from bitformer.model.strict_json import read_json

__all__ = ["Manifest", "Toolchain"]

#: What builds a project: Vivado, or Yosys and nextpnr-xilinx.
Toolchain = Literal["vivado", "open"]

_POSITIVE = ("clock_hz", "latency_cycles", "interval_cycles")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A build: its design, its board, its link, and the file that the tools make of it.

    Parameters
    ----------
    name : str
        The top module, and the stem of the files.
    board : str
        A name of :mod:`bitformer.boards.catalog`.
    part : str
        Die, package and speed grade: ``"xc7s15ftgb196-1"``.
    clock_hz : int
        The design's clock.
    mmcm : bool
        Whether a clock generator makes that clock.
    link : str
        One of :data:`bitformer.boards.board.LINKS`.
    baud : int or None
        The rate of a UART, in bits per second.
    addresses : mapping or None
        The `ElasticMap` of the link ``"elastic"``.
    model_id : str or None
        The name of the model on that link, 16 bytes in hexadecimal.
    highest_sck_hz : int or None
        The fastest SPI clock of that link.
    input_bits, result_bits : int
        Bits of a number of a window, and of a result.
    unsigned : bool or None
        Whether these numbers are an ADC's words, from 0 on.
    bitstream : str
        A file in the build's folder.
    toolchain : ``"vivado"`` or ``"open"``
    model : str or None
        The hash of the model in hexadecimal, for an accelerator that was lowered from one.
    latency_cycles, interval_cycles : int or None
        Cycles of an inference, and from one to the next, likewise.
    answer : Answer or None
        What a result means, likewise.

    Raises
    ------
    UserError
        If a name, a hash or a number cannot be one, or the bitstream is outside the folder.
    """

    format: Literal[1] = 1
    name: str
    board: str
    part: str
    clock_hz: int
    mmcm: bool
    link: str
    baud: int | None = None
    addresses: Mapping[str, int] | None = None
    model_id: str | None = None
    highest_sck_hz: int | None = None
    input_bits: int
    result_bits: int
    unsigned: bool | None = None
    bitstream: str
    toolchain: Toolchain = "vivado"
    model: str | None = None
    latency_cycles: int | None = None
    interval_cycles: int | None = None
    answer: Answer | None = None

    def __post_init__(self):
        check_design_name(self.name, "name")
        for name in _POSITIVE:
            if (value := getattr(self, name)) is not None and not 0 < value < 2**53:
                raise UserError(f"{name} must be a positive number, not {value}")
        if self.model is not None and not re.fullmatch("[0-9a-f]{16}", self.model):
            raise UserError(f"model must be 16 hexadecimal digits, not {shown(self.model)}")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*\.bit", self.bitstream):
            raise UserError(
                "bitstream must be the name of a .bit file in that folder, not"
                f" {shown(self.bitstream)}"
            )

    @property
    def busy_cycles(self) -> int | None:
        """The cycles that an inference works: to its last result, or the next one's beginning."""
        if self.latency_cycles is None:
            return None
        return max(self.latency_cycles, self.interval_cycles or 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are known, as plain data."""
        found = {name: value for name, value in vars(self).items() if value is not None}
        return found if self.answer is None else found | {"answer": self.answer.to_dict()}

    def write(self, directory: Path) -> None:
        """Write the manifest into a build's folder."""
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        (directory / PLAN_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def find(cls, directory: Path) -> "Manifest | None":
        """Return the manifest in a folder; None if the folder holds no build.

        Fields that are unknown are ignored: a later version may have written them.

        Raises
        ------
        UserError
            If the file is damaged, or lacks a field.
        """
        path = directory / PLAN_FILE
        if not path.is_symlink() and not path.exists():
            return None
        data = read_json(path)
        if isinstance(data, dict):
            if "board" not in data:  # an accelerator without a board, as `elaborate` writes it
                return None
            known = {field.name for field in fields(cls)}
            data = {name: value for name, value in data.items() if name in known}
        return built(cls, data, str(path))

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """Return the manifest of the build in a folder.

        Raises
        ------
        UserError
            If there is none; and as `find`.
        """
        if (found := cls.find(directory)) is None:
            raise UserError(f"Directory {directory} holds no bitformer build")
        return found
