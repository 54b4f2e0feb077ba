# amaranth: UnusedElaboratable=no
"""A trained model on a board, trained again with its scales kept, and loaded over the link."""

import random

import numpy as np
import pytest
from link_harness import LossyUart, compiled_once
from reload_harness import LANES, answers_as, compiled_board

from bitformer.boards.host.client import Client, LinkError
from bitformer.boards.host.reload import image_bytes, load_model
from bitformer.boards.host.transport import UartTransport
from bitformer.boards.protocol import BLOCK_BYTES
from bitformer.hw.lowering.reload import lower_reloadable
from bitformer.model import reference
from bitformer.model.config import TransformerConfig
from bitformer.model.data.datasets import load_dataset
from bitformer.model.errors import UserError
from bitformer.model.export import export_run
from bitformer.model.train import train

pytestmark = pytest.mark.needs("compiler")

CONFIG = TransformerConfig(name="small", window=8, horizon=2, d_model=4, ffn=6)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory, request):
    yield from compiled_once(tmp_path_factory, request)


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("synthetic", window=CONFIG.window, horizon=CONFIG.horizon)


@pytest.fixture(scope="module")
def models(dataset, tmp_path_factory):
    """A trained model, the one that was trained on from it, and one that was trained apart."""
    runs = tmp_path_factory.mktemp("runs")
    config = CONFIG.replace(inputs=len(dataset.inputs))
    settings = {"progress": False, "device": "cpu", "qat_epochs": 1, "batch": 512}
    train(config, dataset, run_dir=runs / "first", epochs=1, **settings)
    train(
        config,
        dataset,
        run_dir=runs / "second",
        float_run=runs / "first",
        keep_scales=True,
        **settings | {"batch": 128, "qat_epochs": 2, "qat_lr": 3e-3},
    )
    train(config, dataset, run_dir=runs / "apart", epochs=1, seed=7, **settings)
    return [export_run(runs / name) for name in ("first", "second", "apart")]


@pytest.fixture(scope="module")
def windows(dataset):
    return dataset.test.take(np.linspace(0, len(dataset.test) - 1, 12).astype(int)).x


@pytest.fixture(scope="module")
def design(models):
    return lower_reloadable(models[0], lanes=LANES)


@pytest.fixture(scope="module")
def compiled(design):
    yield from compiled_board(design)


@pytest.fixture
def client(compiled):
    compiled.restart()
    return Client(UartTransport(compiled))


def test_second_training_answers_as_its_own_reference(client, design, models, windows):
    first, second, _ = models
    results = [reference.predict(model, windows) for model in (first, second)]
    assert not np.array_equal(*results)
    answers_as(client, first, windows)
    load_model(client, design, second, lanes=LANES)
    answers_as(client, second, windows)
    load_model(client, design, first, lanes=LANES)
    answers_as(client, first, windows)


@pytest.mark.parametrize("part", [0.2, 0.98])
def test_interrupted_load_leaves_the_first(client, design, models, windows, part):
    first, second, _ = models
    image = image_bytes(design, second, client.read(), lanes=LANES)
    client.load(image[: int(part * len(image)) // BLOCK_BYTES * BLOCK_BYTES])
    answers_as(client, first, windows)
    with pytest.raises(LinkError, match=r"they are not all there: the old ones stay live"):
        client.commit()
    answers_as(client, first, windows)


def test_corrupted_load_leaves_the_first(client, design, models, windows):
    first, second, _ = models
    image = bytearray(image_bytes(design, second, client.read(), lanes=LANES))
    for place in random.Random(2).sample(range(len(design.images["weights"])), 8):
        image[place] ^= 0xFF
    client.load(bytes(image))
    with pytest.raises(LinkError, match=r"golden vector \d came out wrong: the old ones stay"):
        client.commit()
    answers_as(client, first, windows)


def test_load_over_a_bad_line(compiled, design, models, windows):
    compiled.restart()
    lossy = LossyUart(compiled, random.Random(6), 0.4)
    client = Client(UartTransport(lossy), retries=20)
    load_model(client, design, models[1], lanes=LANES)
    answers_as(client, models[1], windows[:3])
    assert lossy.damages > 3


def test_a_training_apart_is_refused_in_a_sentence(client, design, models, windows):
    first, _, apart = models
    with pytest.raises(UserError, match=r"^new weights must keep .*, not .*") as refused:
        load_model(client, design, apart, lanes=LANES)
    assert "\n" not in str(refused.value)
    answers_as(client, first, windows[:3])
