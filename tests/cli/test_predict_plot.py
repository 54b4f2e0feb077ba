"""Pictures of ``predict --plot``."""

import sys

import numpy as np
import pytest

from bitformer import load


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_picture(bitformer, model, data, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"week.{suffix}"
    asked = ["predict", model, "--data", data, "--windows", 13, "--plot", path]
    said = bitformer(*asked, "--json")
    assert (said.code, said.data["plot"]) == (0, str(path))
    head = path.read_bytes()[:400]
    assert head.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")


def test_picture_has_what_the_forecast_has(model, data, numbers, tmp_path, monkeypatch):
    drawn = []

    def spy(_path, **given):
        drawn.append(given)

    monkeypatch.setattr("bitformer.model.forecasts.result.draw", spy)
    forecast = load(model).forecast(str(data), windows=13)
    forecast.plot(tmp_path / "a.png")
    (given,) = drawn
    assert np.array_equal(given["past"][1], numbers[:, 0])
    assert np.array_equal(given["values"], forecast.values)
    assert given["limits"][0] == "80 % interval"
    assert given["places"][-1][0] - given["past"][0][-1] == 3600


def test_picture_without_matplotlib(bitformer, model, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = bitformer("predict", model, "--data", data, "--plot", tmp_path / "a.png")
    assert (said.code, said.out) == (2, "")
    assert "a picture needs matplotlib: pip install 'bitformer[plot]'" in said.err
