"""Disks that get full, and read-only ones: mounted for a test, as root may."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "64k") -> Iterator[Path]:
    """A disk of its own in ``folder``, which is made."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, *, spare: int = 0) -> Path:
    """Take what is left of a disk but ``spare`` bytes; gives the file that holds it."""
    path = folder / "filler"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - spare)
    return path


@contextlib.contextmanager
def read_only(disk: Path) -> Iterator[Path]:
    """The disk of :func:`small_disk`, on which nothing can be written meanwhile."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
