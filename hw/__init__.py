"""Synthesizable units, the program that drives them, and lowering and estimating that program."""
