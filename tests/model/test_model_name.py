"""What a model is called: after its data, unless its configuration was made for them."""

import dataclasses

import pytest

from bitformer.model.config import named_config
from bitformer.model.errors import UserError
from bitformer.model.model_name import name_after
from bitformer.model.names import as_design_name, check_design_name, check_name
from bitformer.model.own_data import suited_to


@pytest.fixture
def named(small_dataset):
    """``named(config, data, target, …)``: what the model is called."""

    def call(config, data, target="value", **sizes):
        chosen = named_config(config).replace(**sizes)
        return name_after(chosen, data, dataclasses.replace(small_dataset(), target=target))

    return call


@pytest.mark.parametrize(
    ("config", "data", "sizes", "expected"),
    [
        ("etth1-48-24", "a/nyc_taxi.csv", {"horizon": 12}, "nyc_taxi-value-48-12"),
        ("etth1-48-24", "nyc_taxi.csv.gz", {}, "nyc_taxi-value-48-24"),
        ("etth1-96-24-w2a4", "x.CSV", {}, "x-value-96-24-w2a4"),
        ("etth1-48-24-ed", "x.csv", {}, "x-value-48-24-ed"),
        ("tiny", "value.csv", {}, "value-24-6"),
        ("grid-12-32-4", "x.csv", {}, "x-value-12-1"),
        # named data sets
        ("etth1-96-24", "etth1", {}, "etth1-96-24"),
        ("etth1-48-24-w2a8", "etth1", {}, "etth1-48-24-w2a8"),
        ("etth1-96-24", "etth1", {"horizon": 12}, "etth1-96-12"),
        ("etth1-48-24", "etth2", {}, "etth2-48-24"),
        ("taxi-48-12", "nyc-taxi", {}, "taxi-48-12"),
        ("taxi-48-12", "nyc-taxi", {"window": 96}, "nyc-taxi-96-12"),
        ("taxi-48-12", "etth1", {}, "etth1-48-12"),
        ("taxi-48-12", "x.csv", {}, "x-value-48-12"),
        ("etth1-48-24", "nyc-taxi", {"horizon": 12}, "nyc-taxi-48-12"),
        ("tiny", "synthetic", {}, "tiny"),
        ("tiny", "synthetic", {"horizon": 3}, "synthetic-24-3"),
        ("grid-12-32-4", "beijing-air", {}, "grid-12-32-4"),
    ],
)
def test_a_name_says_what_was_trained_on(named, config, data, sizes, expected):
    assert named(config, data, **sizes) == expected


@pytest.mark.parametrize(
    ("data", "target", "expected"),
    [
        ("Größe & Maß.csv", "°C (außen)", "Gr_e_Ma-C_au_en-24-6"),
        ("日本.csv", "負荷", "series-24-6"),
        ("-.csv", "--", "series-24-6"),
        ("con.csv", "aux", "con-aux-24-6"),
        ("con.1.csv", "y", "con_1-y-24-6"),
        ("2024-01.csv", "MT_001", "2024_01-MT_001-24-6"),
        ("a" * 300 + ".csv", "b" * 300, f"{'a' * 20}-{'b' * 20}-24-6"),
    ],
)
def test_any_name_of_a_file_gives_one_for_files_and_modules(named, data, target, expected):
    found = named("tiny", data, target)
    assert found == expected
    assert check_name(found, "Name") == found
    check_design_name(as_design_name(found), "Name")
    assert as_design_name(found).endswith("24_6")


def test_an_own_name_stays(small_dataset):
    config = named_config("tiny").replace(name="mine")
    assert name_after(config, "x.csv", small_dataset()) == "mine"


def test_a_name_that_is_asked_for():
    def call(**name):
        return suited_to("synthetic", named_config("tiny"), lambda _: None, **name)[0].name

    assert call() == "tiny"
    assert call(name="pump_3") == "pump_3"
    with pytest.raises(UserError, match=r"name must be up to 128 letters, .*, not 'a/b'"):
        call(name="a/b")
