"""Random designs: of every family in turn, the same whoever draws how many, and all of them fit."""

from itertools import islice

import pytest

from bitformer.estimate import shapes
from bitformer.estimate.jobs import Job
from bitformer.estimate.shapes import FAMILIES, drawn, family_of
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize


@pytest.fixture(scope="module")
def jobs():
    """One design of each family."""
    return dict(zip(FAMILIES, islice(drawn(3), len(FAMILIES)), strict=True))


def test_each_family_in_turn(jobs):
    """What a family is named for is in its design."""
    assert {job.family: name for name, job in jobs.items()} == {name: name for name in FAMILIES}
    configs = {name: job.config for name, job in jobs.items()}
    assert configs["decoder"].decoder_layers
    assert configs["stream"].stream
    assert configs["asymmetric"].asymmetric
    assert configs["several"].inputs > 1
    assert configs["deep"].layers > 1
    assert configs["wide"].bits("MHA") != configs["wide"].bits("Linput")
    assert configs["odd"].d_model & (configs["odd"].d_model - 1)
    assert [configs[name].block for name in ("mixer", "mlp")] == ["mixer", "mlp"]
    tasks = [configs[name].task for name in ("classifier", "detector")]
    assert tasks == ["classify", "detect"]
    design = jobs["rows"].lowered()
    assert design.geometry.rows == jobs["rows"].rows > 1
    weights = jobs["columns"].lowered().geometry.weights
    assert (weights.soft, weights.broad > 0) == (
        jobs["columns"].lut_lanes // 2,
        jobs["columns"].broad > 0,
    )


def test_a_design_that_was_not_drawn_has_a_family():
    """By its configuration, or by its hardware."""

    def found(name, **options):
        return family_of(lower(initialize(named_config(name)), **options))

    assert found("grid-6-8-4") == "grid"
    assert found("grid-6-8-4", part="xc7s50", rows=2, lanes=32) == "rows"
    assert found("tiny") == "etth1"
    assert [found(name) for name in ("strike-25", "mlp-96-24")] == ["classifier", "mlp"]
    assert set(map(found, ("tiny", "strike-25"))) <= set(FAMILIES)


def test_designs_do_not_depend_on_how_many(jobs):
    few = list(islice(drawn(3, ("mlp", "grid")), 2))
    assert few == [jobs["mlp"], jobs["grid"]]
    again = list(islice(drawn(3, ("mlp",)), 2))
    assert again[0] == few[0]
    assert again[1].config.replace(name="any") != few[0].config.replace(name="any")
    other = next(drawn(4, ("mlp",)))
    assert other.config.replace(name="any") != few[0].config.replace(name="any")


def test_a_job_is_made_of_its_description(jobs):
    for job in jobs.values():
        assert Job.of(job.described) == job
    assert len({job.name for job in jobs.values()}) == len(jobs)


def test_what_cannot_be_built_or_does_not_fit_is_drawn_again(jobs, monkeypatch):
    """Here one that the units cannot run, then one of too many block RAMs, of LUTs, of columns."""
    good = jobs["mlp"]
    refused = Job(config=good.config, lanes=1, rows=2)
    with pytest.raises(UserError):
        refused.lowered()
    large = Job(config=shapes.grid_config(24, 64, 8), part="xc7s6")
    unused = Job(config=jobs["wide"].config, part="xc7s25", lut_lanes=16)
    assert not unused.lowered().geometry.weights.soft
    tries = iter([refused, large, unused, good])
    monkeypatch.setitem(FAMILIES, "mlp", lambda _draw: next(tries))
    found = next(drawn(1, ("mlp",)))
    assert found.part == good.part
    assert found.config.replace(name="any") == good.config.replace(name="any")
    assert found.lowered().geometry.dsps <= PARTS[found.part].dsps


def test_an_unknown_family_is_refused():
    with pytest.raises(UserError, match="families must be of decoder, rows"):
        next(drawn(1, ("cnn",)))
