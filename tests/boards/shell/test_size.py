# amaranth: UnusedElaboratable=no
"""What shells take without their accelerators, and how deep their logic is, by real syntheses."""

from pathlib import Path

import pytest

from bitformer.boards.shell.contract import contract_of
from bitformer.boards.shell.elastic.shell import ElasticShell
from bitformer.boards.shell.shell import SpiShell, UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize
from bitformer.synth.depth import MOST_LOADS
from bitformer.synth.synthesize import synthesize

CLOCK = 100_000_000


def make(kind, reloadable=False):
    model = initialize(named_config("etth1-96-24").replace(linear_path=False), samples=16)
    design = (lower_reloadable if reloadable else lower)(model)
    options = {"accelerator": Accelerator(design=design), "clock_hz": CLOCK}
    options["contract"] = contract_of(design)
    if kind == "uart":
        return UartShell(baud=115_200, **options)
    return {"spi": SpiShell, "elastic": ElasticShell}[kind](**options)


def test_a_shell_alone_has_the_accelerators_streams_as_ports(board_measures):
    shell = make("uart", reloadable=True)
    members = set(board_measures.ShellAlone(shell=shell).signature.members)
    assert members == {
        *("rx", "tx", "i_reset", "fault", "to_model", "from_model", "o_bank", "o_restart"),
        *("o_load_addr", "o_load_data", "o_load_en", "o_run"),
    }


def documented():
    """LUTs and flip-flops of each shell, as docs/protocol.md has them."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text()
    table = text.split("| shell | LUT |")[1].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {title: (int(luts), int(ffs)) for title, luts, _, ffs, *_ in rows}


@pytest.mark.slow
@pytest.mark.needs("yosys")
@pytest.mark.parametrize(
    ("title", "kind", "reloadable"),
    [
        ("UART, 115 200 baud", "uart", False),
        ("SPI", "spi", False),
        ("Elastic Node's own", "elastic", False),
        ("UART, reloadable", "uart", True),
    ],
)
def test_shells_are_as_small_as_documented(board_measures, title, kind, reloadable):
    found = synthesize(board_measures.ShellAlone(shell=make(kind, reloadable)))
    luts, ffs = documented()[title]
    # releases of Yosys differ a little
    assert 0.95 * luts <= found.resources.luts <= 1.05 * luts
    assert 0.98 * ffs <= found.resources.ffs <= 1.02 * ffs
    assert (found.resources.ramb18, found.resources.dsps) == (1, 0)
    for path in found.depth.paths:
        assert path.chains <= 1, str(path)
        assert path.levels <= 6, str(path)
    assert found.control is None or found.control.loads <= MOST_LOADS
