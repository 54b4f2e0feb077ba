"""What a bundle says of itself: how its parts were made, so that they can be made again."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bitformer.boards.catalog import find_board
from bitformer.model.errors import UserError
from bitformer.model.plain import built, shown
from bitformer.model.strict_json import parse_json

__all__ = [
    "BUILD",
    "DESIGN",
    "ENVIRONMENT",
    "GOLDEN",
    "MANIFEST",
    "MODEL",
    "README",
    "REPORT",
    "SUMS",
    "BundleManifest",
    "Golden",
]

#: Files of a bundle; ``DESIGN`` and ``BUILD`` are folders.
MANIFEST, SUMS, README = "bundle.json", "SHA256SUMS", "README.txt"
MODEL, GOLDEN, REPORT = "model.safetensors", "golden.safetensors", "report.html"
ENVIRONMENT, DESIGN, BUILD = "environment.json", "design/", "build/"
#: Arguments that a bundle may name: of :func:`bitformer.lower`, and of a design's ``build``.
_HARDWARE = {"lanes", "rows", "posts", "pack", "placement", "lut_lanes", "effort", "phases"}
_BUILD = {"name", "link", "baud", "clock_hz", "toolchain"}
#: Windows that a bundle may have.
_MOST_SAMPLES = 10_000


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Windows of random integers, and what becomes of them.

    Parameters
    ----------
    samples, seed : how many, and of the random numbers. Of a stream they are its patches.
    latency, interval : cycles of the first window, and from one to the next.
    """

    samples: int
    seed: int
    latency: int
    interval: int

    def __post_init__(self):
        if not 1 <= self.samples <= _MOST_SAMPLES:
            raise UserError(f"samples must be 1 to {_MOST_SAMPLES}, not {self.samples}")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed must be 0 to {2**32 - 1}, not {self.seed}")


@dataclass(frozen=True, kw_only=True)
class BundleManifest:
    """How a bundle was made.

    Parameters
    ----------
    made : date and time, in UTC.
    model_hash : of what the model computes, 16 hexadecimal digits.
    board : its name.
    hardware : arguments of :func:`bitformer.lower` beside the part.
    build : arguments of :meth:`bitformer.AcceleratorDesign.build` beside the board.
    golden : its vectors.
    outputs : files of the build that tools made, which are not made again: bitstream and reports.
    releases : what it was made with, by name.
    """

    format: Literal[1] = 1
    made: str
    model_hash: str
    board: str
    hardware: Mapping[str, Any]
    build: Mapping[str, Any]
    golden: Golden
    outputs: list[str] = field(default_factory=list)
    releases: Mapping[str, str]

    def __post_init__(self):
        if not re.fullmatch("[0-9a-f]{16}", self.model_hash):
            raise UserError(
                f"model_hash must be 16 hexadecimal digits, not {shown(self.model_hash)}"
            )
        find_board(self.board)
        for name, known in (("hardware", _HARDWARE), ("build", _BUILD)):
            if unknown := sorted(set(getattr(self, name)) - known):
                raise UserError(
                    f"{name} must have arguments among {', '.join(sorted(known))}, not"
                    f" {shown(unknown[0])}"
                )

    def text(self) -> str:
        """Return the file's text."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, data: bytes) -> "BundleManifest":
        """Return the manifest of a file's bytes.

        Raises :class:`UserError`, naming the file, if it is damaged or lacks a field.
        """
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{MANIFEST} must be text in UTF-8") from None
        return built(cls, parse_json(text, MANIFEST), MANIFEST)
