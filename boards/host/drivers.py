"""The drivers for firmware as files: one for MicroPython, headers for C."""

from importlib import resources
from pathlib import Path

from bitformer.model.errors import UserError
from bitformer.model.files import write_whole

__all__ = ["DRIVERS", "write_drivers"]

#: Files by the language of firmware; they stand beside this module, and need no others.
DRIVERS = {
    "micropython": ("bitformer_micro.py",),
    "c": ("bitformer.h", "bitformer_scale.h"),
}


def write_drivers(language: str, folder: str | Path) -> list[Path]:
    """Write the drivers of a language into a folder, and return their paths.

    Parameters
    ----------
    language
        A key of :data:`DRIVERS`.
    folder
        It is made if it is missing. A driver of another release is replaced.

    Raises
    ------
    UserError
        If the language is unknown, or something else is there by the name of a driver.
    """
    if language not in DRIVERS:
        raise UserError(f"Language must be one of {', '.join(DRIVERS)}, not {language!r}")
    own = resources.files("bitformer.boards.host")
    contents = {name: (own / name).read_bytes() for name in DRIVERS[language]}
    folder = Path(folder)
    for name, content in contents.items():
        _check(folder / name, content)
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]


def _check(path: Path, content: bytes) -> None:
    """Raise :class:`UserError` if a file is there that no release of the driver can be."""
    if not path.exists():
        return
    first = content.splitlines()[0]
    if not path.is_file() or path.read_bytes()[: len(first)] != first:
        raise UserError(f"{path} must be a driver of bitformer's, or not be there: name another -o")
