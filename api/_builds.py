"""Builds: a design's project for a board, in a folder."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitformer._models import Note
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent

if TYPE_CHECKING:
    from bitformer.boards.reports.report import BuildReport
    from bitformer.hw.design import Design
    from bitformer.synth.routing import Routing

__all__ = ["Build", "built"]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Build:
    """A project in a folder.

    Parameters
    ----------
    folder : of the project.
    board : the board's name.
    name : of the top module and of the files.
    """

    folder: Path
    board: str
    name: str

    @property
    def command(self) -> str:
        """The command that builds it, on any machine with the tools, in the folder."""
        return f"sh build_{self.name}.sh"

    def run(self, *, seeds: int | None = None, progress: Progress = silent) -> Path:
        """Run the tools and return the bitstream.

        Parameters
        ----------
        seeds
            How many seeds place and route, where nextpnr is run here; the best one counts. By
            default 3.
        progress
            Called with what is done, of how much, and what goes on.

        Raises
        ------
        UserError
            If a tool is not installed, or fails.
        """
        from bitformer.boards.build.run import run_plan

        return run_plan(self.folder, seeds=seeds, progress=progress)

    def report(self) -> "BuildReport":
        """Return the tools' reports, as ``bitformer report`` shows them.

        Raises
        ------
        UserError
            If there are no reports yet, or they are damaged.
        """
        from bitformer.boards.reports.report import read_build

        return read_build(self.folder)

    def routing(self) -> "Routing":
        """Return what place and route made of it, of a part that is routed here.

        Raises
        ------
        UserError
            If it was not routed here, or not yet.
        """
        if (found := self.report().routing) is None:
            raise UserError(f"Build in {self.folder} must be routed here first: use run()")
        return found

    def problems(self) -> tuple[str, ...]:
        """Return what the tools' reports have against the build: nothing, if it is good.

        Raises
        ------
        UserError
            If there are no reports yet, or they are damaged.
        """
        return self.report().problems

    def to_dict(self) -> dict[str, object]:
        """Return the build as plain data."""
        return {"folder": str(self.folder), "board": self.board, "name": self.name}

    def __repr__(self) -> str:
        return f"<Build {self.name} for {self.board} in {self.folder}>"


def built(
    design: "Design",
    asked: Mapping[str, Any],
    board: str,
    *,
    clock_hz: int | None = None,
    note: Note,
    progress: Progress,
    **options: Any,
) -> Build:
    """Write a board's project; see :meth:`bitformer.AcceleratorDesign.build`."""
    from bitformer.boards.build.design import build_design
    from bitformer.boards.build.fit import TooLargeError
    from bitformer.boards.build.manifest import Manifest
    from bitformer.boards.build.open_platform import proxy_of
    from bitformer.boards.build.platforms import generator_of, platform_for
    from bitformer.boards.catalog import find_board

    found = find_board(board)
    made = platform_for(found, options.get("toolchain"), clock_hz=clock_hz)[1].generator
    if made is not None:
        generator, cost = generator_of(found)
        note(
            f"{generator[0].upper()}{generator[1:]} makes {made.output_hz / 1e6:g} MHz of"
            f" {made.input_hz / 1e6:g} MHz" + (f"; it takes {cost}" if cost else "")
        )
    if options.get("toolchain") == "open" and (proxy := proxy_of(found.part)):
        note(f"{proxy[0].upper()}{proxy[1:]}")
    given = {name: value for name, value in options.items() if value is not None}
    try:
        folder = build_design(design, found, clock_hz=clock_hz, **given)
    except TooLargeError as error:
        raise UserError(f"{error}; {_remedy(design, asked, error, progress)}") from None
    return Build(folder=folder, board=found.name, name=Manifest.read(folder).name)


def _remedy(design: "Design", asked: Mapping[str, Any], error: Any, progress: Progress) -> str:
    """Return what to change of what was asked for, as the end of a sentence."""
    from bitformer.estimate.remedies import remedies

    if design.banks > 1:
        return "it may without --reloadable, which keeps the weights twice"
    # a change may leave no block RAM for the shell
    memory = dataclasses.replace(error.memory, placement="distributed")
    found = remedies(design.model, **asked, beside=(memory,), most=1, progress=progress)
    if not found:
        return f"more is tried by 'bitformer doctor --part {design.part}'"
    if found[0].larger:
        return f"a board with an {found[0].figures.part} would do"
    return f"it does with {found[0].change}, in {found[0].figures.latency} cycles"
