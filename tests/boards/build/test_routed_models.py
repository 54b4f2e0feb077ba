# amaranth: UnusedElaboratable=no
"""Models routed to bitstreams for a board, as CI does on every change."""

import pytest

from bitformer.boards.build.design import build_design
from bitformer.boards.build.run import run_plan
from bitformer.boards.catalog import BOARDS
from bitformer.boards.reports.report import read_build
from bitformer.hw.lowering.lower import lower
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

#: What any seed is to reach, shell and all, in megahertz: one that does not is a change for the
#: worse. What the accelerators alone reach is in docs/routing.md.
FLOOR = 60


@pytest.mark.needs("nextpnr-ecp5")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "most", "options"),
    [
        ("etth1-96-24", 3_214, {}),
        ("grid-12-32-4", 9_700, {"pack": False, "lanes": 24}),
    ],
)
def test_a_row_is_routed_to_a_bitstream(tmp_path, config, most, options):
    board = BOARDS["ulx3s-25f"]
    design = lower(initialize(named_config(config)), part=board.part, **options)
    assert design.latency <= most
    plan = build_design(
        design, board, directory=tmp_path / "plan", name="top", clock_hz=FLOOR * 10**6
    )
    assert b"Part: LFE5U-25F-6CABGA381" in run_plan(plan, seeds=1).read_bytes()[:200]
    found = read_build(plan)
    assert found.problems == ()
    assert found.routing.best_mhz >= FLOOR
    # multipliers are instances, memories blocks, and nothing became logic that need not
    used = found.routing.best.used
    assert used["MULT18X18D"] >= design.geometry.columns
    assert used["DP16KD"] > 0
    assert used["TRELLIS_COMB"] < 9_000
