"""What makes a design fit: components narrower, one step at a time."""

from pathlib import Path

import pytest

from bitformer.model.config import named_config

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def deployable(monkeypatch):
    """The script, in the folder where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import deployable

    return deployable


def test_each_component_is_narrowed_by_a_step(deployable):
    config = named_config("grid-6-8-8")
    cases = dict(deployable._narrowed(config))
    assert len(cases) > 3
    for component, narrower in cases.items():
        changed = {c for c in cases if narrower.bits(c) != config.bits(c)}
        assert changed == {component}
        assert narrower.bits(component).weights == 6
