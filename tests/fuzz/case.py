"""A case: originals, what is damaged of a copy of them, and the command that is run on it."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.damage import Damage, stand_in
from fuzz.judge import Verdict, call, command, contents

__all__ = ["Case", "Kind"]


#: Stays in a folder that a command has held: another may be waiting for it.
_LOCK = ".bitformer-lock"


@dataclass
class Case:
    """Where a case takes place: ``originals`` are read only, ``folder`` is its own, and empty.

    ``done`` says what was damaged, and how, for people.
    """

    rng: random.Random
    originals: Path
    folder: Path
    done: list[str] = field(default_factory=list)

    def copy(self, *names: str) -> Path:
        """Copy originals, folders and all; gives the last one's place."""
        for name in names:
            source, target = self.originals / name, self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)
        return target

    def damage(self, path: Path, how: Damage, *, odd: bool = True) -> Path:
        """Damage a file in place; ``odd`` : seldom, something else takes its place."""
        name = path.relative_to(self.folder)
        if odd and (instead := stand_in(self.rng, path)):
            self.done.append(f"{name}: {instead}")
            return path
        path.write_bytes(how(self.rng, path.read_bytes()))
        self.done.append(f"{name}: {getattr(how, '__name__', 'damaged')}")
        return path

    def run(self, *arguments: object, changes: tuple[str, ...] = ()) -> Verdict:
        """A command line. It changes no file but those that match ``changes``; when it refuses what
        it is given, it changes none at all, and makes none but those."""
        line = [str(one) for one in arguments]
        self.done.append("bitformer " + " ".join(line))
        return self._kept(lambda: command(line, self.folder), changes)

    def call(
        self,
        name: str,
        function: Callable[[], object],
        *,
        changes: tuple[str, ...] = (),
        gone: tuple[str, ...] = (),
    ) -> Verdict:
        """The same for a function below the command line; ``gone`` may change in any case."""
        self.done.append(name)
        return self._kept(lambda: call(function, self.folder), changes, gone)

    def _kept(
        self, run: Callable[[], Verdict], changes: tuple[str, ...], gone: tuple[str, ...] = ()
    ) -> Verdict:
        before = contents(self.folder)
        verdict = run()
        after = contents(self.folder)
        if verdict.bad:
            return verdict
        refused = verdict.outcome == "refused"
        free = {name for name in after.keys() | before.keys() if _matches(name, changes)}
        made = {name for name in after if after[name] is not None and Path(name).name != _LOCK}
        if refused and (left := sorted(made - before.keys() - free)):
            return Verdict("left", f"{left[0]} is left, although: {verdict.detail}")
        for name, content in before.items():
            kept = name not in (() if refused else free) and not _matches(name, gone)
            if kept and after.get(name, "gone") != content:
                return Verdict("lost", f"{name} is changed or gone; {verdict.detail}")
        return verdict


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(Path(name).match(pattern) for pattern in patterns)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of input.

    ``share`` : cases of 10 000. ``make`` writes the originals, once. ``case`` damages and runs; it
    returns the verdict. ``digest`` : whether the input carries one, so that no change is silent.
    """

    share: int
    make: Callable[[Path], None]
    case: Callable[[Case], Verdict]
    digest: bool = False
