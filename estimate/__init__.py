"""Before synthesis: cycles and stores exactly, logic by measured designs, energy by a model."""
