# amaranth: UnusedElaboratable=no
"""A model routed to a bitstream for each board with an iCE40: minutes each."""

import re

import pytest

from bitformer.boards.build.design import build_design
from bitformer.boards.build.run import run_plan
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import read_build
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize


@pytest.mark.needs("nextpnr-ice40")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "link", "config", "mhz"),
    [("icebreaker", "uart", "grid-12-32-4", 36), ("upduino-v3", "spi", "grid-6-8-4", 36)],
)
def test_a_model_is_routed_to_a_bitstream(tmp_path, board, link, config, mhz):
    board = BOARDS[board]
    design = lower(initialize(named_config(config)), part=board.part)
    plan = build_design(
        design, board, directory=tmp_path / "plan", name="top", link=link, clock_hz=mhz * 10**6
    )
    # behind a comment's end, the preamble of a bitstream
    assert b"\x7e\xaa\x99\x7e" in run_plan(plan, seeds=1).read_bytes()[:200]
    found = read_build(plan)
    assert found.problems == ()
    assert found.routing.best_mhz >= mhz
    # multipliers are instances and memories blocks, with two of the shell's at least
    used = found.routing.best.used
    assert used["ICESTORM_DSP"] > 0
    assert used["ICESTORM_RAM"] >= 2
    # each pin of the constraints is where they say, and no other is used
    pins = re.findall(r"^set_io \w+ (\d+)$", (plan / "top.pcf").read_text(), re.M)
    assert used["SB_IO"] == len(pins) == len(set(pins))
