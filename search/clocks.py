"""The clocks of a search's candidates: measured where they were routed, else predicted once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bitformer.estimate.clock import PREDICTED, Reached, reached
from bitformer.estimate.knowledge import Entry
from bitformer.model.errors import UserError
from bitformer.model.sealed_json import read_sealed, write_sealed

__all__ = ["CandidateClocks"]


class CandidateClocks:
    """What candidates on a part reach, by what a knowledge base knew when the search began.

    What is predicted for the part is written into ``path``, since the base grows meanwhile.

    Parameters
    ----------
    path : Path
        The file.
    entries : sequence of Entry
        Of the base.
    part : str
    """

    def __init__(self, path: Path, entries: Sequence[Entry], part: str):
        self._entries, self._part = entries, part
        try:
            known = read_sealed(path)
        except UserError:
            known = {}
        if part not in known:
            found = reached(entries, part)
            known[part] = None if found is None or found.by != PREDICTED else found.to_dict()
            write_sealed(path, known)
        self._predicted = None if known[part] is None else Reached(**known[part])

    def of(self, proof: Mapping[str, Any]) -> Reached | None:
        """Return the clock of a candidate by its record (:func:`.verification.verify`)."""
        synthesis = proof.get("synthesis") or {}
        own = [Entry.from_dict(one) for one in proof.get("entries", ())]
        found = reached(
            [*self._entries, *own],
            self._part,
            digest=synthesis.get("digest"),
            loads=synthesis.get("loads"),
        )
        if found is None or found.by == PREDICTED:
            return self._predicted
        return found
