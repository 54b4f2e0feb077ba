"""A simulator of synthesized netlists: primitives of the 7 series as lines of Python."""
