"""Forecasts of several targets, each in its own units."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bitformer.model.clipping import Clipped
from bitformer.model.forecasts.result import Forecast
from bitformer.model.forecasts.rows import rows_as_csv

__all__ = ["Forecasts"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Forecasts:
    """Forecasts of the same windows for several targets.

    Parameters
    ----------
    by_target : of each target its :class:`Forecast`, in the order that the model has them.
    """

    by_target: tuple[Forecast, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(one.target for one in self.by_target)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people."""
        return self.by_target[0].notes

    @property
    def clipped(self) -> tuple[Clipped, ...]:
        """Numbers of the windows and of the forecasts beyond what words hold."""
        return self.by_target[0].clipped

    def __len__(self) -> int:
        return len(self.by_target[0])

    def __iter__(self) -> Iterator[Forecast]:
        return iter(self.by_target)

    def __getitem__(self, target: str) -> Forecast:
        """Return the forecasts of a target by its name; ``KeyError`` if there is none."""
        return dict(zip(self.targets, self.by_target, strict=True))[target]

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield a row for each step of each forecast of each target, which it names first."""
        for one in self:
            for row in one.rows():
                yield {"target": one.target, **row}

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the forecasts as CSV, with the target's name first; also write a file, if named.

        The other columns are those of :meth:`Forecast.to_csv`; ``truth`` is empty for a target
        that the file lacks, if it has another one.
        """
        return rows_as_csv(self.rows(), path)

    def plot(self, path: str | Path) -> tuple[Path, ...]:
        """Draw a picture for each target, as :meth:`Forecast.plot` does; return their names.

        ``week.png`` becomes ``week-1.png`` for the first target, and so on.
        """
        path = Path(path)
        found = []
        for number, one in enumerate(self, start=1):
            found.append(path.with_name(f"{path.stem}-{number}{path.suffix}"))
            one.plot(found[-1])
        return tuple(found)

    def to_dict(self) -> dict[str, object]:
        """Return the forecasts as plain data: those of each target, with its name."""
        return {
            "targets": list(self.targets),
            "forecasts": [one.to_dict() for one in self],
            "notes": list(self.notes),
            "clipped": [one.to_dict() for one in self.clipped],
        }

    def __repr__(self) -> str:
        return f"<Forecasts of {len(self.by_target)} targets: {', '.join(map(repr, self))}>"
