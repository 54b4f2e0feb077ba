"""A linear fit of resources on physical features, in relative error, with its spread.

Ridge regression on scaled columns (Hoerl and Kennard, 1970), towards what is known of each
coefficient: few designs are measured, and their features go together. The residual of each design
is the one of a fit without it (leave-one-out, in closed form from the diagonal of the hat matrix),
so the spread is that of new designs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Fit", "fit"]

#: Weight of the penalty for each measurement, in units of the scaled columns.
PENALTY = 3e-4


@dataclass(frozen=True, kw_only=True)
class Fit:
    """``sum(coefficient * feature)``. ``residuals`` are relative, each of a fit without its row."""

    coefficients: Mapping[str, float]
    residuals: np.ndarray

    def predict(self, features: Mapping[str, Any]) -> Any:
        """Return the value for features: a number, or an array if they are."""
        return sum(value * features[name] for name, value in self.coefficients.items())


def fit(
    rows: Sequence[Mapping[str, float]],
    targets: Sequence[float] | np.ndarray,
    priors: Mapping[str, float],
    penalty: float = PENALTY,
) -> Fit:
    """Fit ``targets`` on features of ``rows``, one for each measured design.

    ``priors`` names the features, each with the coefficient it has as long as nothing speaks
    against it; ``penalty`` is how much it holds to them.
    """
    names, known = list(priors), np.array(list(priors.values()), dtype=np.float64)
    x = np.array([[float(row[name]) for name in names] for row in rows])
    y = np.maximum(1.0, np.asarray(targets, dtype=np.float64))
    scale = np.abs(x).max(axis=0)
    scale[scale == 0] = 1.0
    typical = float(np.median(y))
    weighted = x / scale * (typical / y)[:, None]
    wanted = 1.0 - x @ known / y
    gram = weighted.T @ weighted + penalty * len(y) * np.eye(len(names))
    inverse = np.linalg.inv(gram)
    beta = inverse @ (weighted.T @ wanted)
    leverage = np.einsum("ij,jk,ik->i", weighted, inverse, weighted)
    residuals = (wanted - weighted @ beta) / np.maximum(1e-3, 1.0 - leverage)
    values = known + beta / scale * typical
    return Fit(coefficients=dict(zip(names, map(float, values), strict=True)), residuals=residuals)
