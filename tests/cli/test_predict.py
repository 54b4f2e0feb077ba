"""``predict`` with a stand-in for the board that computes as the reference does."""

import dataclasses
import sys

import numpy as np
import pytest

from bitformer.boards.host import transport
from bitformer.boards.protocol import Command, Feature, Frame, Registers
from bitformer.hw.identity import model_hash
from bitformer.model import reference
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.initialize import initialize

ROWS = 40


class Board:
    """A transport whose other end holds a model."""

    name = "port FAKE"

    def __init__(self, model, verdict=0xFF):
        self.model, self.verdict, self.closed = model, verdict, False

    def send(self, frame):
        self.frame = frame

    def receive(self, expected):
        frame, spec = self.frame, self.model.input
        if frame.command == Command.READ:
            facts = Registers(
                features=Feature.SELF_TEST,
                input_bytes=1,
                result_bytes=2,
                inputs=spec.size,
                results=self.model.output.size,
                capacity=100,
                vectors=1,
                latency=750,
                model_hash=model_hash(self.model),
                structure=bytes(4),
                clock_hz=100_000_000,
            )
            payload = facts.constants() + bytes(17) + (754).to_bytes(3, "little")
        elif frame.command == Command.SELF_TEST:
            payload = bytes([self.verdict])
        else:
            x = np.frombuffer(frame.payload, dtype=np.int8).reshape(1, spec.rows, spec.features)
            y = reference.run(self.model, x.astype(np.int64))[self.model.output.name]
            payload = y.astype("<i2").tobytes()
        assert len(payload) == expected
        return Frame(sequence=frame.sequence, command=frame.command | 0x80, payload=payload)

    def settle(self):
        pass

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def model(request):
    model = initialize(named_config("tiny").replace(**getattr(request, "param", {})))
    columns = [f"c{k}" for k in range(model.config.inputs)]
    count = len(columns)
    meta = {
        "dataset": {
            "name": "mine",
            "inputs": columns,
            "target": "c0",
            "mean": list(range(count)),
            "std": [2.0] * count,
            "target_mean": 10.0,
            "target_std": 3.0,
        }
    }
    return dataclasses.replace(model, meta=meta)


@pytest.fixture
def path(model, tmp_path):
    save_model(model, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def write(path, values, columns):
    rows = [
        ",".join(columns),
        *(",".join("NA" if v is None else f"{v}" for v in r) for r in values),
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def table(model):
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, model.config.inputs)).round(3).tolist()


@pytest.fixture
def data(model, table, tmp_path):
    return write(tmp_path / "my.csv", table, model.meta["dataset"]["inputs"])


@pytest.fixture
def board(model, monkeypatch):
    made = Board(model)
    monkeypatch.setattr(transport, "open_transport", lambda port, **rates: made)
    return made


@pytest.mark.parametrize(
    "model", [{}, {"decoder_layers": 1, "horizon": 8}], ids=["encoder", "decoder"], indirect=True
)
@pytest.mark.parametrize("windows", [1, 8])
def test_forecast_is_the_reference_in_the_files_units(
    bitformer, board, model, path, data, table, windows
):
    said = bitformer(
        *("predict", path, "--port", "FAKE", "--data", data, "--windows", windows, "--json")
    )
    assert said.code == 0
    rows = (np.array(table) - np.arange(model.config.inputs)) / 2
    steps = model.config.window
    x = np.stack([rows[end - steps : end] for end in range(ROWS - windows + 1, ROWS + 1)])
    expected = reference.predict(model, x) * 3 + 10
    assert np.array_equal(said.data["forecast"], expected)
    # the header is line 1
    assert said.data["lines"] == list(range(ROWS + 2 - windows, ROWS + 2))
    assert (said.data["cycles"], said.data["resent"]) == (754, 0)
    assert "Forecast of c0" in said.err
    assert board.closed


@pytest.mark.parametrize("sign", [1, -1])
def test_absurd_reading_saturates_at_its_own_end(bitformer, board, model, table, tmp_path, sign):
    """As a large one does; the file's own scale may make it larger than any float."""
    meta = {"dataset": model.meta["dataset"] | {"std": [1e-9] * model.config.inputs}}
    path = tmp_path / "m.safetensors"
    save_model(dataclasses.replace(model, meta=meta), path)
    board.model = load_model(path)
    forecasts = []
    for reading in (1e3, 1e307):
        rows = [*table[:-1], [sign * reading] * model.config.inputs]
        data = write(tmp_path / "d.csv", rows, model.meta["dataset"]["inputs"])
        said = bitformer("predict", path, "--port", "FAKE", "--data", data, "--json")
        assert said.code == 0
        forecasts.append(said.data["forecast"])
    assert forecasts[0] == forecasts[1]


def test_for_people(bitformer, board, path, data):
    said = bitformer("predict", path, "--port", "FAKE", "--data", data, "--self-test")
    assert said.code == 0
    assert "The last inference took 754 cycles, 7.54 µs" in said.out


def test_failed_self_test(bitformer, board, path, data):
    board.verdict = 1
    said = bitformer("predict", path, "--port", "FAKE", "--data", data, "--self-test")
    assert said.code == 1
    assert "golden vector 1 comes out wrong" in said.err
    assert board.closed


def test_gap_moves_the_newest_window(bitformer, board, path, table, model, tmp_path):
    for row in table[-4:]:  # one more than is filled
        row[-1] = None
    data = write(tmp_path / "gap.csv", table, model.meta["dataset"]["inputs"])
    said = bitformer("predict", path, "--port", "FAKE", "--data", data, "--json")
    assert said.code == 0
    assert "The newest whole window ends at line 37" in said.err
    assert said.data["lines"] == [37]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda m: dataclasses.replace(m, meta={}),
            "model must know its data's scales, which an untrained one does not",
        ),
        (
            lambda m: dataclasses.replace(
                m, meta={"dataset": {**m.meta["dataset"], "std": ["two"] * m.config.inputs}}
            ),
            "meta: std of dataset must be",
        ),
        (
            lambda m: dataclasses.replace(initialize(named_config("tiny"), seed=5), meta=m.meta),
            "Model on the board must be this one (",
        ),
    ],
)
def test_mistakes_in_the_model(bitformer, board, model, data, tmp_path, change, sentence):
    save_model(change(model), tmp_path / "other.safetensors")
    said = bitformer("predict", tmp_path / "other.safetensors", "--port", "F", "--data", data)
    assert said.code == 2
    assert sentence in " ".join(said.err.split())


def test_too_short_a_file(bitformer, board, model, path, table, tmp_path):
    data = write(tmp_path / "short.csv", table[:3], model.meta["dataset"]["inputs"])
    said = bitformer("predict", path, "--port", "F", "--data", data)
    assert said.code == 2
    assert f"must have {model.config.window} rows without a gap" in said.err


def test_port_is_missing(bitformer, path, data, monkeypatch):
    class Serial:
        @staticmethod
        def serial_for_url(port, **options):
            raise OSError(f"could not open port {port}")

    monkeypatch.setitem(sys.modules, "serial", Serial)
    said = bitformer("predict", path, "--port", "/dev/nowhere", "--data", data)
    assert said.code == 2
    assert "Port /dev/nowhere must be a serial port that can be opened" in said.err
    said = bitformer("predict", path, "--port", "spi:zero", "--data", data)
    assert (said.code, "Port must be spi:BUS.DEVICE" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("port", "module", "package"), [("COM3", "serial", "pyserial"), ("spi:0.0", "spidev", "spidev")]
)
def test_package_is_missing(bitformer, path, data, monkeypatch, port, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    said = bitformer("predict", path, "--port", port, "--data", data)
    assert said.code == 2
    assert f"Package {package} must be installed to open this port" in said.err
