"""A picture of a search: error against latency and energy, as predicted and as it came out."""

from collections.abc import Mapping
from typing import Any

from bitformer.model.picture import picture
from bitformer.model.task import TASKS

__all__ = ["plot_search"]

_AXES = (("latency", 1e6, "latency, µs"), ("energy_j", 1e6, "energy of an inference, µJ (a model)"))


def plot_search(result: Mapping[str, Any], path) -> None:
    """Write what :func:`bitformer.search.run.run_search` came to; the suffix is the format.

    Rings are predictions: the float model's validation error, and what bits add to it before they
    are trained. A line ties each to the dot of what came out, which the scale is for: a ring far
    above is left out. Raises :class:`UserError` without matplotlib, or for a format or a folder it
    cannot write.
    """
    base, clock = result["float_val"], result["question"]["limits"]["clock_hz"]
    with picture(path, nrows=1, ncols=2, figsize=(11, 4.6), sharey=True) as (_, both):
        for column, (axes, (name, factor, label)) in enumerate(zip(both, _AXES, strict=True)):
            scale = factor / clock if name == "latency" else factor
            front = [
                (point[1 + column] * scale, base + point[0]) for point in result["space"]["pareto"]
            ]
            if front:
                x, y = zip(*front, strict=True)
                axes.plot(x, y, "x", color="lightgrey", label="Pareto set, predicted")
            for designs, colour, title in (
                (result["candidates"], "tab:blue", "candidate"),
                (result["baselines"], "tab:orange", "uniform bits"),
            ):
                _points(axes, designs, name, scale, base, colour, title)
            axes.set_xlabel(label)
            axes.axhline(base, color="grey", linewidth=0.8, linestyle=":", label="float model")
        both[0].set_ylabel(_ylabel(result))
        found = [
            one["val"]
            for one in (*result["candidates"], *result["baselines"])
            if one["val"] is not None
        ]
        spread = max([*found, base]) - min([*found, base])
        both[0].set_ylim(min([*found, base]) - 0.3 * spread, max([*found, base]) + spread)
        both[0].legend(loc="upper right", fontsize=8)  # the best place takes its time


def _ylabel(result: Mapping[str, Any]) -> str:
    """Return what the errors are."""
    task = TASKS[result["question"]["config"].get("task", "forecast")]
    of = ", standardised" if task.gives_target else ""
    return f"validation error ({task.error_name}{of})"


def _points(axes, designs, name: str, scale: float, base: float, colour: str, title: str) -> None:
    rings = f"{title}, predicted"
    for one in designs:
        if one["predicted"] is None or one["val"] is None:
            continue
        x = [one["predicted"][name] * scale, one["came_out"][name] * scale]
        y = [base + one["loss"], one["val"]]
        axes.plot(x, y, "-", color=colour, linewidth=0.6, alpha=0.6)
        axes.plot(x[:1], y[:1], "o", markerfacecolor="none", color=colour, label=rings)
        axes.plot(x[1:], y[1:], "o", color=colour, label=title)
        title = rings = "_nolegend_"  # once in the legend
        text = str(one.get("rank", one["why"].removeprefix("uniform ")))
        axes.annotate(text, (x[1], y[1]), xytext=(4, 3), textcoords="offset points", fontsize=7)
