"""Each proof as a test, without its own mutant, whose text another mutant may have changed."""

import pytest
from proofs.catalog import PROOFS
from proofs.prover import ask

pytestmark = pytest.mark.filterwarnings("ignore:Domain 'sync' is used in:DeprecationWarning")


@pytest.mark.parametrize("one", PROOFS, ids=lambda one: one.name)
def test_proof(one):
    assert not ask(one.question()).refused
