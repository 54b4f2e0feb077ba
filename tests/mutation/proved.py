"""Each proof as a test, without its own mutant, whose text another mutant may have changed."""

import pytest
from proofs import prover
from proofs.catalog import PROOFS
from proofs.prover import ask

pytestmark = pytest.mark.filterwarnings("ignore:Domain 'sync' is used in:DeprecationWarning")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A mutant's question may be far harder than the unit's, which takes seconds."""
    monkeypatch.setattr(prover, "PATIENCE", 20)


@pytest.mark.parametrize("one", PROOFS, ids=lambda one: one.name)
def test_proof(one):
    assert not ask(one.question()).refused
