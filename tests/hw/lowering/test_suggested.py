"""The order of rows that a model's structure suggests, and whether a stream sums ahead."""

from types import SimpleNamespace

from bitformer.hw.lowering import suggested
from bitformer.hw.program import Destination


def test_keys_come_before_queries_and_what_is_beside_comes_last(monkeypatch):
    """Of ranks the highest goes first: those of queries are the lower, by ``later`` more."""
    keeps = {"scores": Destination.KEY}
    monkeypatch.setattr(suggested, "lowering_of", lambda op: SimpleNamespace(keeps=keeps.get(op.y)))
    monkeypatch.setattr(suggested, "beside", lambda model: {"path"})
    for order in (["x", "q", "k", "path", "scores", "y"], ["x", "k", "q", "path", "scores", "y"]):
        model = SimpleNamespace(
            operations=[SimpleNamespace(y=name, reads=("q", "k")) for name in order]
        )
        for later in (0, 2, 5):
            found = suggested._ranks(model, later=later)
            assert found == {"x": 0, "q": 1 - later, "k": 3, "path": 3 - 6, "scores": 4, "y": 5}
