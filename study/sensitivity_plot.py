"""A picture of what each component adds to the error at each width."""

from bitformer.model.picture import picture
from bitformer.model.precision import read_weights
from bitformer.study.sensitivity import Sensitivity

__all__ = ["plot_sensitivity"]


def plot_sensitivity(result: Sensitivity, path) -> None:
    """Write a heat map to ``path``, whose suffix chooses the format.

    Components by width, and everything but one component at the lowest. Numbers are relative to the
    float model's error; colours end at twice of it. Raises :class:`UserError` without matplotlib,
    or for a format or a folder it cannot write.
    """
    names = list(result.alone)
    widths = sorted(
        {bits for errors in result.alone.values() for bits in errors},
        key=read_weights,
        reverse=True,
    )
    columns = [*(f"{bits} bit" for bits in widths), f"spared\nfrom {result.low_bits} bit"]
    rows = [[*(result.alone[name][bits] for bits in widths), result.spared[name]] for name in names]
    rows = [[100 * (error / result.base - 1) for error in row] for row in rows]
    size = (2 + 0.9 * len(columns), 1.2 + 0.34 * len(names))
    with picture(path, figsize=size) as (figure, axes):
        colours = axes.imshow(rows, cmap="magma_r", vmin=0, vmax=100, aspect="auto")
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(names)), names)
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                colour = "white" if value > 50 else "black"
                axes.text(x, y, f"{value:+.1f}", ha="center", va="center", color=colour, fontsize=8)
        figure.colorbar(colours, label="added validation error, %")
