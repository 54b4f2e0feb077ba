"""A few hundred damaged inputs of every kind; `python tests/damaged.py` runs thousands."""

import pytest
from fuzz.kinds import KINDS, run_case

from bitformer.model import cache, checkpoint, plain
from bitformer.model.files import open_regular
from bitformer.model.identity import digest_of

#: Cases of each kind that are run here: enough that each check that is removed below is missed.
COUNTS = {
    "config": 60,
    "csv": 40,
    "classes": 40,
    "kb-sqlite": 20,
    "kb-json": 20,
    "sensitivity": 10,
    "line": 20,
    "run": 20,
    "study": 4,
    "search": 4,
    "manifest": 40,
    "report": 30,
    "waves": 12,
    "frame": 40,
    "data-set": 20,
    "cache": 20,
    "model": 60,
}


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    """Where the originals are."""
    return tmp_path_factory.mktemp("damaged")


def wrong(kind, root):
    """Cases that ended as they must not."""
    found = []
    for number in range(COUNTS[kind]):
        verdict, done = run_case(kind, number, root)
        if verdict.bad:
            found.append(f"{kind}-{number}: {verdict.outcome}: {done}\n{verdict.detail}")
    return found


@pytest.mark.needs("posix")
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_refused_in_a_sentence(kind, root):
    assert not wrong(kind, root)


def _nothing(*_arguments):
    """Stands for a check."""


def _any_entry(path, _key, _suffix):
    with open_regular(path) as file:
        return file.read()


def _any_digest(data):
    return (digest_of(data)[0],) * 2


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    ("kind", "module", "name", "without"),
    [
        ("config", plain, "_typed", _nothing),
        ("manifest", plain, "_typed", _nothing),
        ("model", checkpoint, "digest_of", _any_digest),
        ("cache", cache, "_checked", _any_entry),
    ],
)
def test_a_check_that_is_removed_is_missed(kind, module, name, without, root, monkeypatch):
    monkeypatch.setattr(module, name, without)
    assert wrong(kind, root)
