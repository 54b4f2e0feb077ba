"""The drawing of a timetable: that of today's design, and each of its cycles in one bar."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bitformer.hw.lowering.lower import lower
from bitformer.hw.timeline import Span, spans
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def timetable(monkeypatch):
    """The script's folder is where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import timetable

    return timetable


def test_drawings_are_todays(timetable, tmp_path, monkeypatch):
    said = CliRunner().invoke(timetable.main)
    assert said.exit_code == 0, said.output
    monkeypatch.setattr(timetable, "FOLDER", tmp_path)
    assert CliRunner().invoke(timetable.main, ["--write"]).exit_code == 0
    assert CliRunner().invoke(timetable.main).exit_code == 0
    for name in timetable.PICTURES:
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text("another")
        said = CliRunner().invoke(timetable.main)
        assert (said.exit_code, said.output) == (
            1,
            f"{name}: the design has changed: --write draws it anew\n",
        )
        (tmp_path / name).write_text(text)


def test_sums_for_the_next_step_have_a_line_of_their_own(timetable):
    design = lower(initialize(named_config("etth1-96-24-stream")))
    drawn = timetable.drawn(design)
    assert [name for name in ("output ahead", "path ahead") if f">{name}<" in drawn] == [
        "output ahead",
        "path ahead",
    ]
    ends = {one.layer: one.end for one in spans(design)}
    assert ends["output"] < ends["output ahead"]


def test_no_cycle_is_lost_or_drawn_twice(timetable):
    found = spans(lower(initialize(named_config("tiny"))))
    kept = list(timetable.merged(found))

    def cycles(some):
        return {(one.layer, one.unit, at) for one in some for at in range(one.start, one.end)}

    assert cycles(kept) == cycles(found)
    assert len(cycles(kept)) == sum(one.end - one.start for one in kept)
    assert len(kept) < len(found)


def test_spans_that_do_not_meet_stay_apart(timetable):
    one, other = (Span(layer="a", unit="engine", start=at, end=at + 2) for at in (0, 3))
    assert list(timetable.merged([other, one])) == [one, other]
