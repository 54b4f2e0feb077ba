"""What is compared, and how outcomes become rows."""

from pathlib import Path

import pytest

from bitformer.model.config import named_config
from bitformer.model.precision import Precision
from bitformer.study.comparison import at_width, comparison_trials, tabulate
from bitformer.study.trials import Outcome


def test_widths():
    config = named_config("etth1-48-24-ed")
    narrow = at_width(config, 2, 6, 16)
    assert narrow.default == Precision(weights=2, activations=6)
    assert {*narrow.precision} == {"Linput", "Dinput", "CMHA", "Loutput"}
    assert {*narrow.precision.values()} == {Precision(weights=16, activations=16)}
    assert at_width(config, 2).precision == {}
    assert {*at_width(named_config("tiny"), 2, 8, 8).precision} == {"Linput", "Loutput"}


def test_schemes_are_compared_as_widths(config, source):
    trials = comparison_trials(config, source, widths=(4, "4p", "8p"), methods=("qat",), seeds=(0,))
    assert [trial.config.default for trial in trials] == [
        Precision.parse(one) for one in ("4/8", "4p/8", "8p/8")
    ]
    assert [trial.config.name for trial in trials] == ["small-w4", "small-w4p", "small-w8p"]
    rows = tabulate([outcome(trial, 2.0, 1.0) for trial in trials])[1:]
    assert [(row.bits, row.scheme) for row in rows] == [
        *((8, "power-of-two"), (4, "power-of-two"), (4, "uniform"))
    ]
    assert [row.compression_published for row in rows] == [4, 8, 8]


def outcome(trial, test, before):
    return Outcome(
        trial=trial,
        float_val=before + 1,
        float_test=before,
        val=test + 1,
        test=test,
        warnings=("x",),
        model=Path("m"),
    )


def test_rows(config, source):
    trials = comparison_trials(config, source, widths=(2, 4), seeds=(0, 1))
    assert len(trials) == 8
    errors = {(2, "ptq"): 8.0, (2, "qat"): 4.0, (4, "ptq"): 3.0, (4, "qat"): 2.0}
    outcomes = [
        outcome(
            trial,
            errors[trial.config.default.weights, trial.settings["method"]] + trial.settings["seed"],
            1.0 + trial.settings["seed"],
        )
        for trial in trials
    ]
    rows = tabulate(outcomes)
    assert [(row.bits, row.method) for row in rows] == [
        *((None, "float"), (4, "ptq"), (4, "qat"), (2, "ptq"), (2, "qat"))
    ]
    assert rows[0].test == 1.5
    assert rows[0].increase == 0
    last = rows[-1]
    assert (last.test, last.val, last.seeds, last.warnings) == (4.5, 5.5, 2, 2)
    assert last.test_spread == pytest.approx(0.5**0.5)
    assert last.increase == pytest.approx((4 / 1 + 5 / 2) / 2 - 1)
    assert last.compression_published == 16
