"""The fixtures of these tests."""

from measurement_harness import designs, entries, predictor
from study_harness import config, fast, source

__all__ = ["config", "designs", "entries", "fast", "predictor", "source"]
