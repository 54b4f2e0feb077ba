"""The detectors' part of the page of tasks: what is kept, how settings are chosen, what is said."""

import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def here(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.fixture
def detect(here):
    import tasks_detect

    return tasks_detect


@pytest.fixture
def page(here):
    import tasks_detect_page

    return tasks_detect_page


def test_a_cell_is_computed_once(here, tmp_path):
    from tasks_cells import Cell

    calls = []
    cell = Cell(key="one", compute=lambda folder: calls.append(folder) or {"found": 3})
    assert cell.record(tmp_path) is None
    assert cell.record(tmp_path, compute=True) == {"found": 3}
    assert cell.record(tmp_path, compute=True) == {"found": 3}
    assert calls == [tmp_path]
    assert json.loads((tmp_path / "cells" / "one.json").read_text()) == {"found": 3}


def point(hits, false=0, missed=0):
    return {"hits": hits, "false": false, "missed": missed}


def test_a_part_has_no_say_in_its_own_settings(detect):
    good, bad = point(9, missed=1), point(1, missed=9)
    counts = {
        "a": [{"x": good, "y": bad}],
        "b": [{"x": bad, "y": good}],
        "c": [{"x": bad, "y": good}],
    }
    assert detect.chosen(counts, detect.each_part) == {"a": "y", "b": "x", "c": "x"}


def test_each_part_counts_as_much(detect):
    many, few = [point(1000, missed=0)] * 3, [point(0, missed=10)]
    assert detect.each_part([many, few]) == 0.5
    assert detect.points([*many, *few]).f1 > 0.99


def event(found, windows, false):
    return {"found": found, "windows": windows, "false": false, "days": 2.0, "delays": [4] * found}


def test_alarms_of_all_parts_are_counted_together(detect):
    parts = [[event(1, 2, 0)], [event(0, 1, 3)]]
    assert detect.nab_score(parts) == pytest.approx(1 - 2 - 3 * 0.11)
    assert detect.nab_score([[event(3, 3, 0)]]) == 3
    assert detect.events(one for own in parts for one in own).delays == (4,)


def test_thresholds_are_factors_of_clean_scores(detect):
    from bitformer.model.data.detection import DetectionSeries

    scores = np.array([9.0, 2, 3, 4, 5, 8, 8, 1])
    series = DetectionSeries(
        name="s",
        columns=("v",),
        values=scores[:, None],
        times=None,
        lines=np.arange(8),
        made=np.zeros(8, bool),
        anomaly=scores == 8,
        windows=((5, 7),),
        clean=4,
        segments=((0, 8),),
        step=3600.0,
    )
    found = detect._skab_points(series, scores, 1, (1.0, 1.5, 3.0))
    # the first score comes from a reset: 4 is the largest clean one
    assert found["1.0"] == point(2, false=1)
    assert found["1.5"] == point(2)
    assert found["3.0"] == point(0, missed=2)
    events = detect._nab_events(series, scores, scores[1:4], [(1.0, 1.0)])
    assert events["1.0 1.0 0"]["found"] == 0  # the flag was up before
    assert events["1.0 1.0 0"]["false"] == 1


def write(folder, name, record):
    path = folder / "cells" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def test_what_is_not_measured_says_so(page, tmp_path):
    for lines in (page.skab_lines, page.nab_lines):
        assert lines(tmp_path)[-1].startswith("not measured: `python benchmarks/tasks.py")
    assert sum("not measured" in line for line in page.part_lines(tmp_path)) == 7


def test_the_table_of_the_part(page, tmp_path):
    record = {"windows": 9, "exact": True, "as_predicted": True, "latency": 77, "fits": True}
    write(tmp_path, "skab-part", record | {"energy_uj": 0.125, "macs": 5})
    wrong = {"exact": False, "as_predicted": False, "energy_uj": None, "macs": 6}
    write(tmp_path, "nyc-taxi-part", record | wrong)
    text = "\n".join(page.part_lines(tmp_path))
    assert "| skab | 9 | yes | 77 | 0.12 | 5 | yes |" in text
    assert "| nyc-taxi | 9 | **no** | 77 (**not as predicted**) | not measured | 6 | yes |" in text


def test_the_page_of_skab(page, detect, tmp_path):
    rules = ("4 1.5", "2 1.0")

    def file(ours, forest):
        methods = (detect.EWMA, detect.LAST, detect.LINE, detect.READINGS)
        own = {name: {rule: point(5, false=3, missed=2) for rule in rules} for name in methods}
        return own | {"rows": 20, detect.FOREST: {"auto": forest}}

    groups = {g: {f"{g}/1": file(0, point(6, false=1, missed=1))} for g in detect.GROUPS}
    write(tmp_path, "skab-baselines", groups)
    for seed, hits in enumerate((6, 7)):
        own = {rule: point(hits, missed=7 - hits) for rule in rules}
        record = {g: {f"{g}/1": {detect.NETWORK: own}} for g in detect.GROUPS}
        write(tmp_path, f"skab-{seed}", record | {"trained": {}})
    text = "\n".join(page.skab_lines(tmp_path))
    # 12 / 13 and 1; 12 / 14 of the forest; 10 / 15 of the others
    assert "| valve1 | **0.962 ± 0.038** | 0.667 | 0.667 | 0.857 |" in text
    assert "| yes |" in text
    assert "2 of 3 seeds" in text
    # 7 of 20 rows are anomalies
    assert f"| {14 / 27:.3f} |" in text
    assert "**no**" not in text


def test_a_detector_that_is_no_better_is_told(page, detect, tmp_path):
    rules = ("4 1.5",)
    same = {rule: point(5, false=3, missed=2) for rule in rules}
    methods = (detect.EWMA, detect.LAST, detect.LINE, detect.READINGS)
    file = dict.fromkeys(methods, same) | {"rows": 20, detect.FOREST: {}}
    write(tmp_path, "skab-baselines", {g: {"1": file} for g in detect.GROUPS})
    record = {g: {"1": {detect.NETWORK: same}} for g in detect.GROUPS}
    write(tmp_path, "skab-0", record | {"trained": {}})
    text = "\n".join(page.skab_lines(tmp_path))
    assert text.count("**no**") == 4
    assert "isolation forest |" not in text  # without scikit-learn


def test_the_page_of_nab(page, detect, tmp_path):
    rule = "4 False 1.5 1.0 24"
    methods = {one: {"4 1.5 1.0 24": event(1, 3, 2)} for one in (detect.EWMA, detect.LAST)}
    methods |= {detect.LINE: methods[detect.EWMA], detect.FOREST: {}}
    write(tmp_path, "nab-baselines", dict.fromkeys(detect.FILES, methods))
    for number, name in enumerate(detect.FILES):
        for seed in range(3):
            own = {rule: event(2 if number else 1, 3, 1)}
            write(tmp_path, f"{name}-{seed}", {name: {detect.NETWORK: own}, "trained": {}})
    for name in detect.FILES:  # another hold-off is not looked at
        path = tmp_path / "cells" / f"{name}-0.json"
        record = json.loads(path.read_text())
        record[name][detect.NETWORK]["4 False 1.5 1.0 0"] = event(3, 3, 0)
        path.write_text(json.dumps(record))
    text = "\n".join(page.nab_lines(tmp_path))
    assert "| nyc-taxi | 3 | **1.0** (1/1/1), 1.0 | 0.5 | 4 | 1, 2 | 1, 2 | 1, 2 | **no** |" in text
    assert (
        "| machine-temperature | 3 | **2.0** (2/2/2), 1.0 | 0.5 | 4 | 1, 2 | 1, 2 | 1, 2 | yes |"
        in text
    )
    assert "on most: 5 of 6" in text
    assert "| all | 18 | **11.0**, 6.0 |  |  | 6, 12 | 6, 12 | 6, 12 |  |" in text
