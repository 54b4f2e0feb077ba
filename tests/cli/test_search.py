"""``bitformer search``, from data to models, as a user types it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from class_harness import strides
from clock_harness import PART, routed
from measurement_harness import drawn, invented
from study_harness import INVENTED

from bitformer import _search
from bitformer.boards.catalog import find_board
from bitformer.cli.quantity import quantity
from bitformer.cli.search import _engines
from bitformer.estimate.knowledge import KnowledgeBase
from bitformer.hw.lowering.lower import lower
from bitformer.model.checkpoint import load_model
from bitformer.model.errors import UserError
from bitformer.search import verification
from bitformer.search.engine import Engine
from bitformer.synth import tools

CONFIG = {"name": "small", "window": 8, "horizon": 2, "patch": 4, "d_model": 4, "ffn": 4}
FAST = ["--epochs", "1", "--qat-epochs", "1", "--batch", "512", "--windows", "1", "--top", "1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A configuration, sensitivities and a knowledge base that nobody measured."""
    root = tmp_path_factory.mktemp("search")
    (root / "small.json").write_text(json.dumps(CONFIG))
    (root / "added.json").write_text(json.dumps(INVENTED))
    KnowledgeBase(root / "kb.sqlite").add(
        invented(design, key=f"k{n}") for n, design in enumerate(drawn(12, 7))
    )
    return root


def line(place, output, *more):
    config = ["--config", place / "small.json", "--data", "synthetic", "--bits", "4,8"]
    known = ["--sensitivity", place / "added.json", "--kb", place / "kb.sqlite"]
    return ["search", *config, *known, *FAST, "--synthesis", "none", "-o", output, *more]


@pytest.fixture(scope="module")
def done(place, bitformer):
    """What one search said, and its folder."""
    folder = place / 'it\'s "done"; $(exit 9) \u00e9'
    return folder, bitformer(*line(place, folder, "--workers", "1", "--json"))


def test_a_search(done, place):
    folder, said = done
    assert said.code == 0
    assert said.data["space"]["combinations"] == 2 ** len(INVENTED)
    (candidate,) = said.data["candidates"]
    assert candidate["proof"]["bit_exact"]
    assert candidate["proof"]["engine"] == "python"
    assert said.data["model"] == str(folder / candidate["model"])
    assert load_model(said.data["model"]).config.name == candidate["name"]
    assert (folder / "pareto.png").exists()
    assert json.loads((folder / "search.json").read_text())["candidates"] == [candidate]
    assert f"build {shlex.quote(said.data['model'])} --board" in said.err
    assert len(re.findall(r"test MSE", said.err)) == 1


def test_a_search_for_a_classifier(place, bitformer, tmp_path):
    """The decision behind the layers is part of each design; errors are what they are."""
    folder = strides(tmp_path / "gait", rows=80)
    of = ["--data", folder, "--files", "{group}_{label}.csv", "--stride", "4"]
    said = bitformer(*line(place, tmp_path / "found", *of, "--workers", "1", "--json"))
    assert said.code == 0
    (candidate,) = said.data["candidates"]
    assert candidate["proof"]["bit_exact"]
    assert candidate["proof"]["cycles_as_predicted"]
    assert load_model(said.data["model"]).config.task == "classify"
    assert len(re.findall(r"test cross entropy", said.err)) == 1
    assert "MSE" not in said.err


def test_a_search_for_a_stream(place, bitformer, tmp_path):
    """Cycles are those of a step."""
    config = CONFIG | {"name": "small-stream", "stream": True, "subtract_last": True}
    (tmp_path / "stream.json").write_text(json.dumps(config))
    shape = ["--config", tmp_path / "stream.json"]
    said = bitformer(*line(place, tmp_path / "found", *shape, "--workers", "1", "--json"))
    assert said.code == 0, said.err
    (candidate,) = said.data["candidates"]
    assert candidate["proof"]["bit_exact"]
    assert candidate["proof"]["cycles_as_predicted"]
    model = load_model(said.data["model"])
    assert model.config.stream
    assert candidate["proof"]["latency"] == lower(model, **candidate["engine"]).latency


@pytest.mark.needs("posix")
def test_again_it_says_the_same_at_once(done, place, bitformer, monkeypatch, as_a_shell_reads):
    folder, _ = done
    monkeypatch.setattr("bitformer.study.trials._train", None)
    again = bitformer(*line(place, folder, "--workers", "1"))
    assert again.code == 0
    assert "uniform 4" in again.out
    assert "Chosen on validation: 1." in again.out
    last = again.out.splitlines()[-1]
    assert last.startswith("Next: ")
    command, model, *options = as_a_shell_reads(last.removeprefix("Next: "))
    assert (command, options) == ("build", ["--board", "sea", "-o", str(folder / "build")])
    assert Path(model).is_relative_to(folder)
    assert Path(model).is_file()
    assert "No board is known" not in again.out
    arty = find_board("arty-s7-25")
    monkeypatch.setattr("bitformer.boards.catalog.board_of", lambda part: arty)
    other = bitformer(*line(place, folder, "--workers", "1")).out.splitlines()
    assert other[-2] == "No board is known with the xc7s15: what follows is for the xc7s25"


def test_nothing_within_the_limits(done, place, bitformer):
    folder, _ = done
    limits = ["--max-latency", "1us", "--max-energy", "5uJ"]
    said = bitformer(*line(place, place / "none", "--trials", folder, *limits))
    assert said.code == 2
    assert "latency is the tightest limit: the nearest needs" in said.err
    assert not (place / "none" / "search.json").exists()


def test_what_does_not_turn_out_is_exit_code_one(done, place, bitformer, monkeypatch):
    folder, _ = done

    def wrong(*_arguments):
        return {"error": "no design", "entries": []}

    monkeypatch.setattr("bitformer.search.verification.verify", wrong)
    more = ["--trials", folder, "--workers", "1", "--windows", "2"]  # not yet proved on two
    said = bitformer(*line(place, place / "wrong", *more))
    assert said.code == 1
    assert "None of the candidates turned out to fit" in said.out


@pytest.fixture(scope="module")
def open_base(place):
    """A base of a part that is routed here: designs, and clocks of three."""
    base = KnowledgeBase(place / "open.sqlite")
    own = [lower(design.model, part=PART) for design in drawn(12, 7)]
    base.add(invented(design, key=f"k{n}") for n, design in enumerate(own))
    base.add([routed("a", 100.0), routed("b", 110.0), routed("c", 120.0)])
    return base.path


@pytest.mark.usefixtures("one_family_measured")
def test_a_part_that_is_routed_here_has_clocks(place, open_base, bitformer, tmp_path):
    options = ["--part", PART, "--kb", open_base, "--workers", "1", "--json"]
    said = bitformer(*line(place, tmp_path / "out", *options))
    (candidate,) = said.data["candidates"]
    clock = candidate["clock"]
    assert "--board ulx3s-25f" in said.err
    assert (clock["by"], clock["mhz"]) == ("predicted", 110.0)
    assert clock["latency_us"] == pytest.approx(candidate["came_out"]["latency"] / 110)
    assert said.data["question"]["route"] == "chosen"
    assert "Clock of 1, uniform 4, uniform 8, predicted: 87 to 133 MHz; 3 routed" in said.err


@pytest.mark.usefixtures("one_family_measured")
def test_what_is_chosen_is_routed(place, open_base, bitformer, tmp_path, monkeypatch):
    asked = []

    def synthesized(design, routed_hz):
        asked.append(routed_hz)
        digest = f"{design.model.config.name}{design.geometry.ways}"
        entries = [routed(digest, 90.0, 95.0, 99.0).to_dict()] if routed_hz else []
        counts = {"luts": 9, "lutram": 5, "ffs": 9, "ramb18": 1, "dsps": 2}
        return {"synthesis": {**counts, "digest": digest, "loads": 7}, "entries": entries}

    monkeypatch.setattr(verification, "_synthesized", synthesized)
    monkeypatch.setattr(_search, "_tool", lambda *_: "yosys 9")
    monkeypatch.setattr(tools, "find_program", lambda name: tools.Tool(command=(), version=name))
    kb = tmp_path / "kb.sqlite"
    kb.write_bytes(open_base.read_bytes())
    options = ["--part", PART, "--kb", kb, "--synthesis", "all", "--workers", "1"]
    said = bitformer(*line(place, tmp_path / "out", *options), "--clock", "160", "--json")
    assert said.code == 0
    assert [hertz for hertz in asked if hertz] == [160e6]
    clocks = [one["clock"] for one in (*said.data["candidates"], *said.data["baselines"])]
    assert [clock["by"] for clock in clocks] == ["measured", "predicted", "predicted"]
    assert "1 reaches 95.0 MHz, not the 160 MHz of --clock" in said.err
    assert len(KnowledgeBase(kb).entries(kind="routed")) == 4


def test_without_yosys_it_says_so(done, place, bitformer, monkeypatch):
    folder, _ = done

    def missing():
        raise UserError("Synthesis needs Yosys")

    monkeypatch.setattr("bitformer.synth.yosys.find_tool", missing)
    said = bitformer(
        *line(place, place / "no-yosys", "--trials", folder, "--synthesis", "all"),
        *("--workers", "1"),
    )
    assert said.code == 0
    assert "Nothing is synthesized, and predicted figures are kept. Synthesis needs" in said.err


def test_without_measured_designs(place, bitformer, monkeypatch):
    monkeypatch.setattr("bitformer.estimate.knowledge.shipped_entries", list)
    arguments = ["--data", "synthetic", "--config", place / "small.json", "--workers", "1"]
    said = bitformer("search", *arguments, "-o", place / "nobody")
    assert said.code == 2
    assert "A search needs measured designs to predict by: 'bitformer profile' first" in said.err
    assert not (place / "nobody").exists()


@pytest.mark.slow
def test_killed_it_comes_to_what_it_would_have(done, place):
    """Kill -9 in the middle of the trainings, of a process of its own; then the same again."""
    folder, _ = done
    output = place / "killed"
    command = [sys.executable, "-m", "bitformer.cli.main"]
    command += [str(word) for word in line(place, output, "--workers", "1")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    results = output / "results"
    while len(list(results.glob("*.json"))) < 2:  # the float model, and one more
        assert process.poll() is None, "it must be killed before it ends"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (output / "search.json").exists()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert (output / "search.json").read_bytes() == (folder / "search.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "value"),
    [("50us", 50), ("0.05ms", 50), ("50 µs", 50), ("5e-5s", 50), ("25000ns", 25), ("2 s", 2e6)],
)
def test_quantities(text, value):
    assert quantity("--max-latency", "s", "50us", power=-6)(None, None, text) == value


@pytest.mark.parametrize("text", ["50", "us", "-3us", "50uJ", "1e999s", "0s", "5Ms", "nans", ""])
def test_quantities_that_are_none(text):
    with pytest.raises(UserError, match="--max-latency must be a positive number with its unit"):
        quantity("--max-latency", "s", "50us", power=-6)(None, None, text)


def test_phases_are_those_of_a_stream(bitformer, tmp_path):
    asked = ("search", "--data", "synthetic", "--config", "tiny", "--phases", 2)
    said = bitformer(*asked, "-o", tmp_path / "search")
    assert said.code == 2
    assert "phases must be 1 for a model of windows, not 2" in said.err


def test_engines_are_every_choice_of_lanes_and_packing():
    """The part's own engine is the first: uniform bits have it."""
    assert [str(one) for one in _engines("auto,8", "both")] == [
        "",
        "unpacked",
        "8lanes",
        "8lanes-unpacked",
    ]
    assert _engines("8", "no") == (Engine(lanes=8, pack=False),)
    assert _engines("8", "no", 4) == (Engine(lanes=8, pack=False, phases=4),)
    for lanes in ("", "auto,", "8.5", "-8", "0"):
        with pytest.raises(UserError, match=rf"^--lanes must be numbers .*, not '{lanes}'$"):
            _engines(lanes, "yes")
