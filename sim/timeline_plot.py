"""A picture of an inference: which layer uses the engine and the post-processor, and when."""

from bitformer.hw.design import Design
from bitformer.hw.timeline import spans
from bitformer.model.picture import picture

__all__ = ["plot_timeline"]


def plot_timeline(design: Design, path) -> None:
    """Write the timeline to ``path``; its suffix (.png, .svg, .pdf) chooses the format.

    Raises :class:`UserError` without matplotlib, or for a format or a folder it cannot write.
    """
    rows = spans(design)
    layers = list(dict.fromkeys(span.layer for span in rows))
    colours = {"engine": "tab:blue", "post-processor": "tab:orange"}
    with picture(path, figsize=(11, 1.2 + 0.34 * len(layers))) as (_, axes):
        for unit, offset in (("engine", -0.2), ("post-processor", 0.2)):
            for place, layer in enumerate(layers):
                bars = [
                    (s.start, s.end - s.start) for s in rows if (s.layer, s.unit) == (layer, unit)
                ]
                axes.broken_barh(
                    bars,
                    (place + offset - 0.18, 0.36),
                    color=colours[unit],
                    linewidth=0,
                    label=unit if place == 0 else None,
                )
        axes.set_yticks(range(len(layers)), layers)
        axes.invert_yaxis()
        axes.set_xlabel("cycle (0: first sample taken)")
        axes.set_xlim(0, design.latency)
        name = design.model.config.name
        axes.set_title(f"{name} on {design.part}: {design.latency} cycles")
        axes.legend(loc="lower left", fontsize="small")
