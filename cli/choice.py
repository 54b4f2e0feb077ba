"""How a configuration was chosen, as a table."""

from typing import TYPE_CHECKING

from bitformer.hw.parts import PARTS

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.search.auto import Choice

__all__ = ["show_choice"]


def show_choice(report: "Report", choice: "Choice") -> None:
    """Print what was tried, what it came to, and why something was not chosen."""
    rows: list[tuple[object, ...]] = []
    for one in choice.tried:
        config, taken = one.config, one.taken
        rows.append(
            (
                f"{one.what} (chosen)" if config == choice.config else one.what,
                config.window,
                config.patch,
                config.d_model,
                "-" if one.error is None else f"{one.error:.4f}",
                taken.get("latency", "-"),
                taken.get("luts", "-"),
                taken.get("ramb18", "-"),
                one.against or "",
            )
        )
    from bitformer.model.task import task_for

    error = f"validation {task_for(choice.config).error_name}"
    ram = PARTS[choice.part].family.block_ram.name
    columns = ("tried", "window", "patch", "width", error, "cycles", "LUT", ram)
    title = f"Short trainings without rounding, for the {choice.part}"
    report.table((*columns, "against it"), rows, title=title)
