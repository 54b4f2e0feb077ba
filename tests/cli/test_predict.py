"""``predict`` with a stand-in for the board that computes as the reference does."""

import dataclasses
import errno
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from link_harness import ShellPort

from bitformer.boards.host.client import Client
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.protocol import Command, Feature, Frame, Registers, encode, pack
from bitformer.model import reference
from bitformer.model.checkpoint import load_model, save_model
from bitformer.model.config import named_config
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize

ROWS = 40
NEEDS_COMPILER = pytest.mark.needs("compiler")


def shell_of(model, cls=ShellPort, **options):
    """A port with a shell behind it that computes as the reference does."""
    spec, given = model.input, model.output

    def infer(window):
        x = np.array(window, dtype=np.int64).reshape(1, spec.rows, spec.features)
        return reference.run(model, x)[given.name].ravel().tolist()

    facts = Registers(
        features=Feature.SELF_TEST,
        input_bits=spec.bits,
        result_bits=given.bits,
        inputs=spec.size,
        results=given.size,
        capacity=100,
        vectors=1,
        latency=750,
        model_hash=model_hash(model),
        structure=bytes(4),
        clock_hz=100_000_000,
        cycles=754,
    )
    return cls(facts, infer, **options)


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
def plug(monkeypatch):
    """Makes a port that can be opened once; what it was opened with is in ``port.options``."""

    def plug(port):
        def serial_for_url(name, **options):
            port.options = options
            return port

        monkeypatch.setitem(sys.modules, "serial", SimpleNamespace(serial_for_url=serial_for_url))
        return port

    return plug


@pytest.fixture
def board(model, plug):
    return plug(shell_of(model))


@pytest.mark.parametrize(
    "model",
    [{}, {"decoder_layers": 1, "horizon": 8, "linear_path": False}],
    ids=["encoder", "decoder"],
    indirect=True,
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
    assert board.options["exclusive"] is True
    assert board.options["timeout"] < board.options["write_timeout"] < 10


@pytest.mark.parametrize(
    "engine", ["python", pytest.param("native", marks=[pytest.mark.slow, NEEDS_COMPILER])]
)
def test_engines_and_the_board_give_the_same_numbers(bitformer, board, path, data, engine):
    asked = ("predict", path, "--data", data, "--windows", 2, "--json")
    here = bitformer(*asked)
    there, simulated = (
        bitformer(*asked, *more) for more in (["--port", "F"], ["--engine", engine])
    )
    assert (here.code, there.code, simulated.code) == (0, 0, 0)
    own = {"engine", "port", "cycles", "clock_hz", "resent", "errors", "sent_clipped", "at_ends"}
    own.add("rejected")
    same = [{n: v for n, v in one.data.items() if n not in own} for one in (here, there, simulated)]
    assert same[0] == same[1] == same[2]
    assert [one.data["engine"] for one in (here, there, simulated)] == ["integer", "board", engine]


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


def test_what_is_clipped_on_the_way_to_a_board_is_counted(
    bitformer, board, model, path, table, tmp_path
):
    table[-1][0], table[-2][0] = 1e6, -1e6
    data = write(tmp_path / "far.csv", table, model.meta["dataset"]["inputs"])
    said = bitformer("predict", path, "--port", "F", "--data", data, "--windows", 2, "--json")
    assert said.code == 0
    # the newest row is in one window of two, that before it in both; both go to the ends of 8 bits
    sent = said.data["sent_clipped"]
    assert (sent["readings"], sent["sent"]) == (3, 2 * model.input.size)
    assert said.data["at_ends"] == {"readings": 3, "results": sent["results"]}
    (sentence,) = [line for line in said.err.splitlines() if "they are clipped" in line]
    assert sentence.startswith(f"3 of {2 * model.config.window} values of c0 (in 2 of 2 windows)")
    assert "train with --range " in sentence
    assert "The board has counted 3 readings and " in said.err


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
                m, meta={"dataset": {n: v for n, v in m.meta["dataset"].items() if n != "std"}}
            ),
            "meta: std of dataset must be 1 numbers, not None",
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


def test_port_that_takes_no_time_out_for_writing(bitformer, model, path, data, monkeypatch):
    def serial_for_url(port, **options):  # as pyserial's of rfc2217://
        if "write_timeout" in options:
            raise NotImplementedError
        return shell_of(model)

    monkeypatch.setitem(sys.modules, "serial", SimpleNamespace(serial_for_url=serial_for_url))
    assert bitformer("predict", path, "--port", "rfc2217://h:1", "--data", data).code == 0


def test_port_is_another_programs(bitformer, path, data, monkeypatch):
    def serial_for_url(port, **options):
        raise OSError(errno.EAGAIN, f"Could not exclusively lock port {port}")

    monkeypatch.setitem(sys.modules, "serial", SimpleNamespace(serial_for_url=serial_for_url))
    said = bitformer("predict", path, "--port", "/dev/ttyX", "--data", data)
    assert said.code == 2
    assert "Port /dev/ttyX must be this program's alone, and another has it" in said.err


class OtherOnIt(ShellPort):
    """With each request of ours but the first, a request of another program is served.

    ``how`` its answers are heard: before ours, or instead of it, or not.
    """

    how = "before"

    def write(self, data):
        super().write(data)
        if len(self.written) < 3:
            return
        window = [k % 5 for k in range(self.facts.inputs)]
        other = Frame(
            sequence=12345, command=Command.INFER, payload=pack(window, self.facts.input_bits)
        )
        answer = encode(self.answer(other))
        if self.how:
            self.said = answer + (self.said if self.how == "before" else b"")


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("before", "Port F must be this program's alone, and answers to another's requests"),
        ("instead", "Port F must be this program's alone, and answers to another's requests"),
        ("", "Shell on port F must serve this program alone, and has served 6 requests where 4"),
    ],
)
def test_no_forecast_while_another_program_uses_the_board(
    bitformer, model, plug, path, data, how, sentence
):
    plug(shell_of(model, OtherOnIt)).how = how
    said = bitformer("predict", path, "--port", "F", "--data", data, "--windows", 3, "--json")
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err


def test_no_forecast_of_a_model_that_has_changed_meanwhile(bitformer, model, plug, path, data):
    class Reloaded(ShellPort):
        def answer(self, request):
            found = super().answer(request)
            self.facts = dataclasses.replace(self.facts, model_hash=b"the next")
            return found

    plug(shell_of(model, Reloaded))
    said = bitformer("predict", path, "--port", "F", "--data", data)
    assert (said.code, said.out) == (2, "")
    assert "Shell on port F must keep its model while it is used, and went from" in said.err


@pytest.mark.parametrize("left", [0, 30, 70, 100])
def test_port_that_is_lost_is_a_sentence(bitformer, model, plug, path, data, left):
    class Unplugged(ShellPort):
        def read(self, size=1):
            found = super().read(size)
            self.left = getattr(self, "left", left) - len(found)
            if self.left < 0:
                raise OSError("device reports readiness to read but returned no data")
            return found

    plug(shell_of(model, Unplugged))
    said = bitformer("predict", path, "--port", "F", "--data", data)
    assert (said.code, said.out) == (2, "")
    assert "Error: Port F must stay connected, and was lost: device reports" in said.err


def test_port_that_keeps_talking_is_given_up(bitformer, model, plug, path, data):
    class Chatterbox(ShellPort):
        def read(self, size=1):
            return b"\x55" * size

    plug(shell_of(model, Chatterbox))
    said = bitformer("predict", path, "--port", "F", "--data", data)
    assert said.code == 2
    assert "Port F must fall silent when nothing is asked, and keeps sending:" in said.err


def test_bytes_that_are_no_frames_are_told_from_silence(bitformer, model, plug, path, data):
    class Garbled(ShellPort):
        def write(self, data):
            self.said += b"\x00\xfe\x00"

    plug(shell_of(model, Garbled))
    said = bitformer("predict", path, "--port", "F", "--data", data)
    assert said.code == 2
    assert (
        "Shell on port F must answer, but 12 bytes that are no frames were heard in 4 tries: is "
        "the baud rate that of the build, and the port no other program's?"
    ) in said.err


def test_two_programs_one_after_the_other(bitformer, board, path, data):
    for _ in range(2):
        said = bitformer("predict", path, "--port", "F", "--data", data, "--json")
        assert (said.code, said.data["resent"]) == (0, 0)
    assert Client(UartTransport(board)).read().counters[0] == 2 * 3 + 1
