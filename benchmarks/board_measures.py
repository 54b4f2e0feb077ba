"""What a build takes, shell and all, and what a shell takes by itself: Yosys counts."""

from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from bitformer.boards.board import part_of
from bitformer.boards.build.manifest import Manifest
from bitformer.boards.shell.shell import BoardShell
from bitformer.hw.parts import Part, Use
from bitformer.model.errors import UserError
from bitformer.model.progress import Progress, silent
from bitformer.synth.cache import default_cache, synthesized
from bitformer.synth.netlist import read_netlist
from bitformer.synth.resources import Resources
from bitformer.synth.yosys import find_tool

__all__ = ["PlanSynthesis", "ShellAlone", "synthesize_plan"]


@dataclass(frozen=True, kw_only=True)
class PlanSynthesis:
    """What a build takes of its part, by ``tool``, in ``seconds``."""

    part: Part
    tool: str
    seconds: float
    resources: Resources

    @property
    def uses(self) -> tuple[Use, ...]:
        """The part's budget beside what is taken."""
        return self.resources.uses(self.part)

    @property
    def over(self) -> tuple[Use, ...]:
        """The resources of which the part has too few."""
        return tuple(use for use in self.uses if use.over)


def synthesize_plan(
    directory: Path,
    *,
    cache: Path | None = None,
    progress: Progress = silent,
) -> PlanSynthesis:
    """Synthesize the design of a build in `directory` for its part.

    What has been synthesized before, by the same tool, comes from a cache.

    Raises
    ------
    UserError
        If there is no build, no Yosys, or it fails.
    """
    manifest = Manifest.read(directory)
    part = part_of(manifest.part)
    languages = {"v": "verilog", "il": "rtlil"}
    there = [end for end in languages if (directory / f"{manifest.name}.{end}").is_file()]
    if part is None or not there:
        raise UserError(f"Directory {directory} holds no bitformer build")
    source = (directory / f"{manifest.name}.{there[0]}").read_text(encoding="utf-8")
    if there[0] == "il":  # of which Yosys' own word is expected
        source = source.replace('rom_style "distributed"', 'rom_style "logic"')
    tool = find_tool()
    data, seconds = synthesized(
        tool,
        source,
        part.family,
        flatten=True,
        folder=cache or default_cache(),
        language=languages[there[0]],
        top=manifest.name,
        progress=progress,
    )
    netlist = read_netlist(data, family=part.family, module=manifest.name)
    return PlanSynthesis(
        part=part,
        tool=tool.version,
        seconds=seconds,
        resources=Resources.of(netlist.counts, part.family),
    )


class ShellAlone(wiring.Component):
    """A shell without its accelerator, whose streams are ports.

    Parameters
    ----------
    shell : BoardShell

    Members
    -------
    Those of the shell, those of its endpoint but for ``link``, ``o_fault`` and ``o_wake``, and
    ``o_run``, which stops the accelerator's clock.
    """

    def __init__(self, *, shell: BoardShell):
        self._shell = shell
        members = shell.endpoint.signature.members.items()
        self._inner = {name: m for name, m in members if name not in ("link", "o_fault", "o_wake")}
        super().__init__({**dict(shell.signature.members.items()), **self._inner, "o_run": Out(1)})

    def elaborate(self, platform):
        m = Module()
        _, sleep = self._shell.front(m, self)
        m.d.comb += self.o_run.eq(sleep.o_run)
        for name, member in self._inner.items():
            inner, outer = getattr(self._shell.endpoint, name), getattr(self, name)
            if member.is_port:
                m.d.comb += outer.eq(inner)
            else:
                wiring.connect(m, inner, wiring.flipped(outer))
        return m
