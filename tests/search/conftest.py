"""The fixtures of these tests."""

from measurement_harness import designs, entries, predictor
from search_harness import question
from study_harness import config, fast, source

__all__ = ["config", "designs", "entries", "fast", "predictor", "question", "source"]
