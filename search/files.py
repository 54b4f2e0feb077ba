"""Files of a search, which appear whole or not at all."""

import os
from pathlib import Path

from bitformer.model.errors import UserError

__all__ = ["write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, in a folder that is made; several processes may, the last one stays.

    Raises :class:`UserError` where that cannot be.
    """
    data = content if isinstance(content, bytes) else content.encode()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
