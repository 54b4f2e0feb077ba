"""The fixtures of these tests."""

from measurement_harness import designs, entries, predictor
from study_harness import config

__all__ = ["config", "designs", "entries", "predictor"]
