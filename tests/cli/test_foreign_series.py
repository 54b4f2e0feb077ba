# amaranth: UnusedElaboratable=no
"""A series of a user's own goes the whole way by its commands: CSV file, model, board, new weights.

Its rows have a rhythm of the day and of the week, missing cells and a gap. The board is the shell
behind the pins of a UART, compiled, at the other end of ``--port``.
"""

import csv
import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from link_harness import compiled_once
from pins_harness import SimulatedUart

from bitformer.boards.catalog import BOARDS
from bitformer.boards.host import ports
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.shell.shell import UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.checkpoint import load_model
from bitformer.model.identity import model_hash

pytestmark = [pytest.mark.slow, pytest.mark.needs("compiler")]

BAUD = 10_000
BEGIN, WINDOW, HORIZON = datetime(2025, 1, 6), 24, 6
#: Three cells in a row, which are filled, and six lost rows, which no window spans.
MISSING, GAP = slice(-9, -6), slice(700, 706)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


def series(count, level=0.0):
    """Power and temperature of each hour: people work by day, five days a week."""
    rng = np.random.default_rng(5)
    hours = np.arange(count)
    day, weekday = hours % 24, hours // 24 % 7
    work = 18 * np.exp(-(((day - 13) / 4) ** 2)) * np.where(weekday < 5, 1, 0.3)
    outdoor = 12 + 8 * np.sin(2 * np.pi * (hours / 24 - 0.3)) + rng.normal(size=count)
    power = 20 + work + 0.2 * outdoor + level + 2 * rng.normal(size=count)
    return np.stack([power.round(2), outdoor.round(1)], axis=1)


def write(path, values):
    """Write the rows with what a logger loses; return the cells as they count: filled."""
    filled = values.copy()
    filled[MISSING, 0] = filled[MISSING.start - 1, 0]
    lost = set(range(len(values))[MISSING])
    gap = range(len(values))[GAP]
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "power_kw", "outdoor_c"])
        for row, (power, outdoor) in enumerate(values):
            if row not in gap:
                time = BEGIN + timedelta(hours=row)
                rows.writerow([f"{time:%Y-%m-%d %H:%M}", "" if row in lost else power, outdoor])
    return filled


class Board:
    """The board that was built from a design: it keeps its weights from command to command."""

    def __init__(self, design):
        shell = UartShell(
            accelerator=Accelerator(design=design),
            clock_hz=8 * BAUD,
            baud=BAUD,
            gap_bits=40,
        )
        self.port = SimulatedUart(shell, timeout=1.0)
        self.write, self.read = self.port.write, self.port.read

    def close(self):
        """Leave it on: a command closes its port, and the next one opens it again."""


def expected(model, cells, row):
    """The forecast after a row, from the file's cells and its clock alone."""
    scales = model.meta["dataset"]
    x = (cells[row + 1 - WINDOW : row + 1] - scales["mean"]) / scales["std"]
    time = BEGIN + timedelta(hours=row)
    found = reference.predict(model, x[None], np.array([[time.hour, time.weekday()]]))
    return found[0] * scales["target_std"] + scales["target_mean"]


@pytest.mark.parametrize("block", ["attention", "mixer"])
def test_whole_way(block, bitformer, tmp_path, monkeypatch):
    mine, newer = tmp_path / "mine.csv", tmp_path / "newer.csv"
    write(mine, series(3000))
    cells = write(newer, series(3400, level=2.0))
    runs = [tmp_path / "first", tmp_path / "second"]
    first, second = (run / "model.safetensors" for run in runs)
    task = ["--target", "power_kw", "--inputs", "power_kw,outdoor_c", "--time", "time"]
    task += ["--config", "tiny", "--block", block, "--calendar", "hour,weekday", "--baselines"]
    task += ["simple", "--json"]
    short = ["--epochs", 1, "--qat-epochs", 1]
    said = bitformer("train", "--data", mine, *task, *short, "-o", runs[0])
    assert said.code == 0
    assert "1 gap in time, the first before line 702" in said.err
    assert "3 missing cells in runs of at most 3" in said.err
    kept = ["--from", runs[0], "--keep-scales", "--qat-epochs", 1]
    assert bitformer("train", "--data", newer, *task, *kept, "-o", runs[1]).code == 0
    models = [load_model(path) for path in (first, second)]
    assert models[0].config.block == models[1].config.block == block
    span = WINDOW + HORIZON - 1
    windows = (GAP.start - span) + (len(cells) - GAP.stop - span)
    scored = bitformer("evaluate", first, "--data", newer, "--json")
    assert (scored.code, scored.data["test_windows"]) == (0, windows)
    assert bitformer("simulate", first, "--samples", 1, "--engine", "python").code == 0

    built = ["--board", "sea", "--reloadable", "--plan-only", "-o", tmp_path / "plan"]
    assert bitformer("build", first, *built).code == 0
    facts = json.loads((tmp_path / "plan" / "bitformer.json").read_text())
    assert facts["model"] == model_hash(models[0]).hex()

    board = Board(lower_reloadable(models[0], part="xc7s15"))
    monkeypatch.setattr(ports, "open_transport", lambda port, **rates: UartTransport(board))

    def heard(path):
        ask = ["--data", newer, "--windows", 3, "--port", "P", "--self-test", "--json"]
        return bitformer("predict", path, *ask)

    def check(path, model):
        said = heard(path)
        assert said.code == 0
        rows = range(len(cells) - 3, len(cells))
        forecasts = [expected(model, cells, row) for row in rows]
        np.testing.assert_allclose(said.data["forecast"], forecasts, rtol=1e-6)
        return said.data["forecast"]

    before = check(first, models[0])
    said = bitformer("reload", second, "--on", first, "--port", "P", "--json")
    assert (said.code, said.data["model_hash"]) == (0, model_hash(models[1]).hex())
    assert check(second, models[1]) != before
    said = heard(first)
    assert said.code == 2
    assert "Model on the board must be this one" in said.err
    board.port.close()


def test_a_board_of_another_family_answers(bitformer, tmp_path, monkeypatch):
    """The same series on an iCE40UP, whose multipliers, memories and shell are others."""
    mine, run, plan = tmp_path / "mine.csv", tmp_path / "run", tmp_path / "plan"
    cells, path = write(mine, series(3000)), run / "model.safetensors"
    task = ["--target", "power_kw", "--inputs", "power_kw,outdoor_c", "--time", "time"]
    task += ["--config", "tiny", "--calendar", "hour,weekday", "--baselines", "simple", "--json"]
    short = ["--epochs", 1, "--qat-epochs", 1]
    assert bitformer("train", "--data", mine, *task, *short, "-o", run).code == 0
    built = ["--board", "icebreaker", "--clock", 12, "--plan-only", "-o", plan]
    assert bitformer("build", path, *built).code == 0
    model = load_model(path)
    facts = json.loads((plan / "bitformer.json").read_text())
    assert facts["model"] == model_hash(model).hex()

    board = Board(lower(model, part=BOARDS["icebreaker"].part))
    monkeypatch.setattr(ports, "open_transport", lambda port, **rates: UartTransport(board))
    ask = ["--data", mine, "--windows", 3, "--port", "P", "--self-test", "--json"]
    said = bitformer("predict", path, *ask)
    assert said.code == 0
    forecasts = [expected(model, cells, row) for row in range(len(cells) - 3, len(cells))]
    np.testing.assert_allclose(said.data["forecast"], forecasts, rtol=1e-6)
    board.port.close()
