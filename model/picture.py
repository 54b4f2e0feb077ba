"""Pictures, by matplotlib where it is installed."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.files import whole_file

__all__ = ["check_picture", "picture"]


def check_picture(path=None) -> None:
    """Raise :class:`UserError` where no picture can be drawn, or not in the format of ``path``.

    To be called before long work.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("a picture needs matplotlib: pip install 'bitformer[plot]'")
    if path is None:
        return
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if (Path(path).suffix[1:] or "png").lower() not in known:
        raise UserError(f"a picture must be .png, .svg or .pdf, not {Path(path).name!r}")


@contextmanager
def picture(path, **layout: Any) -> Iterator[tuple[Any, Any]]:
    """Yield matplotlib's figure and axes, of ``subplots(**layout)``; in the end they are written.

    The suffix of ``path`` (.png, .svg, .pdf) chooses the format. Raises :class:`UserError` without
    matplotlib, or for a format or a file it cannot write.
    """
    check_picture()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(layout="constrained", **layout)
    try:
        yield figure, axes
        with whole_file(path) as part:
            try:
                figure.savefig(part, dpi=150, format=Path(path).suffix[1:] or "png")
            except ValueError as error:
                raise UserError(f"{path} cannot be written: {error}") from None
    finally:
        pyplot.close(figure)
