"""``bitformer show``: the page of a search, as a browser shows it."""

import json

import pytest
from measurement_harness import drawn, invented
from study_harness import INVENTED

from bitformer.estimate.knowledge import KnowledgeBase


@pytest.fixture(scope="module")
def search(bitformer, tmp_path_factory):
    """A search's folder."""
    root = tmp_path_factory.mktemp("search")
    small = {"name": "small", "window": 8, "horizon": 2, "patch": 4, "d_model": 4, "ffn": 4}
    (root / "small.json").write_text(json.dumps(small))
    (root / "added.json").write_text(json.dumps(INVENTED))
    KnowledgeBase(root / "kb.sqlite").add(
        invented(design, key=f"k{n}") for n, design in enumerate(drawn(12, 7))
    )
    asked = ["--config", root / "small.json", "--data", "synthetic", "--bits", "4,8"]
    asked += ["--sensitivity", root / "added.json", "--kb", root / "kb.sqlite", "--workers", "1"]
    asked += ["--epochs", "1", "--qat-epochs", "1", "--batch", "512", "--windows", "1"]
    said = bitformer("search", *asked, "--top", "1", "--synthesis", "none", "-o", root / "found")
    assert said.code == 0
    return root / "found"


@pytest.mark.needs("chromium")
def test_a_search(search, bitformer, opened, tmp_path):
    target = tmp_path / "search.html"
    said = bitformer("show", search, "-o", target, "--samples", "0", "--noise", "0")
    assert said.code == 0
    page, found = opened(target), json.loads((search / "search.json").read_text())
    chart, clock = page.chart("pareto"), found["question"]["limits"]["clock_hz"]
    rows = [*found["candidates"], *found["baselines"]]
    expected = {
        str(one.get("rank") or one["why"]): (one["came_out"], one["val"])
        for one in rows
        if one["val"] is not None
    }
    for name, cost in (
        ("latency", lambda one: one["latency"] / clock * 1e6),
        ("energy_j", lambda one: one["energy_j"] * 1e6),
        ("luts", lambda one: one["luts"]),
    ):
        page.page.select_option(f"{chart} select", name)
        points = page.marks(chart, "circle[data-candidate]", "candidate", "x", "y")
        shown = {n: (float(x), float(y)) for n, x, y in points}
        assert shown == {n: (pytest.approx(cost(a)), b) for n, (a, b) in expected.items()}
    # a row of the table and its point are one
    page.page.focus(f'{chart} tr[data-candidate="1"] button')
    on = page.page.eval_on_selector_all(
        f"{chart} .on", "all => all.map(one => [one.tagName.toLowerCase(), one.dataset.candidate])"
    )
    assert sorted(on) == [["circle", "1"], ["tr", "1"]]
    assert "is the best that fits, bit for bit" in page.page.inner_text(".verdict")
    space = found["space"]
    assert space["within"] <= space["seen"] * space["engines"] == 2048
    assert "Of 2048 designs (1024 combinations of bits; 2 engines), " in page.page.inner_text(
        "#search .lead"
    )
    assert {"search", "forecasts", "timetable", "energy"} <= set(
        page.page.eval_on_selector_all("section", "all => all.map(one => one.id)")
    )


def test_a_part_is_that_of_the_search(search, bitformer, tmp_path):
    said = bitformer("show", search, "--part", "xc7s25", "-o", tmp_path / "x.html")
    assert said.code == 2
    assert "--part must be left out" in said.err
    assert not (tmp_path / "x.html").exists()
