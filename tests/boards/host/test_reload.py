# amaranth: UnusedElaboratable=no
"""New weights over the simulated link: whole, interrupted, damaged and wrong."""

import random
from unittest.mock import Mock

import numpy as np
import pytest
from link_harness import LossyUart, compiled_once
from reload_harness import LANES, SMALL, STREAM, answers_as, compiled_board, other_weights

import bitformer.boards.host.reload as reload_file
from bitformer.boards.catalog import BOARDS
from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.forecaster import Forecaster
from bitformer.boards.host.reload import image_bytes, load_model
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.protocol import BLOCK_BYTES, PASSED, Command, Feature
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.model import reference
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.errors import UserError
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.model.stream import Stream

pytestmark = pytest.mark.needs("compiler")


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


@pytest.fixture(scope="module")
def models():
    first = initialize(SMALL, samples=16)
    return [first, other_weights(first, 1), other_weights(first, 2)]


@pytest.fixture(scope="module")
def design(models):
    return lower_reloadable(models[0], lanes=LANES)


@pytest.fixture(scope="module")
def compiled(design):
    yield from compiled_board(design)


@pytest.fixture
def port(compiled):
    """The board right after configuration."""
    compiled.restart()
    return compiled


def is_live(client, model, count=5):
    """The board answers as the model, and passes its self-test."""
    answers_as(client, model, np.random.default_rng(3).normal(size=(count, *model.input.shape)))
    assert client.self_test() is None


def test_second_and_third_model(port, design, models):
    client = Client(UartTransport(port))
    facts = client.read()
    assert Feature.RELOADABLE in facts.features
    assert any(facts.structure)
    is_live(client, models[0])
    for number, model in enumerate([models[1], models[2], models[0]], start=1):
        told = Mock()
        sent = load_model(client, design, model, progress=told, lanes=LANES)
        assert told.call_args.args == (sent, sent, "bytes sent")
        is_live(client, model)
        assert client.read().status == number % 2
    with pytest.raises(LinkError, match=r"Model on the board must be this one"):
        Forecaster(client, models[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "config"), [("ulx3s-25f", SMALL), ("icebreaker", named_config("grid-6-8-4"))]
)
def test_new_weights_on_boards_of_other_families(board, config):
    """Their shells fetch bytes ahead; narrow multipliers reload narrow sums alone."""
    first = initialize(config, samples=16)
    design = lower_reloadable(first, part=BOARDS[board].part, lanes=LANES)
    second = other_weights(first, 1)
    for port in compiled_board(design):
        client = Client(UartTransport(port))
        is_live(client, first)
        load_model(client, design, second, lanes=LANES)
        is_live(client, second)
        assert client.read().status == 1


@pytest.mark.slow
def test_a_stream_takes_new_weights_and_begins_anew():
    """What the old weights left in the rings is gone: the first steps are those of empty ones."""
    first = initialize(STREAM, samples=16)
    design, second = lower_reloadable(first, lanes=LANES), other_weights(first, 1)
    walk = np.random.default_rng(0).normal(size=(12, STREAM.patch, 1))
    for port in compiled_board(design):
        client = Client(UartTransport(port))
        is_live(client, first)
        load_model(client, design, second, lanes=LANES)
        forecaster, stream = Forecaster(client, second), Stream(second)
        for patch in walk:
            x = np.zeros((1, STREAM.rows_seen, 1))
            x[0, -STREAM.patch :] = patch
            wanted = stream.step(second.quantize_input(x)[:, -STREAM.patch :])
            expected = second.dequantize_output(wanted.reshape(1, -1))[0]
            assert np.array_equal(forecaster.step(patch), expected)
        is_live(client, second)


def test_trial_counts_no_numbers(port, design, models, monkeypatch):
    lowest = np.full((1, *models[1].input.shape), models[1].input.low)
    results = reference.run(models[1], lowest)[models[1].output.name].ravel().tolist()
    window = lowest.ravel().tolist()
    monkeypatch.setattr(reload_file, "golden_vectors", lambda _, count: [(window, results)] * count)
    client = Client(UartTransport(port))
    load_model(client, design, models[1], lanes=LANES)
    assert client.self_test() is None
    assert (client.read().input_ends, client.read().result_ends) == (0, 0)
    assert client.infer(window) == results
    assert client.read().input_ends == len(window)


def test_other_models_do_give_other_answers(models):
    x = np.random.default_rng(3).normal(size=(5, *models[0].input.shape))
    results = [reference.predict(model, x).tolist() for model in models]
    assert results[0] != results[1] != results[2] != results[0]


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_interrupted_load_leaves_the_old_model(port, design, models, part):
    client = Client(UartTransport(port))
    image = image_bytes(design, models[1], client.read(), lanes=LANES)
    blocks = -(-len(image) // BLOCK_BYTES)
    client.load(image[: int(part * blocks) * BLOCK_BYTES])
    is_live(client, models[0])
    with pytest.raises(LinkError, match=r"they are not all there: the old ones stay live"):
        client.commit()
    is_live(client, models[0])
    # and the next load is not hindered by it
    load_model(client, design, models[2], lanes=LANES)
    is_live(client, models[2])


def test_corrupted_image_does_not_pass_its_trial(port, design, models):
    client = Client(UartTransport(port))
    image = bytearray(image_bytes(design, models[1], client.read(), lanes=LANES))
    words = len(design.images["weights"]) * -(-design.stores["weights"].width // 8)
    wrong = 0
    rng = random.Random(4)
    for _ in range(6):
        bad = bytearray(image)
        for _ in range(8):
            bad[rng.randrange(words)] ^= 0xFF
        client.load(bytes(bad))
        with pytest.raises(LinkError, match=r"golden vector \d came out wrong: the old ones stay"):
            client.commit()
        wrong += 1
        is_live(client, models[0], count=1)
        # the trial is over: what failed cannot be committed again
        with pytest.raises(LinkError, match=r"they are not all there"):
            client.commit()
    assert wrong == 6


def test_committed_twice_stays(port, design, models):
    client = Client(UartTransport(port))
    load_model(client, design, models[1], lanes=LANES)
    with pytest.raises(LinkError, match=r"they are not all there"):
        client.commit()
    is_live(client, models[1])


def test_reset_button_never_shows_half_an_image(port, design, models):
    client = Client(UartTransport(port))
    load_model(client, design, models[1], lanes=LANES)
    port.reset()
    is_live(client, models[1])
    # the image that the button would fall back to is half a new one by now
    image = image_bytes(design, models[2], client.read(), lanes=LANES)
    client.load(image[: 3 * BLOCK_BYTES])
    port.reset()
    is_live(client, models[1])
    with pytest.raises(LinkError, match=r"they are not all there"):
        client.commit()
    load_model(client, design, models[2], lanes=LANES)
    is_live(client, models[2])


def test_blocks_out_of_order_are_ignored(port, design, models):
    client = Client(UartTransport(port))
    image = image_bytes(design, models[1], client.read(), lanes=LANES)

    def block(number):
        part = image[number * BLOCK_BYTES :][:BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0")
        payload = number.to_bytes(2, "little") + part
        return client.ask(Command.LOAD, payload, expected=1)[0]

    count = -(-len(image) // BLOCK_BYTES)
    assert count > 3
    assert [block(0), block(2), block(1), block(1), block(0), block(1)] == [1, 1, 2, 2, 1, 2]
    assert [block(n) for n in range(2, count)] == list(range(3, count + 1))
    assert client.ask(Command.COMMIT, expected=1)[0] == PASSED
    is_live(client, models[1])


def test_another_programs_blocks_are_not_committed(port, design, models):
    client, other = (Client(UartTransport(port)) for _ in range(2))
    image = image_bytes(design, models[2], other.read(), lanes=LANES)

    def interfere(done, _total, _what):
        if done == BLOCK_BYTES:  # the shell begins anew with it, and takes the next of ours
            other.load(image[:BLOCK_BYTES])

    with pytest.raises(LinkError, match=r"must serve this program alone, and has served \d+ req"):
        load_model(client, design, models[1], progress=interfere, lanes=LANES)
    is_live(other, models[0])


def test_load_over_a_bad_line(port, design, models):
    lossy = LossyUart(port, random.Random(5), 0.25)
    client = Client(UartTransport(lossy), retries=20)
    for model in (models[1], models[0]):
        load_model(client, design, model, lanes=LANES)
        is_live(client, model, count=2)
    assert lossy.damages > 5


def test_another_design_is_refused(port, design, models):
    client = Client(UartTransport(port))
    other = lower_reloadable(models[0], lanes=4)
    with pytest.raises(LinkError, match=r"Board must be built from this design \(\w+\), and is"):
        load_model(client, other, models[1], lanes=4)
    config = TransformerConfig(name="deep", window=4, horizon=2, d_model=4, ffn=6, layers=2)
    deep = initialize(config, samples=16)
    with pytest.raises(UserError, match=r"new weights must be of a model of the same shape"):
        load_model(client, design, deep, lanes=LANES)
    is_live(client, models[0], count=1)
    assert client.read().model_hash == model_hash(models[0])
