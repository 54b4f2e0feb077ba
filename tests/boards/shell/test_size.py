# amaranth: UnusedElaboratable=no
"""What shells take without their accelerators, and how deep their logic is, by real syntheses."""

import pytest

from bitformer.boards.shell.contract import contract_of
from bitformer.boards.shell.elastic.shell import ElasticShell
from bitformer.boards.shell.shell import Front, SpiShell, UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.synth.depth import MOST_LOADS
from bitformer.synth.synthesize import synthesize

CLOCK = 100_000_000


def make(kind, reloadable=False):
    model = initialize(named_config("etth1-96-24"), samples=16)
    design = (lower_reloadable if reloadable else lower)(model)
    options = {"accelerator": Accelerator(design=design), "clock_hz": CLOCK}
    options["contract"] = contract_of(design)
    if kind == "uart":
        return UartShell(baud=115_200, **options)
    return {"spi": SpiShell, "elastic": ElasticShell}[kind](**options)


def test_front_has_the_accelerators_streams_as_ports():
    shell = make("uart", reloadable=True)
    members = set(Front(shell=shell).signature.members)
    assert members == {
        *("rx", "tx", "i_reset", "fault", "to_model", "from_model", "o_bank", "o_restart"),
        *("o_load_addr", "o_load_data", "o_load_en"),
    }


@pytest.mark.slow
@pytest.mark.needs("yosys")
@pytest.mark.parametrize(
    ("kind", "reloadable", "luts", "ffs"),
    [
        ("uart", False, 380, 220),
        ("spi", False, 330, 200),
        ("elastic", False, 170, 110),
        ("uart", True, 500, 420),
    ],
)
def test_shells_are_small_and_short(kind, reloadable, luts, ffs):
    found = synthesize(Front(shell=make(kind, reloadable)))
    assert found.resources.luts <= luts
    assert found.resources.ffs <= ffs
    assert (found.resources.ramb18, found.resources.dsps) == (1, 0)
    for path in found.depth.paths:
        assert path.chains <= 1, str(path)
        assert path.levels <= 6, str(path)
    assert found.control is None or found.control.loads <= MOST_LOADS
