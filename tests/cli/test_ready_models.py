"""The models that ship: cards are true, names stand for files, no data lie in them."""

import json
import shlex

import pytest
from docs_harness import parse

import bitformer as api
from bitformer.model.checkpoint import save_model
from bitformer.model.config import TransformerConfig, named_config
from bitformer.model.data.sources import SOURCES, find
from bitformer.model.identity import model_hash
from bitformer.model.initialize import initialize
from bitformer.model.ready import library
from bitformer.model.ready.library import ready_names

NAMES = (
    *("beijing-ozone-w4a8", "etth1-oil-w4a8", "metro-traffic-w4a8"),
    *("nyc-taxi-anomaly-w4a8", "nyc-taxi-w4a8"),
)


def test_five_ship_under_a_megabyte(bitformer):
    assert ready_names() == NAMES
    said = bitformer("models", "--json").data["models"]
    assert [card["name"] for card in said] == list(NAMES)
    assert [card.to_dict() for card in api.models()] == said
    assert sum(card.path.stat().st_size for card in api.models()) < 1_000_000
    assert len(bitformer("models").out.splitlines()) > len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_of_the_model(name):
    model, card = api.load(name), library.ready_card(name)
    assert model_hash(model.integer).hex() == card.model_hash
    assert (model.name, model.macs) == (name, card.macs)
    assert TransformerConfig.from_dict(dict(card.config)) == model.config == named_config(name)
    assert card.parameters == sum(op.parameter_count for op in model.integer.operations)
    assert {"name", "inputs", "target", "mean", "std"} <= model.integer.meta["dataset"].keys()
    assert "/" not in json.dumps(model.integer.meta), "no path of the machine that trained it"


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_of_todays_hardware(name):
    card = library.ready_card(name)
    design = api.lower(api.load(name), part=card.part)
    assert (design.latency, design.interval) == (card.cycles, card.interval)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_the_card_is_one(name):
    words = shlex.split(library.ready_card(name).command)
    assert words[:2] == ["bitformer", "train"]
    parse(words[1:])
    assert words[words.index("--data") + 1] in SOURCES
    assert words[words.index("--config") + 1] == name


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_of_data_ship(name):
    """What a run keeps of its rows, the last that it has seen, is left out."""
    meta = api.load(name).integer.meta
    assert "last_seen" not in meta["dataset"]
    assert meta["dataset"]["name"] not in ("skab", "strikewatch")
    lists = [one for one in _lists(meta) if len(one) > 8]
    # intervals have a width for each step of a forecast: these alone are longer
    assert all(len(one) <= 24 for one in lists)


def _lists(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from _lists(one)
    elif isinstance(value, list | tuple):
        yield value
        for one in value:
            yield from _lists(one)


def test_taxi_scores_as_its_card_says(bitformer):
    """Its data ship: anyone can tell."""
    for name, part, score in (
        ("nyc-taxi-w4a8", ("test_mse", "nyc-taxi-w4a8 (integer)"), "integer"),
        ("nyc-taxi-anomaly-w4a8", ("events", "found"), "found"),
    ):
        said = bitformer("evaluate", name, "--json").data
        found = said[part[0]][part[1]]
        assert found == pytest.approx(library.ready_card(name).scores[score], rel=1e-9)


@pytest.mark.needs("data")
def test_ozone_scores_as_its_card_says():
    find(SOURCES["beijing-air"])
    scores = api.load("beijing-ozone-w4a8").evaluate().to_dict()["test_mse"]
    card = library.ready_card("beijing-ozone-w4a8")
    assert next(iter(scores.values())) == pytest.approx(card.scores["integer"], rel=1e-9)


def test_names_stand_where_files_do(bitformer, tmp_path, monkeypatch):
    said = bitformer("info", "beijing-ozone-w4a8", "--json").data
    assert said["config"]["name"] == "beijing-ozone-w4a8"
    assert bitformer("export", "beijing-ozone-w4a8", "-o", tmp_path / "own.safetensors").code == 0
    assert bitformer("doctor", "beijing-ozone-w4a8").code == 0
    wrong = bitformer("info", "beijing")
    assert wrong.code == 2
    assert "the models that ship are beijing-ozone-w4a8, etth1" in wrong.err
    # a file of that name is the user's own
    monkeypatch.chdir(tmp_path)
    save_model(initialize(named_config("tiny")), tmp_path / "nyc-taxi-w4a8")
    assert bitformer("info", "nyc-taxi-w4a8", "--json").data["config"]["name"] == "tiny"


def test_a_card_is_shown(bitformer):
    said = bitformer("models", "beijing-ozone-w4a8")
    card = library.ready_card("beijing-ozone-w4a8")
    for text in (card.title, card.licence, card.command, str(card.cycles), "linear"):
        assert text in said.out
    assert bitformer("models", "beijing-ozone-w4a8", "--json").data == card.to_dict()
    wrong = bitformer("models", "ozone")
    assert (wrong.code, wrong.out) == (2, "")
    assert "model must be one of beijing-ozone-w4a8, " in wrong.err
