"""A picture of an inference: which layer uses the engine and the post-processor, and when."""

from bitformer.hw.design import Design
from bitformer.hw.timeline import Span, lane_spans, spans
from bitformer.model.picture import picture

__all__ = ["plot_timeline"]


def plot_timeline(design: Design, path) -> None:
    """Write the timeline to ``path``; its suffix (.png, .svg, .pdf) chooses the format.

    A line is a layer, or where there are several token rows, one of these or a post-processor,
    which a colour for each layer fills.

    Raises :class:`UserError` without matplotlib, or for a format or a folder it cannot write.
    """
    lines = _by_token_row(design) if design.geometry.rows > 1 else _by_layer(design)
    names = list(dict.fromkeys(line for line, *_ in lines))
    kinds = list(dict.fromkeys(kind for *_, kind in lines))
    with picture(path, figsize=(11, 1.2 + 0.34 * max(len(names), len(kinds) - 2))) as (_, axes):
        for number, kind in enumerate(kinds):
            label: str | None = kind
            for place, name in enumerate(names):
                own = [one for one in lines if (one[0], one[-1]) == (name, kind)]
                bars = [(s.start, s.end - s.start) for _, s, _, _ in own]
                if bars:
                    offset = place + own[0][2]
                    axes.broken_barh(
                        bars,
                        (offset - 0.18, 0.36) if own[0][2] else (offset - 0.4, 0.8),
                        color=_colour(number, len(kinds)),
                        linewidth=0,
                        label=label,
                    )
                    label = None
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("cycle (0: first sample taken)")
        axes.set_xlim(0, design.latency)
        name = design.model.config.name
        axes.set_title(f"{name} on {design.part}: {design.latency} cycles")
        if design.geometry.rows > 1:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
        else:
            axes.legend(loc="lower left", fontsize="small")


#: The line of a bar, the bar, how far it is off the line's middle, and what its colour says.
_Line = tuple[str, Span, float, str]


def _by_layer(design: Design) -> list[_Line]:
    offsets = {"engine": -0.2, "post-processor": 0.2}
    return [(span.layer, span, offsets[span.unit], span.unit) for span in spans(design)]


def _by_token_row(design: Design) -> list[_Line]:
    found = [(line, span, 0.0, span.layer) for line, span in lane_spans(design)]
    return sorted(found, key=lambda one: (one[1].unit, one[0]))


def _colour(number: int, count: int) -> str:
    """Return a colour for the number: those of two units, or of many layers."""
    if count == 2:
        return ("tab:blue", "tab:orange")[number]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps["tab20"](number % 20))
