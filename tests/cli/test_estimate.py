"""``bitformer estimate``: cycles, resources, layers and components, and what would fit."""

import dataclasses
import functools
import re

import pytest

from bitformer.boards.reports.energy import Day
from bitformer.cli.estimate_days import day_row
from bitformer.estimate import knowledge
from bitformer.estimate.knowledge import Entry, KnowledgeBase
from bitformer.estimate.predictor import Interval, Predictor
from bitformer.hw.lowering.lower import lower
from bitformer.model import progress
from bitformer.model.checkpoint import load_model
from bitformer.model.errors import UserError
from bitformer.synth import synthesize


def test_estimate_takes_part_lanes_clock_and_placement(bitformer, tiny):
    usual = bitformer("estimate", tiny, "--json").data
    design = lower(load_model(tiny))
    assert (usual["part"], usual["latency_cycles"]) == ("xc7s15", design.latency)
    options = ["--part", "XC7S50", "--lanes", "8", "--clock", "50", "--place", "scores=registers"]
    other = bitformer("estimate", tiny, *options, "--json").data
    assert other["part"] == "xc7s50"
    assert other["latency_cycles"] > usual["latency_cycles"]
    assert other["latency_us"] == pytest.approx(other["latency_cycles"] / 50)
    placement = {store["name"]: store["placement"] for store in other["stores"]}
    assert placement["scores"] == "registers"
    assert "stores" in other["luts_are"]


def test_estimate_predicts_the_whole_design(bitformer, tiny):
    """From the base that ships, without any set-up; of 8 lanes, as none was measured."""
    said = bitformer("estimate", tiny, "--lanes", "8", "--clock", "50", "--json")
    prediction, energy = said.data["prediction"], said.data["energy"]
    for name in ("luts", "lutram", "ffs"):
        span = prediction[name]
        assert 0 < span["low"] < span["value"] < span["high"]
    resources = {use["resource"]: use["used"] for use in said.data["resources"]}
    assert (prediction["dsps"], prediction["fits"]) == (resources["DSP"], True)
    seconds = said.data["latency_cycles"] / 50e6
    assert energy["inference_j"] == pytest.approx(energy["power_w"] * seconds)
    assert energy["power_w"] > energy["static_w"] == 0.02
    assert "a model" in energy["is"]
    assert "by a model, not a measurement" in said.err
    assert "'report' has Vivado's figure" in said.err
    first = said.err.splitlines()[0]
    assert first.startswith("Fits the xc7s15: LUT ")
    assert f"DSP {prediction['dsps'] / 20:.0%}" in first


ROWS = ["--part", "xc7s25", "--rows", "2", "--lanes", "16", "--lut-lanes", "8"]


def test_token_rows_are_predicted(bitformer, tiny):
    """With an interval, as any design is: some were measured."""
    one = bitformer("estimate", tiny, "--part", "xc7s25", "--json").data["prediction"]
    said = bitformer("estimate", tiny, *ROWS, "--json")
    luts = said.data["prediction"]["luts"]
    assert max(one["luts"]["value"], luts["low"]) < luts["value"] < luts["high"]
    assert said.data["prediction"]["outside"] == []
    assert "no measured design" not in said.err


def test_what_no_measured_design_has_is_told(bitformer, tiny, monkeypatch):
    """Those of this base have no token rows."""
    single = [one for one in knowledge.shipped_entries() if one.features.get("rows") == 1]
    monkeypatch.setattr(knowledge, "shipped_entries", lambda: single)
    said = bitformer("estimate", tiny, *ROWS, "--json")
    assert "LUTs and flip-flops may be further off than their intervals" in said.err
    assert "no measured design has 2 token rows (measured: 1 to 1)" in said.err
    assert said.data["prediction"]["outside"]


@pytest.mark.usefixtures("one_family_measured")
def test_estimate_of_days(bitformer, tiny):
    said = bitformer("estimate", tiny, "--days", "--clock", "50", "--json")
    first, energy = said.data["days"][0], said.data["energy"]
    assert first["part"] == "xc7s15"
    assert first["inference_j"] == pytest.approx(energy["inference_j"])
    assert first["factor"] == energy["within_factor"] == 1.3
    assert first["days"]["ten minutes"]["forecasts"] == 144
    # a family without measured designs is left out in a sentence that says what adds it
    assert "lfe5u-25f is left out: 'bitformer synthesize M --part lfe5u-25f' adds it" in said.err
    assert [one["part"] for one in said.data["days"]] == ["xc7s15"]
    assert "days" not in bitformer("estimate", tiny, "--json").data


@pytest.mark.usefixtures("one_family_measured")
def test_days_on_parts_where_the_design_was_synthesized(bitformer, tiny, tmp_path, monkeypatch):
    """By its own entry alone, at no more megahertz than the part's router is asked for."""
    kb = tmp_path / "kb.sqlite"
    taken = {"luts": 3_000, "lutram": 0, "ffs": 2_000, "ramb18": 20, "dsps": 8, "lanes": 4}
    about = {"tool": "yosys", "version": "9", "name": "tiny"}
    parts = ("lfe5u-25f", "ice40up5k")
    KnowledgeBase(kb).add(Entry(key=f"of {part}", part=part, **about, **taken) for part in parts)
    monkeypatch.setattr(synthesize, "digest", lambda design: f"of {design.part}")
    said = bitformer("estimate", tiny, "--days", "--kb", kb, "--json")
    days = {one["part"]: one for one in said.data["days"]}
    assert list(days) == ["xc7s15", "lfe5u-25f", "ice40up5k"]
    assert [one["clock_hz"] for one in days.values()] == [100e6, 100e6, 48e6]
    small = days["ice40up5k"]
    # 146 uW, and 52 pJ a cycle for the clock, of which the shell's flip-flops take a little more
    assert small["static_w"] == 0.000146
    assert small["standing_w"] == pytest.approx(0.000146 + 48e6 * (52 + 196 * 0.015) * 1e-12)
    watts = 0.000146 + 48e6 * (52 + 3_000 * 0.04 + 2_000 * 0.015 + 20 * 4 + 8 * 20) * 1e-12
    cycles = bitformer("estimate", tiny, "--part", "ice40up5k", "--json").data["latency_cycles"]
    assert small["inference_j"] == pytest.approx(watts * cycles / 48e6)
    assert small["factor"] == 3


def test_a_days_figures_have_their_error_bar():
    day = Day(forecasts=144, idle_j=1764.2, off_j=0.311)
    row = ("ice40up5k", "48", "a minute")
    assert day_row("ice40up5k", 48e6, "a minute", day, 3) == (
        *row,
        "1760 (590–5300)",
        "0.311 (0.1–0.93)",
        "0.0036 (0.0012–0.011)",
    )
    assert day_row("ice40up5k", 48e6, "a minute", day, 1) == (*row, "1760", "0.311", "0.0036")
    always = Day(forecasts=144, idle_j=86.4, off_j=None)
    assert day_row("ice40up5k", 48e6, "a minute", always, 1) == (*row, "86.4", "no time", "1")


@pytest.mark.usefixtures("one_family_measured")
def test_estimate_of_a_family_that_nobody_measured(bitformer, tiny):
    """Cycles, multipliers and memory are as exact as for another; of LUTs it is said what lacks."""
    said = bitformer("estimate", tiny, "--part", "lfe5u-25f", "--json")
    assert "at least 12 measured designs of the ECP5, not 0: 'bitformer profile --parts" in said.err
    assert "ECP5 has no shift registers in LUTs: delays are flip-flops." in said.err
    (fit,) = [line for line in said.err.splitlines() if line.startswith("The stores fit")]
    assert fit.startswith("The stores fit the lfe5u-25f: ")
    assert fit.endswith("; the units' own logic is not known.")
    used = {use["resource"]: (use["used"], use["available"]) for use in said.data["resources"]}
    assert used["DSP"] == (27, 28)  # 24 columns, two ways, a LayerNorm
    assert used["EBR"][1] == 56
    assert 0 < used["EBR"][0] <= 56
    assert "prediction" not in said.data


def test_a_design_that_may_not_fit(bitformer, tiny, monkeypatch):
    """Its figure is within the part, the end of its interval is not."""
    wide = Interval(value=7_900, low=7_000, high=8_100)
    fitted = Predictor.predict

    def predict(self, design, **options):
        return dataclasses.replace(fitted(self, design, **options), luts=wide)

    monkeypatch.setattr(Predictor, "predict", predict)
    said = bitformer("estimate", tiny)
    assert said.code == 0
    assert said.out.splitlines()[0] == "May not fit xc7s15: LUT up to 8100 of 8000"


def test_block_rams_in_all_are_not_the_stores(bitformer):
    """Synthesis drops what is the same in all words of a ROM."""
    said = bitformer("estimate", "nyc-taxi-w4a8", "--json")
    stores = sum(store["ramb18"] for store in said.data["stores"])
    assert stores > said.data["prediction"]["ramb18"]
    assert (
        f"RAMB18: by their shapes the stores take {stores}; synthesis makes"
        f" {said.data['prediction']['ramb18']}, as it drops bits"
    ) in said.err


def test_a_clock_and_a_power_that_suit_the_part(bitformer, tiny):
    small = bitformer("estimate", tiny, "--part", "ice40up5k", "--json")
    assert small.data["clock_hz"] == 48e6
    assert "0.146 mW static (the ice40up5k's)" in small.err
    assert "Vivado" not in small.err
    given = bitformer("estimate", tiny, "--part", "ice40up5k", "--clock", "12", "--json")
    assert given.data["clock_hz"] == 12e6
    cheap = bitformer("estimate", tiny, "--part", "xc7s6", "--json")
    assert cheap.data["clock_hz"] == 100e6
    assert "20 mW static (the xc7s15's, whose bitstream is as long as the xc7s6's)" in cheap.err
    large = bitformer("estimate", tiny, "--part", "xc7s75")
    assert "70 mW static (one for its family, as none of the xc7s75 was read)" in large.out


def test_estimate_names_what_does_not_fit(bitformer, tiny):
    said = bitformer("estimate", tiny, "--lanes", "64", "--json")
    assert said.code == 1
    assert said.err.splitlines()[0] == "Does not fit xc7s15: DSP: 35 of 20, 15 too many"
    data = said.data
    assert data["within_budget"] is False
    assert {use["resource"]: use["over"] for use in data["resources"]}["DSP"] == 15


def test_estimate_says_what_would_fit(bitformer, tiny):
    said = bitformer("estimate", tiny, "--lanes", "64", "--json")
    remedy = said.data["remedies"][0]
    assert remedy["within_budget"] is True
    assert f"It fits with {remedy['change']}: " in said.err
    assert "remedies" not in bitformer("estimate", tiny, "--json").data


@pytest.mark.parametrize("command", ["estimate", "doctor"])
def test_a_search_for_changes_is_watched(bitformer, tiny, monkeypatch, command):
    args = (command, tiny, "--lanes", "64")
    alone = bitformer(*args)
    assert (alone.code, "trying" in alone.out + alone.err) == (1, False)
    seen = functools.partial(progress.progress_bar, enabled=True)
    monkeypatch.setattr(f"bitformer.cli.{command}.progress_bar", seen)
    watched = bitformer(*args)
    # what is drawn last, where a terminal cannot be drawn over
    assert "trying part xc7s" in watched.err
    assert watched.out == alone.out


def test_estimate_of_layers_adds_up(bitformer, tiny, tmp_path):
    picture = tmp_path / "new" / "timeline.svg"
    data = bitformer("estimate", tiny, "--layers", "--plot", picture, "--json").data
    spent = sum(layer["engine"] + layer["waited"] for layer in data["layers"])
    assert spent == data["interval_cycles"]
    assert "layers.0.scores" in [layer["layer"] for layer in data["layers"]]
    assert "<svg" in picture.read_text()


@pytest.fixture
def no_yosys(monkeypatch):
    """A machine without Yosys, whose release is in the keys of what was measured."""

    def missing(*_args):
        raise UserError("Synthesis needs Yosys")

    monkeypatch.setattr("bitformer.estimate.component_stores.component_keys", missing)


def test_estimate_of_components_adds_up(bitformer, tiny, no_yosys):
    said = bitformer("estimate", tiny, "--components", "--json")
    assert said.code == 0
    data = said.data
    *rest, total = data["components"]
    for name, count in (("luts", "luts"), ("lutram", "lutram")):
        assert total[name] == data["prediction"][count]["value"] == sum(row[name] for row in rest)
    assert total["ramb18"] == data["prediction"]["ramb18"]
    assert total["ramb18"] == pytest.approx(sum(row["ramb18"] for row in rest))
    rows = {row["name"]: row for row in rest}
    assert rows["MHA"]["bits"] == "4/8"
    assert not rows["MHA"]["measured"]
    words = {store["name"]: store["depth"] for store in data["stores"]}
    for store in ("program", "weights", "parameters"):
        assert sum(row.get("rom_words", {}).get(store, 0) for row in rest) == words[store]
    assert "What each component adds" in said.err
    assert "components" not in bitformer("estimate", tiny, "--json").data


def test_estimate_says_that_luts_are_logic_cells(bitformer, tiny):
    said = bitformer("estimate", tiny, "--part", "ice40up5k")
    assert "A LUT is a logic cell here" in said.err + said.out
    found = bitformer("estimate", tiny, "--part", "ice40up5k", "--json").data
    # more than Yosys' 3 000 LUTs: flip-flops that are alone take cells, too
    assert 3_500 < found["prediction"]["luts"]["value"] < 5_280
    assert "logic cell" not in bitformer("estimate", tiny).out


def test_estimate_of_results_that_lie_apart(bitformer, tiny):
    options = ["--place", "activations=block", "--place", "layers.0.hidden=distributed"]
    said = bitformer("estimate", tiny, *options, "--json")
    (parts,) = (store["parts"] for store in said.data["stores"] if "parts" in store)
    assert [part["placement"] for part in parts] == ["block", "distributed"]
    assert parts[1]["tensors"] == ["layers.0.hidden"]
    assert (parts[1]["engine"], parts[1]["post"]) == (True, False)
    found = bitformer("estimate", tiny, *options).out
    line = r"activations: \d+ words in distributed, read by the engine alone: layers\.0\.hidden"
    assert re.search(line, found)
    assert re.search(r"activations: \d+ words in block: embedding, ", found)
    assert "parts" not in str(bitformer("estimate", tiny, "--json").data["stores"])
