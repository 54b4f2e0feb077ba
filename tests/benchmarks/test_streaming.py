"""What docs/streaming.md says of streams: within the seeds of windows, equal by steps, or not."""

from pathlib import Path

import pytest

from bitformer.study.trials import Outcome

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """The script's folder is where it runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import streaming

    return streaming


def measured(script, row, config, errors, equal=None):
    """What is known of a model with such test errors."""
    outcomes = [
        Outcome(
            trial=trial,
            float_val=1.0,
            float_test=0.02,
            val=1.0,
            test=error,
            warnings=(),
            model=None,
        )
        for trial, error in zip(row.trials(config), errors, strict=False)
    ]
    return script.Measured(config=config, outcomes=outcomes, equal=equal)


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ((0.02, 0.021, 0.022), "-4.5%, better than all"),
        ((0.022, 0.022, 0.022), "+0.0%, within its seeds"),
        ((0.022, 0.024, 0.026), "+9.1%, **worse** than its worst seed"),
        ((), "–"),
    ],
)
def test_a_stream_is_judged_by_the_seeds_of_windows(script, errors, said):
    row = script.ROWS[0]
    window = measured(script, row, row.window, (0.0215, 0.022, 0.0225))
    stream = measured(script, row, row.streams[0], errors)
    assert script.verdict(stream, window) == said
    assert script.verdict(window, window) == "–"


@pytest.mark.parametrize(
    ("equal", "said"), [((9, 9), "all 9 equal"), ((7, 9), "**2 of 9 differ**")]
)
def test_the_page_says_what_differs(script, equal, said):
    row = script.ROWS[0]
    window = measured(script, row, row.window, (0.02, 0.022))
    stream = measured(script, row, row.streams[0], (0.021,), equal)
    lines = script.section([row], [[window, stream]])
    assert lines[0] == script.TITLE
    assert f"{row.task}:" in lines
    own = next(line for line in lines if line.startswith("| etth1-96-24-stream "))
    assert own.endswith(f"| {row.streams[0].macs} | {said} |")
    assert "| 0.0210 ± 0.0000 | 0.0210 | 0.0200 | +0.0%, within its seeds |" in own


def test_every_stream_has_a_model_of_windows_on_the_same_rows(script):
    for row in script.ROWS:
        assert not row.window.stream
        for config in row.streams:
            assert config.stream
            assert (config.window, config.horizon) == (row.window.window, row.window.horizon)
            assert [trial.settings for trial in row.trials(config)] == [
                trial.settings for trial in row.trials(row.window)
            ]
