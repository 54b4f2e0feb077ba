"""The trained models that ship."""

from bitformer.model.ready.library import Card, ready_cards

__all__ = ["Card", "models"]


def models() -> tuple[Card, ...]:
    """Return the cards of the trained models that ship; :func:`load` takes their names."""
    return ready_cards()
