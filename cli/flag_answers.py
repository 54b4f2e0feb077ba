"""What ``bitformer predict`` says of a detector: alarms among the newest windows."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.forecasts.flags import Flags

__all__ = ["show_flags"]

#: Alarms that a table shows.
_SHOWN = 12


def show_flags(report: "Report", found: "Flags") -> None:
    """Print when the flag went up and down, and whether it is up."""
    alarms, last = found.alarms, len(found) - 1
    timed = found.times is not None
    if alarms:
        report.table(
            ("flag up at", *(["time"] if timed else []), "up to", "windows"),
            [
                (
                    f"line {found.lines[start]}",
                    *([found.when(start)] if timed else []),
                    f"line {found.lines[stop - 1]}",
                    stop - start,
                )
                for start, stop in alarms[-_SHOWN:]
            ],
            title=f"Alarms of {found.target}, the newest last",
            words=2 + timed,
        )
    many = f"{len(alarms)} alarm{'' if len(alarms) == 1 else 's'}"
    report.line(f"Flag up in {found.share:.2%} of {len(found)} windows, in {many}")
    when = f", {found.when(last)}" if timed else ""
    state = "up" if found.numbers[last] else "not up"
    report.line(f"Of the newest, which judges line {found.lines[last]}{when}, the flag is {state}")
    if len(found) > 1:
        report.line("The flag of each window is in --csv and --json")
