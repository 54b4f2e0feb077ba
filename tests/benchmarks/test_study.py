"""The page on rounding: which trainings it has, what counts as a tie, and what is written."""

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner

from bitformer.model.config import named_config
from bitformer.model.precision import Precision
from bitformer.study.trials import Outcome

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
CYCLES = {16: 24551, 8: 24305, 4: 23160, 2: 23160}


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import study

    return study


@pytest.fixture
def page(study):
    import study_page

    return study_page


def outcomes_of(study, cell, tests, floats=(0.02, 0.02, 0.02)):
    return [
        Outcome(
            trial=study.trial_of(cell, seed),
            float_val=0.0,
            float_test=before,
            val=0.0,
            test=test,
            warnings=(),
            model=None,
        )
        for seed, (test, before) in enumerate(zip(tests, floats, strict=False))
    ]


def lines_after(text, heading):
    """The lines from a heading to the next."""
    return text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0].splitlines()


def test_a_training_is_what_its_cell_says(study, page):
    cell = page.Cell(task="etth1", bits="4p/8", method="ptq", ranges="minmax", asymmetric=True)
    trial = study.trial_of(cell, 2)
    assert trial.settings == {"seed": 2, "method": "ptq", "ranges": "minmax"}
    assert trial.config.default == Precision(weights=4, activations=8, scheme="power-of-two")
    assert trial.config.asymmetric
    kept = Precision(weights=8, activations=8)
    assert trial.config.precision == {"Linput": kept, "Loutput": kept}
    assert trial.config.linear_path


def test_what_is_not_asked_for_is_left_to_the_defaults(study, page):
    trial = study.trial_of(page.Cell(task="etth1", bits="4/4"), 0)
    assert trial.settings == {"seed": 0}
    assert trial.config.default == Precision(weights=4, activations=4)
    assert not trial.config.asymmetric


def test_the_published_model_is_the_named_configuration(study, page):
    cell = page.Cell(task="decoder", bits="2/8", precise=16)
    assert study.trial_of(cell, 0).config == named_config("etth1-48-24-ed")
    other = dataclasses.replace(cell, precise=8)
    assert study.trial_of(other, 0).config != named_config("etth1-48-24-ed")


@pytest.mark.parametrize("task", ["etth1", "ozone", "decoder"])
def test_all_trainings_of_a_task_start_from_one_float_model(study, page, task):
    cells = {cell for own in page.QUESTIONS.values() for cell in own if cell.task == task}
    keys = {study.trial_of(cell, 1).key for cell in cells}
    assert len(keys) == len(cells) > 5
    assert len({study.trial_of(cell, 1).origin.key for cell in cells}) == 1


def test_every_question_has_its_base_among_its_cells(page):
    few = {"4/8", "2/8", "4/4"}
    assert {cell.bits for cell in page.QUESTIONS["ranges"]} == few
    assert {cell.ranges for cell in page.QUESTIONS["ranges"]} == set(page.RANGES)
    assert {cell.asymmetric for cell in page.QUESTIONS["zeros"]} == {False, True}
    assert {cell.bits for cell in page.QUESTIONS["powers"]} == {"4/8", "4p/8"}
    assert [cell.precise for cell in page.QUESTIONS["layers"]] == [32, 16, 8, 4, 2]
    encoders = [cell.bits for cell in page.QUESTIONS["methods"] if cell.task == "ozone"]
    assert encoders == 2 * ["8/8", "6/8", "4/8", "3/8", "2/8", "1/8"]


@pytest.mark.parametrize(
    ("mine", "other", "said"),
    [
        ((1.0, 1.2), (1.0, 1.2), "tie"),
        ((1.0, 1.2), (1.25, 1.45), "tie"),  # 0.25 apart, deviations 0.28 together
        ((1.0, 1.2), (1.3, 1.5), "better"),  # 0.3 apart
        ((1.3, 1.5), (1.0, 1.2), "worse"),
        ((1.0,), (9.0, 9.0), None),
        ((9.0, 9.0), (), None),
    ],
)
def test_a_tie_is_where_means_are_no_farther_apart_than_both_deviations(page, mine, other, said):
    assert page.versus(mine, other) == said


def test_a_tally_counts_and_names_the_largest_change(page):
    one = (1.0, 1.0)
    pairs = [
        ("a", (1.1, 1.1), one),
        ("b", (1.5, 1.5), one),
        ("c", (0.9, 0.9), one),
        ("d", one, one),
        ("e", (7.0,), one),  # of one seed nothing is said
    ]
    said = "a tie in 1 of 4, worse in 2 (at most +50.0%: b), better in 1 (-10.0%: c)"
    assert page.tally(pairs) == said
    assert page.tally(pairs[-1:]) == page.UNKNOWN
    assert page.tally(pairs[:1]) == "a tie in 0 of 1, worse in 1 (+10.0%: a)"


def test_a_spread_says_how_few_seeds_it_has(page):
    assert page.spread(()) == "not measured"
    assert page.spread((0.02,)) == "0.0200 (1 seed)"
    assert page.spread((0.02, 0.04)) == "0.0300 ± 0.0141 (2 seeds)"
    assert page.spread((0.02, 0.03, 0.04)) == "0.0300 ± 0.0100"


def test_sentences_and_tables_have_the_same_figures(study, page):
    def of(tests, **fields):
        cell = page.Cell(**{"task": "etth1", "bits": "4/8", **fields})
        return cell, outcomes_of(study, cell, tests)

    found = dict(
        [
            of((0.0195, 0.021, 0.0225)),
            of((0.030, 0.031, 0.032), method="ptq"),
            of((0.025, 0.025, 0.025), ranges="minmax"),
            of((0.021, 0.021, 0.021), ranges="moving-average"),
            of((0.010, 0.010, 0.010), asymmetric=True),
            of((0.0205, 0.0215, 0.0225), bits="4p/8"),
        ]
    )
    text = page.markdown(found, {})
    methods = lines_after(text, "Trained with rounding (QAT) or calibrated only (PTQ)")
    assert methods[2].startswith("PTQ against QAT is a tie in 0 of 1, worse in 1 (+47.6%: ETTh1")
    assert "QAT is a tie in 1 of 1; PTQ is a tie in 0 of 1, worse in 1 (+55.0%" in methods[2]
    unknown = "not measured"
    row = ("ETTh1", "QAT", "0.0200 ± 0.0000", *[unknown] * 2, "0.0210 ± 0.0015", *[unknown] * 3)
    assert f"| {' | '.join(row)} |" in methods
    ranges = lines_after(text, "Ranges")
    assert ranges[2] == (
        "Trained with rounding, min-max against learned is a tie in 0 of 1, worse in 1 (+19.0%:"
        " ETTh1, 4/8); moving average against learned is a tie in 1 of 1."
    )
    assert "| ETTh1 | QAT | min-max | 0.0250 ± 0.0000 | not measured | not measured |" in ranges
    zeros = lines_after(text, "Symmetric")
    assert "is, trained, a tie in 0 of 1, better in 1 (-52.4%: ETTh1, 4/8);" in zeros[2]
    assert "| ETTh1 | QAT | asymmetric | 0.0100 ± 0.0000 | not measured | not measured |" in zeros
    powers = lines_after(text, "Powers of two")
    assert "trained, a tie in 1 of 1; calibrated only, not measured." in powers[2]
    assert "| ETTh1 | QAT | 0.0210 ± 0.0015 | 0.0215 ± 0.0010 |" in powers


def test_a_line_of_which_nothing_is_measured_is_left_out(study, page):
    cell = page.Cell(task="ozone", bits="2/8")
    empty = page.markdown({}, {})
    assert "| ozone |" not in empty
    found = page.markdown({cell: outcomes_of(study, cell, (0.1,))}, {})
    assert "| ozone | QAT | 0.0200 (1 seed) |" in found
    assert "| ozone | PTQ |" not in found


def test_precise_layers_have_errors_sizes_and_costs(study, page):
    cells = {cell.precise: cell for cell in page.QUESTIONS["layers"]}
    found = {
        cells[32]: outcomes_of(study, cells[32], (0.02, 0.02, 0.02)),
        cells[16]: outcomes_of(study, cells[16], (0.021, 0.022, 0.023)),
        cells[2]: outcomes_of(study, cells[2], (0.03,)),
    }
    costs = {"luts_as_memory": 7, "ffs": 6, "ramb18": 5, "dsps": 4}
    parts = {
        cells[16]: {
            **costs,
            "latency": 24551,
            "luts": 90,
            "energy_uj": 15.94,
            "fits": True,
            "smaller": 9.6,
        },
        cells[2]: {
            **costs,
            "latency": 23160,
            "luts": 50,
            "energy_uj": 13.0,
            "fits": False,
            "smaller": 12.0,
        },
    }
    lines = lines_after(page.markdown(found, parts), "The precise layers")
    assert "From 16 bits to 2, 24551 to 23160 cycles, 90 to 50 LUTs, 15.9 to 13.0 µJ." in lines
    assert "Test MSE against the float32 model: 16 bits +10.0%, 2 bits +50.0% (1 seed)." in lines
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    assert rows[2] == ["float32", "0.0200 ± 0.0000", "+0.0%", "7.84 ×", *["–"] * 9]
    wide = ["16 bits", "0.0220 ± 0.0010", "+10.0%", "10.77 ×", "9.60 ×"]
    assert rows[3] == [*wide, "24551", "90", "7", "6", "4", "5", "15.9", "yes"]
    assert rows[4] == ["8 bits", *["not measured"] * 12]
    assert rows[6][-1] == "**no**"
    assert all(len(row) == len(rows[0]) for row in rows)


class Taken:
    """What stands for a synthesis."""

    def __init__(self, luts):
        taken = {"luts": luts, "luts_as_memory": 0, "ffs": 0, "ramb18": 0, "dsps": 0}
        self.resources = type("Resources", (), taken)
        self.over, self.tool = (), "Yosys"


def test_costs_are_exact_kept_and_measured_anew_for_another_model(
    study, page, monkeypatch, tmp_path
):
    asked = []

    def synthesize(design):
        asked.append(design.latency)
        return Taken(1000)

    monkeypatch.setattr(study, "synthesize", synthesize)
    assert study.parts(tmp_path, compute=False) == {}
    found = study.parts(tmp_path, compute=True)
    assert {cell.precise: record["latency"] for cell, record in found.items()} == CYCLES
    assert asked == [*CYCLES.values()]
    wide = next(record for cell, record in found.items() if cell.precise == 16)
    # static power and 1000 LUTs of 0.03 pJ a cycle, times 24 551 cycles of 10 ns
    static = study.inference_j(
        study.PART, {"luts": 0, "ffs": 0, "ramb18": 0, "dsps": 0, "latency": 1, "interval": 1}
    )
    assert wide["energy_uj"] == pytest.approx(24551 * (static + 30e-12) * 1e6)
    assert study.parts(tmp_path, compute=False) == found
    assert len(asked) == 4
    path = tmp_path / "hardware" / "decoder-8.json"
    path.write_text(path.read_text().replace(found_digest(found, 8), "0" * 16))
    assert {cell.precise for cell in study.parts(tmp_path, compute=False)} == {16, 4, 2}
    assert study.parts(tmp_path, compute=True) == found
    assert len(asked) == 5


def found_digest(found, precise):
    """The digest of the model of a cell of precise layers."""
    return next(record["model"] for cell, record in found.items() if cell.precise == precise)


def test_show_trains_nothing_and_writes_on_demand_alone(study, monkeypatch, tmp_path):
    def refuse(*_):
        raise AssertionError("nothing is to be trained")

    monkeypatch.setattr(study, "run_trials", refuse)
    monkeypatch.setattr(study, "REPORT", tmp_path / "study.md")
    options = ["--show", "--folder", str(tmp_path / "cells")]
    shown = CliRunner().invoke(study.main, options)
    assert shown.exit_code == 0, shown.output
    assert not (tmp_path / "study.md").exists()
    written = CliRunner().invoke(study.main, [*options, "--write"])
    assert written.exit_code == 0, written.output
    assert (tmp_path / "study.md").read_text() == shown.output.removesuffix("\n")


def test_trainings_are_of_the_question_task_and_seed_that_are_asked_for(
    study, monkeypatch, tmp_path
):
    asked = []
    monkeypatch.setattr(study, "run_trials", lambda trials, *_: asked.extend(trials))
    options = ["--only", "powers", "--task", "ozone", "--seed", "2", "--workers", "1"]
    found = CliRunner().invoke(study.main, [*options, "--folder", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert [(one.config.default.width, one.settings) for one in asked] == [
        (4, {"seed": 2}),
        ("4p", {"seed": 2}),
        (4, {"seed": 2, "method": "ptq"}),
        ("4p", {"seed": 2, "method": "ptq"}),
    ]


def test_an_unknown_question_is_refused(study):
    found = CliRunner().invoke(study.main, ["--only", "nothing"])
    assert found.exit_code == 2
    assert "powers" in found.output
