"""A board's project: written, synthesized, run, loaded."""
