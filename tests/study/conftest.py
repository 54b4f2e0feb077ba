"""The fixtures of these tests."""

from study_harness import config, fast, source

__all__ = ["config", "fast", "source"]
