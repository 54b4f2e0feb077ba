"""Pictures, by matplotlib where it is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bitformer.model.errors import UserError
from bitformer.model.files import whole_file

__all__ = ["picture"]


@contextmanager
def picture(path, **layout: Any) -> Iterator[tuple[Any, Any]]:
    """Yield matplotlib's figure and axes, of ``subplots(**layout)``; in the end they are written.

    The suffix of ``path`` (.png, .svg, .pdf) chooses the format. Raises :class:`UserError` without
    matplotlib, or for a format or a file it cannot write.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise UserError("a picture needs matplotlib: pip install 'bitformer[plot]'") from None
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
