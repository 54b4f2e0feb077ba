"""Trained models that ship, each with a card, and how they are found by name."""
