"""A directory that is written whole or not at all."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bitformer.model.errors import UserError
from bitformer.model.files import is_of_writing, unwritable

__all__ = ["PLAN_FILE", "whole_directory"]

#: The file by which a build directory of ours is known.
PLAN_FILE = "bitformer.json"


@contextlib.contextmanager
def whole_directory(target: Path, *, force: bool = False) -> Iterator[Path]:
    """Yield an empty directory that takes the place of `target` when the block ends well.

    When the block raises, Ctrl-C included, `target` is as it was and nothing else is left. What
    stood at `target` is deleted only after the new directory stands there.

    Parameters
    ----------
    target : Path
        An absolute path. Missing parents are made.
    force : bool
        Whether `target` may be replaced when it has files in it and is no build of ours.

    Raises
    ------
    UserError
        If `target` is a file, has other files in it, holds the current directory or the home
        directory, or cannot be written.
    """
    _check_target(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that renaming moves no data.
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise unwritable(f"Build directory {target}", error) from None
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        yield fresh
        _swap(fresh, target, scratch / "old")
    except OSError as error:
        if is_of_writing(error, scratch) or is_of_writing(error, target):
            raise unwritable(f"Build directory {target}", error) from None
        raise
    finally:
        # What stood at the target is kept where even putting it back failed.
        if target.exists() or not (scratch / "old").exists():
            shutil.rmtree(scratch, ignore_errors=True)


def _check_target(target: Path, force: bool):
    for place, name in ((Path.cwd(), "current"), (Path.home(), "home")):
        if place.resolve().is_relative_to(target.resolve()):
            raise UserError(
                f"Build directory {target} would replace the {name} directory; name another one"
            )
    if not target.exists():
        return
    if not target.is_dir():
        raise UserError(f"Build directory {target} is a file; name another one")
    ours = (target / PLAN_FILE).is_file()
    if any(target.iterdir()) and not ours and not force:
        raise UserError(
            f"Build directory {target} has files in it and is no bitformer build; "
            "name another one, or empty it"
        )


def _swap(fresh: Path, target: Path, old: Path):
    try:
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
