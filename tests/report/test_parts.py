"""Parts of a page by themselves: classes, flags, reported power; and what no page may do."""

import re
import shutil
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from manifest_harness import write_manifest

from bitformer.boards.reports.energy import battery_days
from bitformer.boards.reports.report import energy_of, read_build
from bitformer.hw.lowering.exact import estimate
from bitformer.hw.lowering.lower import lower
from bitformer.hw.parts import PARTS
from bitformer.model.class_evaluation import ClassEvaluation
from bitformer.model.config import named_config
from bitformer.model.data.targets import SeriesScale
from bitformer.model.data.windows import Windows
from bitformer.model.detection_evaluation import DetectionEvaluation
from bitformer.model.errors import UserError
from bitformer.model.initialize import initialize
from bitformer.model.task.class_scores import ClassScores
from bitformer.model.task.detection_scores import EventScores, PointScores
from bitformer.model.verdict import ERROR_RATE, Compared, Verdict
from bitformer.report import page, search_facts
from bitformer.report.answer_facts import class_facts, detection_facts
from bitformer.report.design_facts import block_ram_sentence, resource_facts
from bitformer.report.gather import Gathered
from bitformer.report.page import as_json, rendered, write_page
from bitformer.report.row_times import RowTimes
from bitformer.report.sources import add_build
from bitformer.report.sources import page as facts_of
from bitformer.report.tables import ROWS
from bitformer.synth.resources import Resources

REPORTS = Path(__file__).parents[1] / "boards" / "reports" / "v2022_1"
EVIL = '</script><script>document.title="x"</script><img src=x onerror="alert(1)">'


def written(path, title="a model", **parts):
    found = Gathered(parts=parts)
    write_page(facts_of(found, title=title, kind="model", source="here"), path)
    return path


def classified():
    counts = np.array([[40, 8, 2], [3, 45, 2]])
    against = {"majority": Compared(relative=-0.7, interval=(-0.8, -0.5), outcome="wins")}
    verdict = Verdict(
        model="integer",
        baseline="majority",
        error=0.15,
        baseline_error=0.5,
        windows=100,
        against=against,
        measure=ERROR_RATE,
    )
    return ClassEvaluation(
        dataset=SimpleNamespace(name="gait", classes=("walk", EVIL)),
        models={"integer": ClassScores(confusion=counts, groups={"anna": counts})},
        baselines={"majority": ClassScores(confusion=counts, groups={}), "none": None},
        verdict=verdict,
    )


@pytest.mark.needs("chromium")
def test_classes(opened, tmp_path):
    scores = classified()
    shown = opened(written(tmp_path / "c.html", title=EVIL, classes=class_facts(scores)))
    cells = shown.page.eval_on_selector_all(
        ".matrix tbody tr",
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(one => +one.dataset.value))",
    )
    assert cells == scores.scores.confusion.tolist()
    heads = shown.page.locator(".matrix thead th").all_text_contents()
    assert heads == ["walk", EVIL, "rejected"]
    (row,) = shown.marks(shown.chart("class-against"), "circle", "value", "low", "high")
    assert [float(one) for one in row] == [-0.7, -0.8, -0.5]
    # names are texts, whatever they look like
    assert shown.page.title() == f"{EVIL} – bitformer report"
    assert "85.0" in shown.page.inner_text("#classes .lead")


def judged():
    rows = 120
    values = np.sin(np.arange(rows) / 5.0)
    windows = Windows(
        inputs=values[:, None],
        target=values,
        first=np.arange(20, rows),
        window=20,
        horizon=1,
        anomaly=np.arange(rows) >= 100,
    )
    scale = SeriesScale(name="v", mean=10.0, std=2.0, channel=0)
    data = SimpleNamespace(
        name="pump", target="v", inputs=("v",), notes=(), test=windows, step=None
    )
    data.target_scales, data.by_target = (scale,), (data,)
    flags = np.zeros(100, np.int64)
    flags[[30, 31, 85, 86, 87]] = 1
    return DetectionEvaluation(
        dataset=data,
        name="integer",
        flags=flags,
        events=EventScores(windows=1, found=1, false=1, delays=(5,), days=None),
        points=PointScores(hits=3, false=2, missed=17),
    )


@pytest.mark.needs("chromium")
def test_flags(opened, tmp_path):
    scores = judged()
    times = RowTimes(seconds=np.arange(120) * 3600.0, dated=True, hours=None)
    facts = detection_facts(scores, times)
    shown = opened(written(tmp_path / "d.html", detections=facts))
    lines = shown.marks(shown.chart("flags"), "line[data-n]", "low", "high", "flag")
    units = (scores.dataset.test.y[:, 0] * 2.0 + 10.0).tolist()
    assert [float(low) for low, _, _ in lines] == units
    assert [int(flag) for _, _, flag in lines] == scores.flags.tolist()
    rows = shown.page.locator("#detections tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        ["31", "32", "1970-01-03 02:00"],
        ["86", "88", "1970-01-05 09:00"],
    ]
    assert "1 of 1" in shown.page.inner_text("#detections")
    assert detection_facts(scores, times, rows=False)["series"] is None


@pytest.mark.needs("chromium")
def test_reported_power_is_what_the_sliders_use(opened, tmp_path):
    folder = tmp_path / "build"
    shutil.copytree(REPORTS, folder)
    write_manifest(folder)
    report, found = read_build(folder), Gathered()
    add_build(found, folder, report.manifest)
    path = tmp_path / "b.html"
    write_page(facts_of(found, title="net", kind="build", source="build"), path)
    shown = opened(path)
    expected = energy_of(report, forecasts=1440)
    assert shown.out("inference") == pytest.approx(expected.inference_j, rel=1e-12)
    least = min(expected.day.idle_j, expected.day.off_j)
    assert shown.out("battery") == pytest.approx(battery_days(least, mah=2600), rel=1e-9)
    assert shown.out("even") == pytest.approx(expected.break_even_s, rel=1e-12)
    assert "an assumption" in shown.page.locator('[data-out="source"]').text_content()
    uses = shown.marks(shown.chart("build-uses"), "rect[data-row]", "row", "value")
    assert dict(uses)["LUT"] == str(report.utilization.uses["LUT"].used)


@pytest.mark.needs("chromium")
def test_what_was_synthesized_unit_by_unit(opened, tmp_path):
    model = initialize(named_config("tiny"))
    design = lower(model)
    units = {
        "engine": Resources(luts_as_logic=900, luts_as_memory=40, ffs=700, dsps=16),
        EVIL: Resources(luts_as_logic=12, ffs=3),
    }
    synthesis = SimpleNamespace(
        uses=Resources(luts_as_logic=1000, ramb18=4, dsps=16).uses(PARTS["xc7s15"]),
        tool="yosys 9",
        units=units,
    )
    found = resource_facts(design, estimate(design), None, [], synthesis)
    shown = opened(written(tmp_path / "r.html", resources=found))
    bars = shown.marks(shown.chart("units"), "rect[data-row]", "row", "kind", "value")
    assert {(row, kind): int(value) for row, kind, value in bars} == {
        (name, kind): value
        for name, one in units.items()
        for kind, value in (("LUT", one.luts), ("FF", one.ffs))
    }
    assert "measured by yosys 9" in shown.page.inner_text("#resources")


@pytest.mark.parametrize(
    ("seen", "engines", "said"),
    [
        (8, 1, "8 combinations of bits"),
        (8, 2, "16 designs (8 combinations of bits; 2 engines)"),
        (5, 1, "8 combinations of bits, 5 of them drawn"),
        (5, 2, "8 combinations of bits, 5 of them drawn, with 2 engines"),
    ],
)
def test_of_how_many_designs_a_search_is(seen, engines, said):
    assert search_facts._designs({"combinations": 8, "seen": seen, "engines": engines}) == said


def test_block_rams_are_explained():
    """Fewer than the stores', more, or as many."""
    exact = estimate(lower(initialize(named_config("tiny"))))
    own = sum(store.ramb18 for store in exact.stores)
    assert block_ram_sentence(exact, own) == ""
    assert "the same in all words" in block_ram_sentence(exact, own - 1)
    more = f"take {own}; synthesis makes {own + 1}, as it cuts deep ROMs"
    assert more in block_ram_sentence(exact, own + 1)


def test_a_page_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="must be at most 1000 bytes, and is"):
        written(tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_numbers_that_are_none_are_null():
    assert as_json({"a": [float("nan"), float("inf"), 1.5], "b": "</script>"}) == (
        '{"a":[null,null,1.5],"b":"\\u003c/script\\u003e"}'
    )


def test_a_page_names_nothing_on_a_network():
    """But for the name of SVG, which nobody asks for."""
    text = rendered(facts_of(Gathered(), title="t", kind="model", source="s"))
    assert re.findall(r"https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]
    assert "default-src 'none'" in text


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    line = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * line[0] + 0.7152 * line[1] + 0.0722 * line[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_in_each_theme():
    """As WCAG asks: 4.5 for text, 3 for what is drawn."""
    text = (resources.files("bitformer.report") / "assets" / "page.css").read_text()
    themes = re.findall(r"\{[^{}]*--page:[^{}]*\}", text)
    assert len(themes) == 4
    for theme in themes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})\b", theme))
        colours |= {
            n: f"#{c[1] * 2}{c[2] * 2}{c[3] * 2}"
            for n, c in re.findall(r"--([a-z-]+): (#[0-9a-f]{3})\b(?![0-9a-f])", theme)
        }
        for name in ("ink", "soft", "faint", "accent", "warn"):
            for ground in ("page", "surface"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        assert contrast(colours["second"], colours["page"]) >= 3


def test_a_split_store_has_a_row_for_each_part():
    model = initialize(named_config("tiny"), samples=8)
    design = lower(model, placement={"activations": "block", "embedding": "distributed"})
    stores = [store.to_dict() for store in estimate(design).stores]
    rows = [*ROWS["store_rows"](stores)]
    names = [row[0] for row in rows]
    at = names.index("activations")
    assert rows[at][2] == "split"
    assert [row[2] for row in rows[at + 1 : at + 3]] == ["block", "distributed"]
    assert names[at + 2] == "activations: embedding"
    assert len(rows) == len(stores) + 2
    assert {len(row) for row in rows} == {9}
    for row in rows[at + 1 : at + 3]:
        words, each, bits = (int(re.sub(r"\D", "", text)) for text in row[3:6])
        assert words * each == bits
