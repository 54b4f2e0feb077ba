# amaranth: UnusedElaboratable=no
"""Recordings of a user's own, with classes, and a machine with a fault: CSV file, model, board.

The board is the shell behind the pins of a UART, compiled.
"""

import numpy as np
import pytest
from link_harness import compiled_once
from pins_harness import SimulatedUart

from bitformer.boards.host import ports
from bitformer.boards.host.client import Client
from bitformer.boards.host.forecaster import Forecaster
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.shell.shell import UartShell
from bitformer.hw.lowering.lower import lower
from bitformer.hw.units.accelerator import Accelerator
from bitformer.model import reference
from bitformer.model.checkpoint import load_model
from bitformer.model.data.datasets import load_dataset

pytestmark = [pytest.mark.slow, pytest.mark.needs("compiler")]

BAUD = 10_000
SHORT = ["--epochs", 8, "--qat-epochs", 4, "--baselines", "simple", "--json"]


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


@pytest.fixture
def board():
    """A board that answers by a model's design, behind a port."""
    ends = []

    def made(model):
        accelerator = Accelerator(design=lower(model, part="xc7s15"))
        shell = UartShell(accelerator=accelerator, clock_hz=8 * BAUD, baud=BAUD, gap_bits=40)
        ends.append(SimulatedUart(shell, timeout=1.0))
        return ends[-1]

    yield made
    for end in ends:
        end.close()


TURNS = {"walk, slow": 0.3, "run": 0.9, "sit": 0.02}


def recordings(path, people, kinds, rows):
    """Write people who walk, run and sit, with decimal commas and names of their own."""
    rng = np.random.default_rng(3)
    lines = ["Zeit;Beschl X;Beschl Y;Art;Person"]
    for person in people:
        for kind in kinds:
            for k in range(rows):
                x, y = np.sin(TURNS[kind] * k), np.cos(TURNS[kind] * k) / 2
                cells = [f"{value + rng.normal() / 5:.4f}".replace(".", ",") for value in (x, y)]
                lines.append(f"{len(lines)};{cells[0]};{cells[1]};{kind};{person}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_classes(bitformer, board, tmp_path, monkeypatch):
    """What a board answers of the newest windows is what the reference does, by name."""
    recordings(tmp_path / "gang.csv", ["änne", "bob", "cy"], TURNS, 200)
    recordings(tmp_path / "new.csv", ["dora"], ["run", "walk, slow"], 40)
    model = tmp_path / "run" / "model.safetensors"
    task = ["--label", "Art", "--group", "Person", "--test-groups", "cy", "--stride", 5]
    task += ["--inputs", "Beschl X,Beschl Y", "--window", 25, *SHORT, "-o", tmp_path / "run"]
    assert bitformer("train", "--data", tmp_path / "gang.csv", *task).code == 0
    end = board(load_model(model))
    monkeypatch.setattr(ports, "open_transport", lambda *_, **_rates: UartTransport(end))
    asked = ["predict", model, "--data", tmp_path / "new.csv", "--windows", 50, "--json"]
    here, there = bitformer(*asked), bitformer(*asked, "--port", "P")
    assert (here.code, there.code) == (0, 0)
    assert here.data["answers"] == there.data["answers"]
    assert len(here.data["answers"]) == 50
    assert {"run", "walk, slow"} <= set(here.data["answers"])


def test_a_flag(bitformer, board, tmp_path):
    """A board judges windows in their order as the reference does, and sees the fault."""
    rng = np.random.default_rng(4)
    steps = np.arange(900)
    values = 20 + 5 * np.sin(steps * np.pi / 24) + 0.3 * rng.normal(size=900)
    values[800:815] += 15
    rows = [f"{value:.2f}" for value in values]
    (tmp_path / "machine.csv").write_text("\n".join(["temp", *rows]) + "\n")
    task = ["--task", "detect", "--target", "temp", "--config", "tiny", "--horizon", 1]
    said = bitformer(
        "train", "--data", tmp_path / "machine.csv", *task, *SHORT, "-o", tmp_path / "run"
    )
    assert said.code == 0
    model = load_model(tmp_path / "run" / "model.safetensors")
    sizes = {"window": model.config.window, "horizon": 1}
    test = load_dataset(str(tmp_path / "machine.csv"), target="temp", **sizes).test
    some = test.take(slice(60, 110))  # from a calm stretch into the fault
    x = model.quantize_input(some.x, judged=some.y)
    expected = reference.run(model, x)["answer"].reshape(-1, 1)
    assert set(expected.ravel()) == {0, 1}
    with Client(UartTransport(board(model))) as client:
        flags = Forecaster(client, model).predict(some.x, judged=some.y)
    np.testing.assert_array_equal(flags, expected)
