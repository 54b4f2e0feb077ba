"""The site is built once for all tests of it."""

from site_harness import copy, site

__all__ = ["copy", "site"]
