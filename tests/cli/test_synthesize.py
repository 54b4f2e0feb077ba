"""``bitformer synthesize``: what it says of a netlist, its exit code, its mistakes."""

import json

import pytest

from bitformer.estimate.features import VERSION
from bitformer.estimate.knowledge import Entry, KnowledgeBase, read_entries, shipped_entries
from bitformer.model.errors import UserError
from bitformer.synth import cache, synthesize
from bitformer.synth.yosys import Tool


def cells(**kinds):
    """That many cells of each kind; LUTs in a row between two registers, one big enable.

    The first of the two registers is a ``start``.
    """
    chain, start = kinds.pop("chain", 0), kinds.pop("start", "FDRE")
    loads = kinds.pop("loads", 0)
    found = {
        f"{kind}_{number}": {"type": kind, "connections": {}, "port_directions": {}}
        for kind, count in kinds.items()
        for number in range(count)
    }
    for number in range(chain):
        found[f"chain_{number}"] = {
            "type": "LUT1",
            "connections": {"I0": [100 + number], "O": [101 + number]},
            "port_directions": {"I0": "input", "O": "output"},
        }
    for number, (d, q) in enumerate([("0", 100), (100 + chain, 99)] if chain else []):
        found[f"end_{number}"] = {
            "type": "FDRE" if number else start,
            "connections": {"D": [d], "Q": [q]},
            "port_directions": {"D": "input", "Q": "output"},
        }
    for number in range(loads):
        found[f"load_{number}"] = {
            "type": "FDRE",
            "connections": {"CE": [50], "Q": [5000 + number]},
            "port_directions": {"CE": "input", "Q": "output"},
        }
    return found


@pytest.fixture
def synthesizer(monkeypatch, tmp_path):
    """Put a Yosys in place that answers with so many cells; returns the scripts it was given."""
    scripts = []

    def install(**kinds):
        names = {"first.count": 100, "last.flag": 99, "unit.go": 50}
        nets = {name: {"hide_name": 0, "bits": [bit]} for name, bit in names.items()}
        top = {"cells": cells(**kinds), "netnames": nets, "ports": {}}
        text = json.dumps({"modules": {"top": top}})

        def run(tool, script, files, result):
            scripts.append(script)
            return text

        monkeypatch.setattr(cache, "run_yosys", run)
        monkeypatch.setattr(
            synthesize, "find_tool", lambda: Tool(command=("y",), version="yosys 9.9")
        )
        monkeypatch.setattr(synthesize, "default_cache", lambda: tmp_path / "cache")
        return scripts

    return install


def test_what_people_read(bitformer, tiny, synthesizer):
    synthesizer(LUT6=40, RAM64M=2, SRL16E=3, RAMB36E1=1, DSP48E1=18, INV=7, chain=8, loads=130)
    said = bitformer("synthesize", tiny, "--part", "xc7s15")
    assert said.code == 0
    rows = {
        " ".join(line.split()[:-3]): line.split()[-3:] for line in said.out.splitlines() if line
    }
    assert rows["LUT"][0] == str(40 + 8 + 11)
    assert rows["LUT as memory"] == ["11", "2400", "0%"]
    assert rows["RAMB18"] == ["2", "20", "10%"]
    assert rows["DSP"] == ["18", "20", "90%"]
    assert "by yosys 9.9" in said.out
    assert "Logic depth: 8 LUT levels" in said.out
    assert "first.count" in said.out
    assert "last.flag/D" in said.out
    assert "130 of unit.go" in said.out
    assert "7 inverters" in said.out
    assert "Does not fit" not in said.out


@pytest.mark.parametrize("start", ["FDRE", "SRL16E"])
def test_what_begins_late_is_told(start, bitformer, tiny, synthesizer):
    synthesizer(chain=3, start=start)
    said = bitformer("synthesize", tiny)
    late = "4 steps at most, from first.count (SRL16E)/Q to last.flag/D (for 150 MHz: 3;"
    assert (late in said.out) == (start == "SRL16E")
    data = bitformer("synthesize", tiny, "--json").data
    assert data["late_steps"] == (4 if start == "SRL16E" else 0)
    assert data["short_enough_for_150_mhz"] == (start == "FDRE")
    assert [path["end"] for path in data["late_paths"]] == ["last.flag/D"] * (start == "SRL16E")


def test_logic_cells_of_a_part_that_has_them(bitformer, tiny, synthesizer):
    """Each of these LUTs and flip-flops has a cell to itself."""
    synthesizer(SB_LUT4=5_000, SB_DFF=281, SB_RAM40_4K=2)
    said = bitformer("synthesize", tiny, "--part", "ice40up5k")
    assert said.code == 1
    assert "Does not fit ice40up5k: logic cell: 5281 of 5280, 1 too many" in said.out
    assert "Logic cells: LUTs, flip-flops that no LUT feeds alone" in said.out
    assert "inverters" not in said.out


def test_json(bitformer, tiny, synthesizer):
    synthesizer(LUT6=40, RAM64M=2, SRL16E=3, RAMB36E1=1, chain=3, loads=130)
    said = bitformer("synthesize", tiny, "--json")
    assert said.code == 0
    data = said.data
    assert data["part"] == "xc7s15"
    assert data["resources"]["luts"] == 40 + 3 + 11
    assert (data["resources"]["luts_as_memory"], data["resources"]["srls"]) == (11, 3)
    assert (data["resources"]["ramb18"], data["resources"]["ramb36"]) == (2, 1)
    assert (data["lut_levels"], data["carry_chains"]) == (3, 0)
    assert data["short_enough_for_150_mhz"] is False
    assert data["paths"][0]["end"] == "last.flag/D"
    assert data["loads"][0] == {
        "name": "unit.go",
        "loads": 130,
        "enables": 130,
        "resets": 0,
        "logic": 0,
        "data": 0,
        "control": True,
    }
    assert (data["fits"], data["units"]) == (True, {})


@pytest.mark.parametrize(
    ("kinds", "short"),
    [
        ({"chain": 6, "loads": 128}, True),
        ({"chain": 7, "loads": 128}, False),
        ({"chain": 6, "loads": 129}, False),
    ],
)
def test_short_enough(kinds, short, bitformer, tiny, synthesizer):
    synthesizer(**kinds)
    said = bitformer("synthesize", tiny, "--json")
    assert said.data["short_enough_for_150_mhz"] is short


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ({"DSP48E1": 21}, "Does not fit xc7s15: DSP: 21 of 20, 1 too many"),
        ({"RAM64M": 601}, "Does not fit xc7s15: LUT as memory: 2404 of 2400, 4 too many"),
        ({"RAMB36E1": 10, "RAMB18E1": 2}, "Does not fit xc7s15: RAMB18: 22 of 20, 2 too many"),
    ],
    ids=["DSP", "LUT as memory", "RAMB18"],
)
def test_too_big_is_exit_code_one(kinds, sentence, bitformer, tiny, synthesizer):
    synthesizer(**kinds)
    said = bitformer("synthesize", tiny)
    assert said.code == 1
    assert sentence in said.out


def test_a_bigger_part(bitformer, tiny, synthesizer):
    synthesizer(DSP48E1=21)
    said = bitformer("synthesize", tiny, "--json")
    assert (said.code, said.data["fits"]) == (1, False)
    said = bitformer("synthesize", tiny, "--part", "xc7s50", "--json")
    assert (said.code, said.data["fits"]) == (0, True)


def test_units_take_another_run(bitformer, tiny, synthesizer):
    scripts = synthesizer(LUT6=5)
    data = bitformer("synthesize", tiny, "--units", "--json").data
    assert data["units"]["(own)"]["luts"] == 5
    assert ["-flatten" in script for script in scripts] == [True, False]


def test_lanes_and_placement_make_another_design(bitformer, tiny, synthesizer):
    scripts = synthesizer(LUT6=5)
    for options in ([], ["--lanes", "8"], ["--place", "scores=registers"], ["--no-pack"], []):
        assert bitformer("synthesize", tiny, *options).code == 0
    assert len(scripts) == 4


def test_no_tool(bitformer, tiny, monkeypatch):
    def missing():
        raise UserError("Synthesis needs Yosys 0.40 or later: install it")

    monkeypatch.setattr(synthesize, "find_tool", missing)
    said = bitformer("synthesize", tiny)
    assert (said.code, said.out) == (2, "")
    assert said.err.strip() == "Error: Synthesis needs Yosys 0.40 or later: install it"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--part", "xc7s16"], "xc7s16"),
        (["--lanes", "0"], "--lanes"),
        (["--place", "scores"], "--place must be NAME=PLACEMENT, of a store or a result"),
        (["--place", "attic=block"], "attic"),
        (["--route"], "part must be one that can be routed here, lfe5u-25f, lfe5u-45f, lfe5u-85f"),
        (["--seeds", "2"], "--seeds and --clock are for --route: give it, too"),
        (["--part", "lfe5u-25f", "--clock", "100"], "--seeds and --clock are for --route"),
    ],
)
def test_mistakes(options, sentence, bitformer, tiny, synthesizer):
    scripts = synthesizer()
    said = bitformer("synthesize", tiny, *options)
    assert (said.code, said.out, scripts) == (2, "", [])
    assert len(said.err.splitlines()) == 1
    assert sentence in said.err


@pytest.mark.needs("posix")
def test_routed(bitformer, tiny, synthesizer, routed, tmp_path):
    """The clock of three seeds, in words and as data, and remembered as measured."""
    synthesizer(LUT4=40, TRELLIS_FF=3)
    routed.does(s1=90.0, s2=125.0, s3=100.0)
    options = ["synthesize", tiny, "--part", "lfe5u-25f", "--lanes", "8", "--route"]
    kb = tmp_path / "kb.sqlite"
    said = bitformer(*options, "--clock", "120", "--kb", kb, "--json")
    assert said.code == 0
    assert {"--freq 120.000000" in run for run in routed.runs} == {True}
    routing = said.data["routing"]
    reached = (routing["best_mhz"], routing["median_mhz"], routing["worst_mhz"])
    assert reached == (125.0, 100.0, 90.0)
    assert (routing["asked_hz"], routing["met"], routing["best_seed"]) == (120e6, True, 2)
    entries = bitformer("kb", "show", "--kb", kb, "--json").data["entries"]
    cycles = routing["latency_us"] * 100
    said = bitformer(*options, "--clock", "120", "--no-kb")
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines() if line.strip()}
    assert rows["best"] == ["125.0", f"{cycles / 125:.2f}"]
    assert rows["median"] == ["100.0", f"{cycles / 100:.2f}"]
    assert ["worst", "90.0", f"{cycles / 90:.2f}"] in map(str.split, said.out.splitlines())
    assert "by nextpnr-ecp5 0.99; 120 MHz asked" in said.out
    assert len(routed.runs) == 3, "seeds come from the cache"
    (design,) = (entry for entry in entries if entry["kind"] == "design")
    (entry,) = (entry for entry in entries if entry["kind"] == "routed")
    assert entry["key"].startswith(f"{design['key']}.routed.")
    assert (entry["tool"], entry["version"]) == ("nextpnr-ecp5", "0.99")
    assert entry["features"] == {
        "best_mhz": 125.0,
        "median_mhz": 100.0,
        "worst_mhz": 90.0,
        "asked_mhz": 120.0,
        "seeds": 3,
        "seed_1_mhz": 90.0,
        "seed_2_mhz": 125.0,
        "seed_3_mhz": 100.0,
        "version": VERSION,
    }
    assert entry["details"] == {
        "chip": "lfe5u-25f BG381, speed grade 6",
        "synthesis": design["tool"] + " " + design["version"],
        "worst_path": "a/Q to y/M: 8.00 ns, 1.00 of them logic",
    }
    estimate = ["estimate", tiny, "--part", "lfe5u-25f", "--lanes", "8", "--kb", kb]
    data = bitformer(*estimate, "--json").data
    assert (data["measured_mhz"], data["measured_us"]) == (100.0, cycles / 100)
    said = bitformer(*estimate).out
    assert f"Measured clock: 100.0 MHz (90 to 125), so {cycles / 100:.2f} us" in said
    other = ["estimate", tiny, "--part", "lfe5u-25f", "--lanes", "4", "--kb", kb]
    assert bitformer(*other, "--json").data["measured_mhz"] is None
    # 150 are asked unless it is said
    routed.does(s1=90.0)
    assert bitformer(*options, "--seeds", "1", "--no-kb").code == 0
    assert "--freq 150.000000" in " ".join(routed.runs)


def test_interrupted(bitformer, tiny, synthesizer, monkeypatch, tmp_path):
    synthesizer()

    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "run_yosys", interrupt)
    said = bitformer("synthesize", tiny)
    assert (said.code, said.out, said.err.strip()) == (130, "", "Interrupted")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_was_measured_is_remembered(bitformer, tiny, synthesizer, tmp_path):
    synthesizer(LUT6=40, DSP48E1=18)
    other = tmp_path / "other.sqlite"
    assert bitformer("synthesize", tiny).code == 0
    assert bitformer("synthesize", tiny, "--units", "--kb", other).code == 0
    assert bitformer("synthesize", tiny, "--no-kb", "--lanes", "8").code == 0
    own = KnowledgeBase(None).path
    (entry,) = bitformer("kb", "show", "--kb", own, "--json").data["entries"]
    assert (entry["name"], entry["luts"], entry["dsps"]) == ("tiny", 40, 18)
    assert entry["widths"]["MHA"] == "4/8"
    assert entry["features"]["columns"] == 16
    kinds = [
        one["kind"] for one in bitformer("kb", "show", "--kb", other, "--json").data["entries"]
    ]
    assert kinds == ["design", "unit"]
    said = bitformer("kb", "show", "--kind", "unit", "--kb", other)
    assert "1 units, by yosys" in said.out
    assert "tiny" not in said.out
    said = bitformer("kb", "merge", other)
    assert "1 of 2 entries are new" in said.out
    out = tmp_path / "out.json"
    assert bitformer("kb", "export", out, "--kb", own, "--json").data["entries"] == 2


def test_what_ships_is_shown_and_exported_beside_the_users_own(bitformer, tmp_path):
    """Without a file of the user's it is all there is, and none is made to look into."""
    shipped, own = {entry.key for entry in shipped_entries()}, KnowledgeBase(None).path
    own.unlink()
    said = bitformer("kb", "show", "--json")
    assert {entry["key"] for entry in said.data["entries"]} == shipped
    assert "bitformer's own: " in bitformer("kb", "show").out
    assert not own.exists()
    KnowledgeBase(own).add([component("k")])
    out = tmp_path / "all.json"
    assert bitformer("kb", "export", out).code == 0
    assert {entry.key for entry in read_entries(out)} == shipped | {"k"}
    assert f"{own}: 0 designs, 0 units, 1 components" in bitformer("kb", "show").out
    picked = bitformer("kb", "show", "--kind", "routed", "--json").data
    assert {entry["kind"] for entry in picked["entries"]} == {"routed"}


def component(key):
    """Return what a component takes, by its key."""
    return Entry(
        key=key,
        kind="component",
        name="MHA",
        part="xc7s15",
        lanes=32,
        widths={"MHA": "2/8"},
        shape={"window": 12, "d_model": 16},
        tool="yosys",
        version="9",
        luts=128,
        lutram=128,
        ffs=3,
        ramb18=7,
        dsps=0,
    )


def test_components_are_shown_with_their_bits(bitformer, tmp_path):
    entry = component("k")
    base = KnowledgeBase(tmp_path / "kb.sqlite")
    base.add([entry])
    said = bitformer("kb", "show", "--kb", base.path)
    assert "0 designs, 0 units, 1 components, 0 builds" in said.out
    assert "2/8 12-16" in said.out
    picked = tmp_path / "components.json"
    assert bitformer("kb", "export", picked, "--kind", "component", "--kb", base.path).code == 0
    assert read_entries(picked) == [entry]


def test_a_base_that_fails_is_no_failure(bitformer, tiny, synthesizer, tmp_path):
    synthesizer(LUT6=40)
    bad = tmp_path / "bad.sqlite"
    bad.write_text("no database " * 100)
    said = bitformer("synthesize", tiny, "--kb", bad)
    assert said.code == 0
    assert "Not remembered: Knowledge base" in said.err


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["kb", "show", "x"], "takes no files"),
        (["kb", "merge"], "at least one base"),
        (["kb", "merge", "x.json", "--kind", "unit"], "--kind must be given to show or export"),
        (["kb", "show", "--kind", "chip"], "'chip' is not one of 'design', 'unit', 'component'"),
        (["profile", "--units", "--components"], "--units must be measured by itself"),
        (["profile", "--route", "--units"], "--route must be measured by itself"),
        (["profile", "--seeds", "2"], "--seeds and --clock are for --route: give it, too"),
        (["profile", "--clock", "90"], "--seeds and --clock are for --route: give it, too"),
        (["profile", "--route", "--widths", "8"], "one that can be routed here, lfe5u-25f"),
        (["kb", "merge", "nothing.sqlite"], "which is not there"),
        (["kb", "export"], "one file to write"),
        (["profile", "--shapes", "2", "--mixed", "3"], "--shapes must be given without configs"),
        (["profile", "--shapes", "0"], "0 is not in the range"),
        (["profile", "--families", "rows"], "--families is for --shapes: give it, too"),
        (["profile", "--shapes", "1", "--families", "cnn"], "families must be of decoder, rows"),
        (["profile", "--bits", "5/x"], "bits must be numbers"),
        (["profile", "--bits", "32"], "widths that a model can have"),
        (["profile", "--windows", "0"], "--windows must be positive integers"),
        (["profile", "--parts", "xc7s16", "--widths", "8"], "part must be one of"),
    ],
)
def test_mistakes_of_the_base(bitformer, args, sentence):
    said = bitformer(*args)
    assert said.code == 2
    assert sentence in said.err
