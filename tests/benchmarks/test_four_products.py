"""The circuit whose LUTs are counted does what it is counted for."""

from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitformer.hw.widths import signed_value

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
PARTS = 3


@pytest.fixture
def four(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import four_products

    return four_products


def test_nine_terms_are_exact_and_ten_are_not(four):
    assert four.TERMS == 9
    assert [four.exact(terms) for terms in (1, 9, 10)] == [True, True, False]


def test_sums_of_four_products(four):
    """Of three times nine terms, the lowest products among them."""
    rng = np.random.default_rng(5)
    count = PARTS * four.TERMS
    x = rng.integers(-8, 8, size=(count, 2))
    w = rng.integers(-7, 8, size=(count, four.COLUMNS, 2))
    x[:9], w[:9, :2] = -8, 7
    dut, found = four.FourProducts(), []

    async def bench(context):
        for cycle in range(count + four.COLUMNS + 8):
            term = cycle if cycle < count else count - 1
            word = 0
            for j in range(four.COLUMNS):
                own = min(max(cycle - j, 0), count - 1)
                for n in (0, 1):
                    word |= (int(w[own, j, n]) & 15) << 8 * j + 4 * n
            context.set(dut.i_x, sum((int(x[term, n]) & 15) << 4 * n for n in (0, 1)))
            context.set(dut.i_w, word)
            part, place = divmod(cycle - 2, four.TERMS)
            context.set(dut.i_drain, place == 0 and 1 <= part <= PARTS)
            context.set(dut.i_first, part == 1)
            await context.tick()
            found.append(context.get(dut.o_sums))

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    last = found[-1]
    for j in range(four.COLUMNS):
        for row in (0, 1):
            for n in (0, 1):
                place = (4 * j + 2 * row + n) * four.SUM
                total = signed_value(last >> place, four.SUM)
                assert total == int((x[:, row] * w[:, j, n]).sum())
