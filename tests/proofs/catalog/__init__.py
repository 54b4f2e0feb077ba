"""All proofs, each with the mutant that it must refuse."""

from proofs.catalog.arithmetic import arithmetic
from proofs.catalog.links import links
from proofs.catalog.luts import luts
from proofs.catalog.norms import norms
from proofs.catalog.post import post
from proofs.catalog.softmax import softmax
from proofs.catalog.streams import streams
from proofs.catalog.weights import weights
from proofs.question import Proof

__all__ = ["PROOFS", "proof"]

#: All of them.
PROOFS: tuple[Proof, ...] = (
    *arithmetic(),
    *post(),
    *softmax(),
    *norms(),
    *weights(),
    *luts(),
    *streams(),
    *links(),
)


def proof(name: str) -> Proof:
    """Return a proof by its name."""
    return next(one for one in PROOFS if one.name == name)
