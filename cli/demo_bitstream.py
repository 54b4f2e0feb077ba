"""The end of the demo: the same model as a bitstream, made on the spot, where the tools are."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bitformer
from bitformer.cli.report import Report
from bitformer.model.progress import progress_bar

__all__ = ["BOARD", "Bitstream", "make_bitstream", "missing_tool"]

#: The board, the clock that is asked for, and the folder's name.
BOARD, CLOCK_HZ, FOLDER = "ulx3s-25f", 60_000_000, "build-ulx3s"
#: Seeds of place and route: as many as most machines do at once.
SEEDS = 2
#: The programs that it takes, as `bitformer.tools` names them.
_TOOLS = ("Yosys", "nextpnr-ecp5", "ecppack")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bitstream:
    """What came of it: the file, the clock that is reached, and what it takes of the chip."""

    path: Path
    board: str
    asked_mhz: float
    reached_mhz: float
    cycles: int
    luts: int
    luts_available: int
    problems: tuple[str, ...]

    @property
    def latency_us(self) -> float:
        """Microseconds of a forecast at the design's clock, which is the one asked for."""
        return self.cycles / self.asked_mhz

    def lines(self) -> Iterator[str]:
        """Yield what people read of it."""
        yield f"Bitstream:     {self.path} (load it with 'bitformer program', or any other way)"
        yield (
            f"  {self.board}: {self.reached_mhz:.1f} MHz after routing, {self.asked_mhz:g} asked;"
            f" {self.latency_us:.1f} us a forecast; {self.luts} of {self.luts_available} LUTs,"
            " shell and all"
        )
        for problem in self.problems:
            yield f"  NOT good: {problem}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            **dataclasses.asdict(self),
            "path": str(self.path),
            "latency_us": self.latency_us,
        }


def missing_tool() -> str | None:
    """Return why no bitstream can be made here; None if it can."""
    return next(
        (tool.remedy for tool in bitformer.tools() if tool.name in _TOOLS and tool.remedy), None
    )


def make_bitstream(model: "bitformer.Model", output: Path, report: Report) -> Bitstream:
    """Build the model for the board in a folder of ``output``, with two seeds."""
    from bitformer.boards.catalog import find_board

    board = find_board(BOARD)
    design = bitformer.lower(model, part=board.part)
    build = design.build(BOARD, to=output / FOLDER, name="top", clock_hz=CLOCK_HZ, note=report.note)
    with progress_bar() as progress:
        path = build.run(seeds=SEEDS, progress=progress)
    routing = build.routing()
    luts = routing.uses[0]
    return Bitstream(
        path=path,
        board=board.title,
        asked_mhz=CLOCK_HZ / 1e6,
        reached_mhz=routing.best_mhz,
        cycles=design.latency,
        luts=luts.used,
        luts_available=luts.available,
        problems=routing.problems,
    )
