# amaranth: UnusedElaboratable=no
"""The Verilog, with its own testbench, in a simulator that knows x and nothing of Amaranth."""

import subprocess

import pytest

from bitformer._verilog import TOP, elaborated
from bitformer.hw.golden import golden_vectors
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

pytestmark = pytest.mark.needs("icarus")

MODELS = {
    "encoder": {"subtract_last": True},
    "decoder": {"window": 3, "horizon": 1, "decoder_layers": 1},
    "asymmetric": {"asymmetric": True, "ffn": 4},
}


def simulated(folder):
    """Run a testbench; return what it says, line by line."""
    program = folder / "simulation"
    sources = [folder / f"{TOP}.v", folder / f"{TOP}_tb.v"]
    subprocess.run(["iverilog", "-g2001", "-o", program, *sources], check=True)
    done = subprocess.run(["vvp", program], check=True, capture_output=True, text=True, timeout=500)
    return [line for line in done.stdout.splitlines() if "$finish" not in line]


@pytest.fixture(scope="module", params=MODELS)
def design(request, small_model):
    return lower(small_model(**MODELS[request.param]))


def test_results_are_the_references_from_power_up_and_after_resets(design, tmp_path):
    folder = elaborated(design, tmp_path / "v", None)[0].parent
    said = simulated(folder)
    assert said[-1].startswith("PASS"), said
    assert len(said) == 4
    # the testbench has the reference's results, and looks at them
    bits = design.model.output.bits
    (_, result), *_ = golden_vectors(design.model, 2)
    path = folder / f"{TOP}_tb.v"
    text = path.read_text()
    right = f"expected[0] = {bits}'h{result[0] & (1 << bits) - 1:x};"
    wrong = f"expected[0] = {bits}'h{(result[0] ^ 1) & (1 << bits) - 1:x};"
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))
    said = simulated(folder)
    assert said[-1].startswith("FAIL")
    assert said[:2] == ["from power-up", said[1]]
    assert said[1].startswith("result 0 is ")


def test_testbench_behind_axi_stream(small_model, tmp_path):
    design = lower(small_model(window=2, horizon=1))
    said = simulated(elaborated(design, tmp_path / "v", "axi-stream")[0].parent)
    assert said[-1].startswith("PASS"), said


def test_stream_begins_anew_after_each_reset(tmp_path):
    design = lower(initialize(named_config("grid-3-4-4-stream")))
    said = simulated(elaborated(design, tmp_path / "v", None)[0].parent)
    assert said[-1].startswith("PASS"), said


def test_accelerator_that_stands_still_fails(small_model, tmp_path):
    design = lower(small_model(window=2, horizon=1))
    folder = elaborated(design, tmp_path / "v", None)[0].parent
    path = folder / f"{TOP}_tb.v"
    text = path.read_text()
    assert text.count(".rst(reset)") == 1
    path.write_text(text.replace(".rst(reset)", ".rst(1'b1)"))
    said = simulated(folder)
    assert said[1:] == ["after 0 results nothing comes", "FAIL: 1 errors"]
