"""A trained model's queries and keys in one weight: the same scores, in whatever layer."""

import pytest
import torch
from train_harness import SHORT, TINY, from_float

from bitformer.model.config import TransformerConfig
from bitformer.model.errors import UserError
from bitformer.model.fuse import fused_weights
from bitformer.model.train import train
from bitformer.model.transformer import Transformer

SMALL = TransformerConfig(name="small", window=6, horizon=4, patch=2, d_model=5, ffn=6, layers=2)


@pytest.mark.parametrize(
    "changes", [{}, {"pre_norm": True, "norm": "batch"}, {"decoder_layers": 1}], ids=str
)
def test_the_forecasts_are_the_same(changes):
    torch.manual_seed(0)
    config = SMALL.replace(**changes)
    model, fused = Transformer(config).double(), Transformer(config.replace(fused=True)).double()
    state = fused_weights(model.state_dict())
    assert state.keys() == fused.state_dict().keys() | {
        name for name in state if name.startswith("activations.")
    }
    fused.load_state_dict(state, strict=False)
    x = torch.randn(8, 6, 1, dtype=torch.float64)
    expected = model.eval()(x)
    torch.testing.assert_close(fused.eval()(x), expected, atol=1e-12, rtol=0)
    # a mutant: the biases of keys do not matter, those of queries do
    for name in [name for name in state if name.endswith(".q.bias")]:
        state[name] = state[name] + 1
    fused.load_state_dict(state, strict=False)
    assert not torch.allclose(fused(x), expected, atol=1e-6)


def test_by_hand():
    """Q = [1 2], b = 3 and K = [4 5] with c = 6, of one query and key in two features."""
    weights = {
        "layers.0.q.weight": torch.tensor([[1.0, 2.0]]),
        "layers.0.q.bias": torch.tensor([3.0]),
        "layers.0.k.weight": torch.tensor([[4.0, 5.0]]),
        "layers.0.k.bias": torch.tensor([6.0]),
        "layers.0.v.bias": torch.tensor([7.0]),
    }
    found = {name: value.tolist() for name, value in fused_weights(weights).items()}
    assert found == {
        "layers.0.q.weight": [[4.0, 8.0], [5.0, 10.0]],
        "layers.0.q.bias": [12.0, 15.0],
        "layers.0.v.bias": [7.0],
    }


def test_a_run_starts_from_the_floats_of_one_that_is_not_fused(small_dataset, tmp_path):
    one = TINY.replace(heads=1)
    dataset, settings = small_dataset(), SHORT | {"dropout": 0.2}
    whole = train(one, dataset, run_dir=tmp_path / "a", method="ptq", **settings)
    kinds = {"float_run": tmp_path / "a", **from_float(settings)}
    fused = one.replace(fused=True)
    result = train(fused, dataset, run_dir=tmp_path / "b", **kinds)
    assert result.float_test == pytest.approx(whole.float_test, rel=1e-4)
    with pytest.raises(UserError, match=r"^fused must be True as in the run in .*, not False$"):
        train(one, dataset, run_dir=tmp_path / "c", **{**kinds, "float_run": tmp_path / "b"})
    train(TINY, dataset, run_dir=tmp_path / "d", method="ptq", **settings)
    with pytest.raises(UserError, match=r"^heads must be 2 as in the run in .*, not 1$"):
        train(fused, dataset, run_dir=tmp_path / "e", **{**kinds, "float_run": tmp_path / "d"})
