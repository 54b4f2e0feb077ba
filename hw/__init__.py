"""The accelerator: its units, the lowering of a model to their program, and what both share."""
