"""Blocks of code in README and guides: which run here, in which folder, and on what data."""

import itertools
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click
from click.testing import CliRunner
from docs_data import give

from bitformer.cli.main import cli
from bitformer.model.checkpoint import save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

__all__ = [
    *("NEEDS", "PAGES", "ROOT", "RUN", "SHOWN"),
    *("Block", "Session", "blocks", "commands", "parse"),
]

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

#: Languages whose blocks are commands, and those of what is shown, or compiled by other tests.
RUN, SHOWN = frozenset({"sh", "python"}), frozenset({"text", "json", "c"})
#: Fewest epochs.
SHORT = ["--epochs", "1", "--qat-epochs", "1"]
#: The training that a page goes on with.
FIRST = ["bitformer", "train", "--data", "my.csv", "--target", "power", "--time", "time"]
FIRST += ["--config", "etth1-48-24", "-o"]
#: Exit codes of commands that may say more than that they are done: rounding cost too much, after
#: an epoch; a plan is written, and what builds it is not here.
CODES = {"train": {0, 1}, "build": {0, 2}}
#: What may keep a block from being run by tests: what stands in ``<!-- needs: … -->`` above it.
NEEDS = frozenset(
    {
        "a board",
        "a build's reports",
        "a checkpoint of yours",
        "a fresh machine",
        "files of yours",
        "minutes",
        "published data",
        "the package index",
    }
)
BLOCK = re.compile(
    r"^(?: *<!-- needs: (?P<needs>[^>]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its page, its line, its language and why it is not run, if it is not."""

    page: str
    line: int
    language: str
    text: str
    needs: str | None

    @property
    def place(self) -> str:
        """Where it stands, as an editor opens it."""
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    text, found = page.read_text(encoding="utf-8"), []
    for match in BLOCK.finditer(text):
        lines = match["text"].splitlines()
        found.append(
            Block(
                page=page.name,
                line=text.count("\n", 0, match.start("indent")) + 1,
                language=match["language"],
                text="\n".join(line.removeprefix(match["indent"]) for line in lines),
                needs=match["needs"],
            )
        )
    return found


def commands(block: Block) -> list[list[str]]:
    """The command lines of a block of ``sh``, without comments; a line may go on after ``\\``."""
    text = re.sub(r"\\\n\s*", "", block.text)
    found = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words for words in found if words]


def parse(args: list[str]) -> click.Context:
    """Take a command line as click does, without running it."""
    command = cli.get_command(click.Context(cli), args[0])
    assert command is not None, args
    whole = click.Context(cli, **cli.context_settings)  # a command keeps its help option's names
    return command.make_context(args[0], list(args[1:]), parent=whole)


@dataclass(kw_only=True)
class Session:
    """A page's blocks, one after another in the current folder, which is ``folder``."""

    folder: Path
    #: What the programs of a page have defined so far.
    names: dict = field(default_factory=lambda: {"__name__": "__main__"})

    def run(self, block: Block) -> None:
        """Run a block; an assertion fails where a command does."""
        if block.language == "python":
            self._given(re.findall(r"[\"']([\w/.-]+\.(?:csv|safetensors))[\"']", block.text))
            exec(compile(block.text, block.place, "exec"), self.names)
        elif block.language == "sh":
            for words in commands(block):
                self._run(words, block.place)

    def _run(self, words: list[str], place: str) -> None:
        self._given(words)
        if words[0] == "python":
            shutil.copytree(ROOT / "examples", self.folder / "examples", dirs_exist_ok=True)
            words = [sys.executable, "-P", *words[1:]]
            done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
            assert done.returncode == 0, (place, done.stderr)
            return
        assert words[0] == "bitformer", (place, words)
        short = SHORT if words[1] == "train" else []
        said = CliRunner(catch_exceptions=False).invoke(cli, [*words[1:], *short])
        assert said.exit_code in CODES.get(words[1], {0}), (place, words, said.output)
        if words[1] == "build" and said.exit_code:
            assert "builds elsewhere" in said.stderr, (place, words, said.output)

    def _given(self, words: list[str]) -> None:
        """Put into the folder what a reader has already: data, a run, a model for hardware."""
        outputs = [after for word, after in itertools.pairwise(words) if word == "-o"]
        for name in (word for word in words if word not in outputs):
            if (self.folder / name).exists() or give(name, self.folder):
                continue
            if run := re.fullmatch(r"(runs/\w+)(/model\.safetensors)?", name):
                self._run([*FIRST, run[1]], "a first run")
            elif name.endswith(".safetensors"):
                save_model(initialize(named_config("tiny")), self.folder / name)
