"""A simulator of synthesized netlists: primitives as lines of Python."""
