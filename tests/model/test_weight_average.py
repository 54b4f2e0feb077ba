"""The moving average of weights: what is in it, and that a model has it only for a while."""

import pytest
import torch
from torch import nn

from bitformer.model.weight_average import WeightAverage


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.learned = nn.Parameter(torch.zeros(2))
        self.fixed = nn.Parameter(torch.zeros(2), requires_grad=False)
        self.register_buffer("running", torch.zeros(2))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))


def moved(model, to):
    with torch.no_grad():
        for value in model.state_dict().values():
            value.fill_(to)


def test_what_is_learned_is_averaged_and_the_rest_followed():
    model = Model()
    average = WeightAverage(model, 0.5)
    expected = 0.0
    for step, value in enumerate([8.0, 4.0, 2.0], 1):
        moved(model, value)
        average.follow(model)
        momentum = min(0.5, (1 + step) / (10 + step))
        expected = momentum * expected + (1 - momentum) * value
    assert average.tensors["learned"].tolist() == pytest.approx([expected] * 2)
    assert average.tensors["running"].tolist() == pytest.approx([expected] * 2)
    assert average.tensors["fixed"].tolist() == [2.0, 2.0]
    assert average.tensors["count"].tolist() == [2]


def test_a_model_has_it_for_a_while():
    model = Model()
    average = WeightAverage(model, 0.9)
    moved(model, 3.0)
    with average.on(model):
        assert model.learned.tolist() == [0.0, 0.0]
    assert model.learned.tolist() == [3.0, 3.0]


def test_without_momentum_it_is_the_model():
    model = Model()
    average = WeightAverage(model, 0.0)
    moved(model, 0.1)
    average.follow(model)
    assert torch.equal(average.tensors["learned"], model.learned)


def test_it_goes_on_from_its_state():
    one, model = (Model() for _ in range(2))
    first = WeightAverage(one, 0.9)
    moved(one, 3.0)
    first.follow(one)
    other = WeightAverage(model, 0.9)
    other.load_state_dict(first.state_dict())
    for average in (first, other):
        average.follow(one)
    assert all(torch.equal(first.tensors[name], other.tensors[name]) for name in first.tensors)
    with pytest.raises(ValueError, match="another"):
        other.load_state_dict({"steps": 1, "tensors": {}})
