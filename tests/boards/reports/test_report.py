"""Reports in the format of four releases, and everything that must not pass for good."""

import json
import re
import shutil
from pathlib import Path

import pytest
from manifest_harness import write_manifest

from bitformer.boards.reports.report import energy_of, read_build
from bitformer.boards.reports.vivado.power import read_power
from bitformer.boards.reports.vivado.text import number
from bitformer.boards.reports.vivado.timing import read_timing
from bitformer.boards.reports.vivado.utilization import read_utilization
from bitformer.model.errors import UserError

REPORTS = Path(__file__).parent
RELEASES = {path.name: path for path in sorted(REPORTS.iterdir())}


def read(release, kind):
    reader = {
        "utilization_place": read_utilization,
        "timing": read_timing,
        "power": read_power,
    }[kind]
    return reader((RELEASES[release] / f"net_{kind}.rpt").read_text())


@pytest.mark.parametrize(
    ("release", "tool", "device", "luts", "memory", "ffs", "ramb18", "dsps"),
    [
        ("v2018_2", "2018.2", "xc7s15ftgb196", (1904, 8000), 462, 2210, (9, 20), (18, 20)),
        ("v2020_1", "2020.1", "xc7s25csga225", (15012, 14600), 462, 2210, (81, 90), (18, 80)),
        ("v2022_1", "2022.1", "xc7s15ftgb196", (1899, 8000), 462, 2201, (10, 20), (18, 20)),
        ("v2025_1", "2025.1", "xc7s50csga324", (1824, 32600), 314, 2190, (1, 150), (18, 120)),
    ],
)
def test_utilization(release, tool, device, luts, memory, ffs, ramb18, dsps):
    found = read(release, "utilization_place")
    assert found.tool == f"Vivado {tool}"
    assert (found.device, found.state) == (device, "Fully Placed")
    taken = {name: (use.used, use.available) for name, use in found.uses.items()}
    assert taken["LUT"] == luts
    # Titles repeat in a later table, with other counts.
    assert taken["LUT as memory"][0] == memory
    assert taken["FF"][0] == ffs
    assert taken["RAMB18"] == ramb18
    assert taken["DSP"] == dsps
    assert [use.resource for use in found.over] == (["LUT"] if release == "v2020_1" else [])


@pytest.mark.parametrize(
    ("release", "slack", "clocks", "fmax", "met"),
    [
        ("v2018_2", [2.250, 0.040, 3.000], {"clock_0__io": 10.0}, 1000 / 7.75, True),
        (
            "v2020_1",
            [0.343, -0.061, -0.155],
            {"clock_0__io": 83.333, "clk_out1": 10.0, "clkfbout": 83.333},
            None,
            False,
        ),
        ("v2022_1", [None, None, None], {}, None, False),
        ("v2025_1", [2.250, 0.040, 3.000], {"clock_0__io": 10.0}, 1000 / 7.75, True),
    ],
)
def test_timing(release, slack, clocks, fmax, met):
    found = read(release, "timing")
    assert list(found.slack_ns.values()) == slack
    assert found.clocks == clocks
    assert found.fmax_mhz() == fmax
    assert found.met is met


def test_timing_of_a_clock_that_an_mmcm_makes():
    assert read("v2020_1", "timing").fmax_mhz(100_000_000) == 1000 / (10 - 0.343)


def test_checks_are_read_with_and_without_counts_beside_the_title():
    zero = {"no_clock": 0, "unconstrained_internal_endpoints": 0}
    assert read("v2018_2", "timing").checks == {**zero, "no_input_delay": 0}
    assert read("v2025_1", "timing").checks == {**zero, "no_input_delay": 2}
    # Ports with an exception are no bare ones.
    assert read("v2025_1", "timing").bare_ports == 0
    assert read("v2020_1", "timing").bare_ports == 3


@pytest.mark.parametrize(
    ("release", "watts", "confidence", "activity", "process", "idle"),
    [
        ("v2018_2", (0.062, 0.042, 0.020), "High", "net.saif", "typical", 0.025),
        ("v2020_1", (0.232, 0.168, 0.064), "Low", None, "maximum", None),
        ("v2022_1", (0.062, 0.042, 0.020), None, "net.saif", "typical", 0.025),
        ("v2025_1", (0.115, 0.042, 0.072), "Medium", "net.saif", "typical", 0.077),
    ],
)
def test_power(release, watts, confidence, activity, process, idle):
    found = read(release, "power")
    assert (found.total_w, found.dynamic_w, found.static_w) == watts
    assert (found.confidence, found.activity, found.process) == (confidence, activity, process)
    assert found.idle_w == pytest.approx(idle)
    assert found.parts.get("Clocks") == (None if release == "v2020_1" else 0.005)
    assert "LUT as Logic" not in found.parts  # a child of Slice Logic


GOOD = {"v2018_2": (), "v2025_1": ()}
BAD = {
    "v2020_1": (
        "hold fails by 0.061 ns at 9 endpoint(s)",
        "pulse width fails by 0.155 ns at 1 endpoint(s)",
        "3 port(s) have neither a delay nor an exception",
        "LUT: 15012 of 14600, 412 too many",
        "confidence in the power report is Low (switching activity was guessed; give the build"
        " --saif)",
    ),
    "v2022_1": (
        "setup is not constrained (NA in the timing report)",
        "hold is not constrained (NA in the timing report)",
        "pulse width is not constrained (NA in the timing report)",
        "no clock is constrained",
        "check_timing: no_clock is 2201",
        "check_timing: unconstrained_internal_endpoints is 5099",
        "the power report hides its confidence level",
    ),
}


@pytest.mark.parametrize(("release", "problems"), {**GOOD, **BAD}.items())
def test_verdict(release, problems):
    report = read_build(RELEASES[release])
    assert report.problems == problems
    assert report.good == (not problems)


@pytest.fixture
def build(tmp_path):
    """A good build of ours, to be spoilt."""
    path = shutil.copytree(RELEASES["v2018_2"], tmp_path / "build")
    write_manifest(path)
    return path


def test_good_build(build):
    report = read_build(build)
    assert report.good
    assert (report.tool, report.device) == ("Vivado 2018.2", "xc7s15ftgb196")


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("timing", " 2.250  ", "-0.250  ", "setup fails by 0.250 ns at 0 endpoint(s)"),
        ("timing", " 0.040  ", "-0.040  ", "hold fails by 0.040 ns at 0 endpoint(s)"),
        ("timing", " 3.000  ", "   NA   ", "pulse width is not constrained (NA in"),
        ("timing", " 0.040  ", "  inf   ", "hold is not constrained (NA in"),
        ("timing", "All user specified", "Some", "Vivado does not say that"),
        ("timing", "are 0 register/latch pins with no", "are 7 reg", "check_timing: no_clock is 7"),
        ("timing", "checking", "looking at", "the timing report has no check_timing section"),
        (
            "timing",
            "{0.000 5.000}        10.000 ",
            "{0.000 5.000}        20.000 ",
            "has the design's",
        ),
        ("timing", "7s15-ftgb196", "7s25-csga225", "the timing report is of xc7s25csga225, not of"),
        ("power", "routed", "synthesized", "the power report is of a synthesized design"),
        ("power", "| High           |", "| Low            |", "is Low (in spite of net.saif)"),
        ("power", "| High           |", "| ---            |", "hides its confidence level"),
        ("power", "| 0.042          |", "| 0.030          |", "power does not add up"),
        ("power", "| 0.062 ", "| 0.062 (Junction temp exceeded!)", "junction gets too hot"),
        ("power", "xc7s15ftgb196-1", "xc7s25csga225-1", "the power report is of xc7s25csga225"),
        (
            "utilization_place",
            "|   18 |     0 |        20 |",
            "|   28 |     0 |        20 |",
            "DSP",
        ),
    ],
)
def test_spoilt_builds_are_refused(build, file, old, new, problem):
    path = build / f"net_{file}.rpt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    problems = read_build(build).problems
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize("kind", ["utilization_place", "timing", "power"])
def test_a_missing_report_is_refused(build, kind):
    (build / f"net_{kind}.rpt").unlink()
    assert read_build(build).problems == (f"there is no {kind.split('_')[0]} report",)


def test_the_routed_report_is_read(build):
    early = (build / "net_timing.rpt").read_text().replace(" 2.250  ", " 9.990  ")
    (build / "net_timing_synth.rpt").write_text(early)
    early = (build / "net_utilization_place.rpt").read_text()
    early = early.replace("Fully Placed", "Synthesized").replace("| 1904 ", "| 1111 ")
    (build / "a_utilization.rpt").write_text(early)
    (build / "z_utilization.rpt").write_text(early)
    report = read_build(build)
    assert report.timing.slack_ns["setup"] == 2.250
    assert report.utilization.uses["LUT"].used == 1904
    assert report.files["utilization"] == "net_utilization_place.rpt"


def test_a_project_that_is_not_ours_has_no_manifest(build):
    (build / "bitformer.json").write_text('{"format": 1, "top": "bitformer_accelerator"}')
    assert read_build(build).manifest is None
    assert read_build(build).name == "build"
    assert read_build(build).to_dict()["facts"] == {}


def test_no_reports(tmp_path):
    with pytest.raises(UserError, match=r"^Directory .* holds no report of Vivado, Yosys or"):
        read_build(tmp_path)
    with pytest.raises(UserError, match=r"^Directory .* cannot be read: "):
        read_build(tmp_path / "none")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("utilization_place", "Slice LUTs  ", "Slices      ", "has no count of Slice LUTs"),
        ("utilization_place", "| 1904 ", "| many ", "cell must be a number, not 'many'"),
        ("timing", "WHS(ns)", "WHO(ns)", r"has no column WHS\(ns\) in its design summary"),
        ("power", "Device Static (W)", "Device Statics   ", r"has no Device Static \(W\)"),
    ],
)
def test_unreadable_reports(build, file, old, new, message):
    path = build / f"net_{file}.rpt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=rf"net_{file}\.rpt: .*{message}"):
        read_build(build)


@pytest.mark.parametrize(
    ("cell", "value"), [("<0.001", 0.001), ("NA", None), ("---", None), ("40.5", 40.5), ("-1", -1)]
)
def test_numbers(cell, value):
    assert number(cell) == value


YOSYS = {"design": {"num_cells_by_type": {"LUT6": 1000, "FDRE": 20, "DSP48E1": 21}}}
YOSYS_0_40 = """
=== net ===

   Number of wires:                 10
   Number of cells:               1041
     DSP48E1                        21
     FDRE                           20
     LUT6                         1000
"""
YOSYS_0_60 = """
=== net ===

        +----------Local Count, excluding submodules.
        |
       10 wires
     1041 cells
       21   DSP48E1
       20   FDRE
     1000   LUT6
"""
NEXTPNR = """
Info: Max frequency for clock 'clk': 90.00 MHz (FAIL at 100.00 MHz)
Info: Max frequency for clock 'clk': 104.25 MHz (PASS at 100.00 MHz)
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [("_stat.json", json.dumps(YOSYS)), ("_stat.txt", YOSYS_0_40), (".rpt", YOSYS_0_60)],
)
def test_open_tools(tmp_path, name, text):
    write_manifest(tmp_path)
    (tmp_path / f"net{name}").write_text(text)
    # A log has the statistics of every stage.
    (tmp_path / "net_yosys.log").write_text(YOSYS_0_40.replace("1000", "9999"))
    (tmp_path / "net_nextpnr.log").write_text(NEXTPNR)
    report = read_build(tmp_path)
    yosys = report.found["yosys"]
    assert (yosys.luts, yosys.ffs, yosys.dsps) == (1000, 20, 21)
    assert report.found["nextpnr"].reached_mhz == {"clk": 104.25}
    assert report.problems == (
        "nextpnr analyses neither hold nor pulse width",
        "DSP: 21 of 20, 1 too many",
        "there is no power report",
    )
    (tmp_path / "net_nextpnr.log").write_text(re.sub("104.25", "94.25", NEXTPNR))
    assert "clock clk reaches 94.2 MHz of 100.0 MHz" in read_build(tmp_path).problems


def test_energy(build):
    found = energy_of(read_build(build), forecasts=1000)
    seconds = 5_529 / 100e6
    assert found.seconds == seconds
    assert found.inference_j == 0.062 * seconds
    assert found.idle_w == 0.020 + 0.005
    # Four lines at 50 MHz, uncompressed.
    assert found.configuration_s == pytest.approx(0.0216, abs=1e-4)
    assert found.configuration_j == 0.1 * found.configuration_s
    assert found.break_even_s == seconds + found.configuration_j / 0.025
    idle = 1000 * found.inference_j + 0.025 * (86_400 - 1000 * seconds)
    assert found.day.idle_j == pytest.approx(idle)
    assert found.day.off_j == pytest.approx(1000 * (found.inference_j + found.configuration_j))
    assert found.day.best == "off"


def test_break_even_is_where_both_cost_the_same(build):
    report = read_build(build)
    often = 86_400 / energy_of(report, forecasts=1).break_even_s
    assert energy_of(report, forecasts=int(often * 1.01)).day.best == "idle"
    assert energy_of(report, forecasts=int(often * 0.99)).day.best == "off"


def test_a_bitstream_there_gives_the_length(build):
    (build / "net.bin").write_bytes(bytes(200_000))
    found = energy_of(read_build(build), forecasts=1)
    assert found.configuration_s == 8 * 200_000 / (4 * 50e6)


def test_energy_takes_what_is_known(build):
    with pytest.raises(ValueError, match=r"Inferences per day must be 1 to 15626\d+, not 0"):
        energy_of(read_build(build), forecasts=0)
    with pytest.raises(ValueError, match=r"not 2000000000"):
        energy_of(read_build(build), forecasts=2_000_000_000)
    # Too often to be configured in between.
    assert energy_of(read_build(build), forecasts=5_000_000).day.off_j is None
    (build / "bitformer.json").unlink()
    assert energy_of(read_build(build), forecasts=1) is None
    found = energy_of(read_build(build), forecasts=1, cycles=100, clock_hz=1_000_000)
    assert found.seconds == 1e-4
    assert found.configuration_s == pytest.approx(0.1078, abs=1e-4)  # one line, 40 MHz


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "Yosys report counts no cells$"),
        ({"LUT6": -1}, "Yosys report counts no cells$"),
        ({"LUT6": "many"}, "num_cells_by_type: LUT6 must be an integer, not 'many'$"),
        ([1], r"num_cells_by_type must be an object, not \[1\]$"),
    ],
)
def test_statistics_that_count_nothing(tmp_path, counts, message):
    text = json.dumps({"design": {"num_cells_by_type": counts}})
    (tmp_path / "net_stat.json").write_text(text)
    with pytest.raises(UserError, match=rf"^{re.escape(str(tmp_path))}/net_stat.json: .*{message}"):
        read_build(tmp_path)


def test_a_row_that_is_broken_off_is_passed_over():
    text = (RELEASES["v2018_2"] / "net_power.rpt").read_text()
    broken = re.sub(r"^\| Clocks .*$", "| Clocks", text, count=1, flags=re.M)
    assert broken != text
    assert read_power(broken).idle_w is None
    assert read_power(broken).total_w == read_power(text).total_w


@pytest.mark.parametrize("digits", ["9" * 400, "9" * 5000])
def test_numbers_that_cannot_be(build, digits):
    for kind, before in (
        ("utilization_place", "| 1904 "),
        ("timing", "There are 0 register/latch pins with no clock"),
        ("power", "| 0.062 "),
    ):
        path = build / f"net_{kind}.rpt"
        whole = path.read_text()
        spoilt = whole.replace(before, re.sub(r"\d[\d.]*", digits, before), 1)
        assert spoilt != whole
        path.write_text(spoilt)
        with pytest.raises(UserError, match="Report cell must be a number that can be, not '9999"):
            read_build(build)
        path.write_text(whole)
    (build / "net_nextpnr.log").write_text(NEXTPNR.replace("90.00", digits))
    with pytest.raises(UserError, match=r"net_nextpnr\.log: Report cell must be a number that can"):
        read_build(build)
