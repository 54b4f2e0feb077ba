"""Trained models from elsewhere, as the float model of a run: read, checked, or refused by name."""
