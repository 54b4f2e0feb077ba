"""What ``bitformer train`` and ``evaluate`` say of a detector."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitformer.cli.report import Report
    from bitformer.model.detection_evaluation import DetectionEvaluation

__all__ = ["show_detection"]


def show_detection(report: "Report", scores: "DetectionEvaluation") -> None:
    """Print what was flagged, and the errors of the network behind it."""
    report.line(str(scores))
    rows = scores.dataset.test.window
    if scores.longest >= rows:
        report.line(
            f"The longest alarm lasts {scores.longest} windows: rows of a fault are in what the"
            f" next {rows} windows see, so a shorter --window lets the flag down sooner"
        )
    if scores.errors:
        dataset = scores.dataset
        report.table(
            ("network", "MSE"),
            [(name, f"{error:.4g}") for name, error in scores.errors.items()],
            title=f"{dataset.name}, {dataset.target}: forecasts that what came is compared with",
        )
