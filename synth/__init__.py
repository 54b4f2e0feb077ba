"""Synthesis: Yosys, its netlists, what they take of a part, how deep their logic is."""
