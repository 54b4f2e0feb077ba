"""``bitformer show``: pages of the demo and of a build, as a browser shows them."""

import json
import re

import numpy as np
import pytest
from nextpnr_harness import stand_ins

import bitformer as front
from bitformer.boards.reports.energy import battery_days, energy
from bitformer.boards.reports.report import read_build
from bitformer.bundle.archive import unpacked
from bitformer.cli import demo
from bitformer.estimate.days import DAY_S
from bitformer.hw.timeline import layer_use, spans
from bitformer.model.baselines import baseline_forecasts
from bitformer.model.checkpoint import load_model
from bitformer.model.compression import stored_size
from bitformer.model.identity import model_hash
from bitformer.report.design_facts import block_ram_sentence
from bitformer.report.energy_facts import PERIODS_MS
from bitformer.report.page import MOST_BYTES
from bitformer.synth import route

EXACT = {"rel": 1e-12}


@pytest.fixture(scope="module")
def made(bitformer, tmp_path_factory):
    """The folder of a demo with a small model, and stand-ins for place and route."""
    place = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BITFORMER_KB", str(place / "kb.sqlite"))
        patch.setattr(demo, "CONFIGS", dict.fromkeys(demo.CONFIGS, "tiny"))
        patch.setattr(route, "default_cache", lambda: place / "routed")
        empty = {"ports": {}, "cells": {}, "netnames": {}}
        patch.setattr(
            "bitformer.boards.build.routed._synthesized",
            lambda name, *_: json.dumps({"modules": {name: empty}}),
        )
        stand_ins(place / "tools", patch).does(s1=70.0, s2=90.0)
        said = bitformer("demo", "--quick", "--samples", "2", "-o", place / "demo")
    assert said.code == 0
    assert f"Report:        {place / 'demo' / 'report.html'} (open it in a browser" in said.out
    return place / "demo"


@pytest.fixture(scope="module")
def model(made):
    return front.load(made / "model.safetensors")


@pytest.fixture(scope="module")
def test_part(model):
    """The test windows, and the model's forecasts of them, in units."""
    scores = model.evaluate()
    test = scores.dataset.test
    return scores, model.predict(test.x, test.clock)


@pytest.mark.needs("chromium", "posix")
def test_errors_of_forecasts(made, opened, test_part):
    scores, ours = test_part
    data = scores.dataset
    page = opened(made / "report.html")
    others = {n: one for n, one in baseline_forecasts(data).items() if one is not None}
    shown = page.series(page.chart("by-step"))
    assert set(shown) == {"model", *others}
    for name, forecast in {"model": ours, **others}.items():
        rms = np.sqrt(np.mean((forecast - data.test.y) ** 2, axis=0)) * data.target_std
        assert [x for x, _ in shown[name]] == list(range(1, data.test.horizon + 1))
        assert [y for _, y in shown[name]] == pytest.approx(rms.tolist(), **EXACT)
    # what is worse by far leaves the chart, and the legend says how far it goes
    best = max(max(y for _, y in shown[name]) for name in ("model", scores.verdict.baseline))
    worst = max(y for name in others for _, y in shown[name])
    (legend,) = page.page.locator(
        '[data-chart="by-step"] .legend li:has-text("other baselines")'
    ).all_inner_texts()
    assert ("beyond the top up to" in legend) == (worst > 1.7 * best)
    hours = page.series(page.chart("by-hour"))
    assert [x for x, _ in hours["model"]] == list(range(24))
    # half hours: a window's first row of the test part says which hour it is of
    squares = np.mean([y**2 for _, y in hours["model"]])
    whole = np.mean((ours - data.test.y) ** 2) * data.target_std**2
    assert squares == pytest.approx(whole, rel=0.02)
    rows = page.marks(page.chart("against"), "circle", "row", "value", "low", "high")
    found = {row[0]: [float(one) for one in row[1:]] for row in rows}
    assert found == {
        name: pytest.approx([one.relative, *one.interval], **EXACT)
        for name, one in scores.verdict.against.items()
    }
    text = page.page.inner_text(".verdict")
    assert f"test MSE {scores.verdict.error:.4f} against" in text


@pytest.mark.needs("chromium", "posix")
def test_windows_of_the_data(made, opened, test_part):
    scores, ours = test_part
    data, interval = scores.dataset, {}
    page = opened(made / "report.html")
    chart = page.chart("shown")

    def units(values):
        return pytest.approx((values * data.target_std + data.target_mean).tolist(), **EXACT)

    seen = set()
    for _ in range(page.page.locator(f"{chart} option").count()):
        text = page.page.locator(f"{chart} select").evaluate(
            "one => one.selectedOptions[0].textContent"
        )
        number, day = re.fullmatch(r"Window (\d+) after (\d{4}-\d\d-\d\d \d\d:\d\d)", text).groups()
        seen.add(day)
        one = int(number) - 1
        series = page.series(chart)
        assert [y for _, y in series["truth"]] == units(data.test.y[one])
        assert [y for _, y in series["forecast"]] == units(ours[one])
        assert [y for _, y in series["past"]] == units(data.test.past[one])
        assert max(x for x, _ in series["past"]) == 0
        (low,) = page.marks(chart, "polygon.band", "low")
        interval[one] = np.array(json.loads(low)) - np.array([y for _, y in series["forecast"]])
        if page.page.locator(f"{chart} button:text('Next')").is_enabled():
            page.page.click(f"{chart} button:text('Next')")
    assert len(seen) == len(interval) >= 9
    first = next(iter(interval.values()))
    assert all(np.allclose(one, first) for one in interval.values())
    # the cursor goes with the arrow keys, and is told
    page.page.focus(f"{chart} .plot")
    page.page.keyboard.press("End")
    assert "forecast: " in page.page.inner_text("[aria-live].sr")


@pytest.mark.needs("chromium", "posix")
def test_bits_noise_and_resources(made, opened, model):
    page = opened(made / "report.html")
    size = stored_size(model.integer)
    bits = page.marks(page.chart("bits"), "rect[data-kind]", "kind", "value")
    for kind, count in size.bits.items():
        assert sum(float(value) for name, value in bits if name == kind) == count
    run = made / "train-nyc-taxi-quick"
    noise = model.noise(samples=128, run=run)
    shares = dict(page.marks(page.chart("noise"), "rect", "row", "value"))
    assert {n: float(one) for n, one in shares.items()} == pytest.approx(noise.shares, abs=1e-9)
    design = front.lower(model)
    estimate = design.estimate()
    uses = page.marks(page.chart("resources"), "rect[data-row]", "row", "value", "of")
    assert {(n, float(a), float(b)) for n, a, b in uses} == {
        (use.resource, use.used, use.available) for use in estimate.uses
    }
    stores = page.marks(page.chart("stores"), "rect[data-row]", "row", "kind", "value")
    assert {(n, kind, float(one)) for n, kind, one in stores} == {
        (store.name, store.placement, store.bits) for store in estimate.exact.stores
    }
    nominal = sum(store.ramb18 for store in estimate.exact.stores)
    said = block_ram_sentence(estimate.exact, estimate.prediction.ramb18)
    assert bool(said) == (nominal != estimate.prediction.ramb18)
    assert said in page.page.inner_text("#resources")
    parts = page.marks(page.chart("components"), "rect[data-row]", "row", "value")
    components = {row.name: row.luts for row in design.components(estimate)}
    for name in {name for name, _ in parts}:
        own = sum(float(value) for other, value in parts if other == name)
        assert own == components[name]
    total = sum(float(value) for _, value in parts)
    assert total + sum(min(0, n) for n in components.values()) == components["total"]


@pytest.mark.needs("chromium", "posix")
def test_the_epochs(made, opened):
    page = opened(made / "report.html")
    rows = json.loads((made / "train-nyc-taxi-quick" / "run.json").read_text())["history"]
    shown = page.series(page.chart("history"))
    for name, field in (("training loss", "loss"), ("validation error", "val")):
        expected = [(n, row[field]) for n, row in enumerate(rows, 1) if row[field] is not None]
        assert shown[name] == [(n, pytest.approx(value, **EXACT)) for n, value in expected]
        assert len(expected) >= 3


@pytest.mark.needs("chromium", "posix")
def test_the_timetable(made, opened, model):
    page = opened(made / "report.html")
    chart, lowered = page.chart("gantt"), front.lower(model).lowered
    expected = spans(lowered)
    bars = page.marks(chart, "rect[data-spans]", "spans", "start", "end")
    assert sorted(int(n) for row in bars for n in row[0].split()) == list(range(len(expected)))
    for names, start, end in bars:
        first = expected[int(names.split()[0])]
        assert (int(start), int(end)) == (first.start, first.end)
    waits = page.marks(chart, "rect[data-wait]", "wait", "cycles")
    assert {int(n): int(cycles) for n, cycles in waits} == {
        n: one.waited for n, one in enumerate(expected) if one.waited
    }
    cycles = page.marks('[data-chart="cycles"]', "[data-reason]", "reason", "value")
    uses = layer_use(lowered)
    assert int(dict(cycles)["works"]) == sum(use.engine for use in uses)
    assert sum(int(value) for _, value in cycles) == lowered.interval
    # keys zoom in to half of it, and tell a row
    page.page.focus(f"{chart} .plot")
    page.page.keyboard.press("+")
    quarter = lowered.latency / 4
    inside = [
        n for n, one in enumerate(expected) if one.end >= quarter and one.start <= 3 * quarter
    ]
    bars = page.marks(chart, "rect[data-spans]", "spans")
    assert sorted(int(n) for names in bars for n in names.split()) == inside
    page.page.keyboard.press("0")
    page.page.keyboard.press("ArrowDown")
    one = expected[0]
    told = page.page.inner_text("[aria-live].sr")
    assert told.startswith(
        f"{one.layer}, row {one.row}, {one.unit}: cycles {one.start} to {one.end}"
    )


@pytest.mark.needs("chromium", "posix")
def test_sliders_compute_what_python_does(made, opened, model):
    page = opened(made / "report.html")
    days = front.lower(model).estimate(clock_hz=100e6).days
    cycles = front.lower(model).latency

    def python(period_ms, quarters=0):
        return energy(
            total_w=days.inference_j / (cycles / days.clock_hz),
            idle_w=days.idle_w,
            cycles=cycles,
            clock_hz=days.clock_hz,
            configuration_s=days.configuration_s,
            configuration_w=days.configuration_j * 2 ** (quarters / 4) / days.configuration_s,
            forecasts=DAY_S * 1000 // period_ms,
        ).day

    def battery(day_j, mah=2600, volts=3.6):
        return pytest.approx(battery_days(day_j, mah=mah, volts=volts), rel=1e-9)

    minute = python(60_000)
    assert page.out("battery") == battery(min(minute.idle_j, minute.off_j))
    assert page.out("inference") == pytest.approx(days.inference_j, **EXACT)
    page.slide("period", PERIODS_MS.index(1000))
    second = python(1000)
    assert page.out("battery") == battery(min(second.idle_j, second.off_j))
    page.page.check('[name="mode"][value="idle"]')
    assert page.out("battery") == battery(second.idle_j)
    assert page.out("idle") == pytest.approx(second.idle_j, rel=1e-9)
    page.slide("mah", 500)
    page.slide("volts", 3.0)
    assert page.out("battery") == battery(second.idle_j, 500, 3.0)
    page.page.check('[name="mode"][value="off"]')
    page.slide("configuration", 6)
    dear = python(1000, 6)
    assert page.out("battery") == battery(dear.off_j, 500, 3.0)
    page.slide("period", 0)  # no time to configure within 10 ms
    assert "No time" in page.page.inner_text('[data-out="battery"]')
    lines = page.series("[data-energy]")
    expected = [battery(python(ms, 6).idle_j, 500, 3.0) for ms in PERIODS_MS]
    assert [y for _, y in lines["idle between"]] == expected
    # another part has other constants
    page.slide("period", PERIODS_MS.index(60_000))
    names = page.page.locator('[name="part"] option').all_text_contents()
    assert len(names) == 3
    assert names[0].startswith("xc7s15,")
    before = page.out("inference")
    page.page.select_option('[name="part"]', "1")
    assert page.out("inference") != before


@pytest.mark.needs("chromium", "posix")
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(made, opened, width):
    page = opened(made / "report.html", width=width, dark=width == 400)
    assert page.page.evaluate("document.documentElement.scrollWidth") == width
    assert (made / "report.html").stat().st_size < MOST_BYTES / 4
    unnamed = page.page.evaluate(
        """[...document.querySelectorAll('input, select, button, .plot')].filter(one =>
          !(one.labels && one.labels.length) && !one.getAttribute('aria-label')
          && !one.textContent.trim()).length"""
    )
    assert unnamed == 0
    missing = page.page.evaluate(
        """[...document.querySelectorAll('nav a')].filter(one =>
          !document.querySelector(one.hash + ' h2')).length"""
    )
    assert missing == 0
    before = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.page.click("#theme")
    assert page.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    # on paper it is light, whatever the screen is
    page.page.emulate_media(media="print")
    white = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert white == "rgb(255, 255, 255)"


@pytest.mark.needs("chromium", "posix")
def test_a_build(made, bitformer, opened, tmp_path):
    target = tmp_path / "build.html"
    said = bitformer(
        "show", made / "build-ulx3s", "--samples", "0", "--noise", "0", "-o", target, "--json"
    )
    assert said.code == 0
    assert said.data["kind"] == "build"
    assert "forecasts" in said.data["parts"], "the model beside the folder is the build's"
    page, routing = opened(target), read_build(made / "build-ulx3s").routing
    uses = page.marks(page.chart("build-uses"), "rect[data-row]", "row", "value", "of")
    assert {(n, int(a), int(b)) for n, a, b in uses} == {
        (use.resource, use.used, use.available) for use in routing.uses
    }
    text = page.page.inner_text("#builds")
    assert f"{routing.best_mhz:.1f} MHz" in text
    head = page.page.locator(".verdict li").first.inner_text()
    assert "The build for the Radiona ULX3S" in head
    assert "it runs at 60 MHz, and could at 90.0 MHz" in head


def test_a_build_without_its_model(made, bitformer, tmp_path):
    plan = tmp_path / "plan"
    plan.mkdir()
    for file in (made / "build-sea").iterdir():
        (plan / file.name).write_bytes(file.read_bytes())
    said = bitformer("show", plan, "-o", tmp_path / "p.html", "--json")
    assert said.code == 0
    assert [one["part"] for one in said.data["missing"]] == [
        "the model",
        f"reports of the build {plan.name}",
    ]


def test_a_bundle_of_it_has_no_rows_of_the_data(made, test_part, bitformer, tmp_path):
    """Of a trained model the file keeps scales, but no row; the page has errors alone."""
    asked = ["bundle", made / "model.safetensors", "--board", "sea", "--samples", "1"]
    assert bitformer(*asked, "--noise", "0", "-o", tmp_path / "x.zip").code == 0
    files = unpacked(tmp_path / "x.zip")
    (tmp_path / "m.safetensors").write_bytes(files["model.safetensors"])
    before, after = load_model(made / "model.safetensors"), load_model(tmp_path / "m.safetensors")
    assert before.meta["dataset"]["last_seen"]
    assert "last_seen" not in after.meta["dataset"]
    assert after.meta["dataset"]["mean"] == before.meta["dataset"]["mean"]
    assert model_hash(after) == model_hash(before)
    (text,) = re.findall(rb'id="facts">(.*?)</script>', files["report.html"], re.S)
    (forecasts,) = json.loads(text)["parts"]["forecasts"]
    assert forecasts["shown"] is None
    assert forecasts["windows"] == len(test_part[0].dataset.test)
    assert len(forecasts["by_step"]["model"]) == forecasts["horizon"]


def test_what_is_wrong_is_one_sentence(bitformer, made, tiny, tmp_path):
    for options, sentence in (
        ((tmp_path,), "must be a model's file, or the folder of a run, a build or a search"),
        ((tiny, "--model", tiny), "--model must be left out"),
        ((made / "build-sea", "--model", tiny), "--model must be the build's model, whose hash is"),
        ((tmp_path / "no.safetensors",), "no.safetensors"),
        ((tiny, "-o", tmp_path), "must be a file, not a directory"),
    ):
        said = bitformer(
            "show", *options, *(("-o", tmp_path / "x.html") if "-o" not in options else ())
        )
        assert said.code == 2, options
        assert sentence in said.err
        assert not (tmp_path / "x.html").exists()
