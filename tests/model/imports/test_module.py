"""A module of a user's own is found, and computes what it did; what is no such model is refused."""

import pytest
import torch
from import_harness import Net, encoder_folder, random_weights, windows_of
from torch import nn

from bitformer.model.errors import UserError
from bitformer.model.imports.files import from_files
from bitformer.model.imports.module import from_module

torch.set_num_threads(1)
KINDS = [
    {},
    {"layers": 2, "activation": "gelu", "position": "sinusoidal"},
    {"norm_first": True, "final": True, "pooling": "mean", "factor": 8**0.5},
    {"norm_first": True, "pooling": "last", "position": "embedding", "activation": "gelu"},
    {"inputs": 3, "targets": 2, "by_step": False, "position": "none"},
    {"patch": 1, "window": 12, "pooling": "mean", "factor": 8**0.5, "position": "sinusoidal"},
]


def forecasts(net, x):
    with torch.no_grad():
        y = net(x)
    return y if y.dim() == 2 else y.transpose(1, 2).flatten(1)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_forecasts_are_the_modules_own(kind):
    net = random_weights(Net(**kind))
    x = windows_of(kind.get("window", 24), kind.get("inputs", 1))
    sizes = {name: kind[name] for name in ("inputs", "targets") if name in kind}
    found = from_module(net, window=x.shape[1], **sizes)
    with torch.no_grad():
        ours = found.model()(x)
    assert float((ours - forecasts(net, x)).abs().max()) < 1e-5
    assert found.config.pre_norm == kind.get("norm_first", False)


def test_files_of_the_same_weights(tmp_path):
    net = random_weights(Net(norm_first=True, activation="gelu", pooling="mean", factor=2.0))
    changes = {"norm_first": True, "activation": "gelu", "pooling": "mean", "input_factor": 2.0}
    found = from_files(encoder_folder(tmp_path, net, **changes))
    x = windows_of(24)
    with torch.no_grad():
        ours = found.model()(x)
    assert float((ours - forecasts(net, x)).abs().max()) < 1e-5


def test_overlapping_patches():
    class Overlapping(Net):
        def tokens(self, x):
            return self.embed(x[..., 0].unfold(1, 4, 2)) + self.pos[:, :11]

    net = random_weights(Overlapping(window=44))
    found = from_module(net, window=24, patch_stride=2)
    x = windows_of(24)
    assert found.config.tokens == 11
    with torch.no_grad():
        assert float((found.model()(x) - net(x)).abs().max()) < 1e-5


def changed(**parts):
    net = random_weights(Net())
    for name, part in parts.items():
        setattr(net, name, part)
    return net.eval()


def near(net):
    net.near = True
    return net


def test_a_causal_mask_is_found():
    net = random_weights(Masked(layers=2))
    found = from_module(net, window=24)
    assert found.config.causal
    x = windows_of(24)
    with torch.no_grad():
        assert float((found.model()(x) - net(x)).abs().max()) < 1e-5


def with_dropout(net):
    net.drop.train()
    return net


class Masked(Net):
    """A token attends to itself and to those before it; or, ``near``, to its neighbours."""

    near = False

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1] // self.patch)
        if self.near:
            mask = torch.ones_like(mask).triu(2).bool() | torch.ones_like(mask).tril(-2).bool()
        return self.head(self.encoder(self.tokens(x), mask=mask).flatten(1))


def other_activation(function):
    net = Net()
    net.encoder.layers[0].activation = function
    return random_weights(net)


class OwnLayer(nn.TransformerEncoderLayer):
    pass


WRONG = {
    "training": (
        lambda: random_weights(Net()).train(),
        r"^Net must be in evaluation mode, where dropout drops nothing, not in training mode: call"
        r" module.eval\(\) first$",
    ),
    "a part in training": (
        lambda: with_dropout(random_weights(Net())),
        r"^Net must be in evaluation mode",
    ),
    "half": (
        lambda: random_weights(Net()).half(),
        r"^Net: \S+ must be float32, not float16: .*; call module.float\(\) first$",
    ),
    "nan": (
        lambda: changed(pos=nn.Parameter(torch.full((1, 6, 8), torch.nan))),
        r"^Net: pos must be finite numbers, not nan$",
    ),
    "tanh": (
        lambda: other_activation(nn.GELU(approximate="tanh")),
        r"activation must be relu or gelu \(the exact one\), not 'gelu, approximated by tanh'",
    ),
    "silu": (
        lambda: other_activation(nn.functional.silu),
        r"^Net: layer 0 of encoder: activation must be relu or gelu \(the exact one\), not 'silu'",
    ),
    "a layer of their own": (
        lambda: changed(
            encoder=nn.TransformerEncoder(OwnLayer(8, 2, 12), 1, enable_nested_tensor=False)
        ),
        r"^Net: layer 0 of encoder must be a torch.nn.TransformerEncoderLayer itself, not a Own",
    ),
    "no encoder": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(24, 6)).eval(),
        r"^Sequential must have one torch.nn.TransformerEncoder, or be a PatchTST of Hugging Face,",
    ),
    "a decoder": (
        lambda: changed(more=nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12), 1)),
        r"^Net must have an encoder alone, not a TransformerDecoder \(more\)",
    ),
    "a convolution": (
        lambda: changed(more=nn.Conv1d(1, 8, 4)),
        r"^Net: more must be a Linear, not a Conv1d: what stands before and behind the encoder",
    ),
    "rotary": (
        lambda: changed(rotary=nn.Linear(2, 2)),
        r"^Net: rotary\S* must be a table that is added to the tokens, not rotary: the hardware has"
        r" no unit that turns queries and keys; train with a learned or a sinusoidal table$",
    ),
    "two heads": (
        lambda: changed(more=nn.Linear(8, 2)),
        r"^Net must have two linear layers outside its encoder, one before and one behind it, not ",
    ),
    "a mask": (
        lambda: near(random_weights(Masked())),
        r"^Masked must compute what its layers say, .* differ from that by [\d.]+: what else its",
    ),
    "a maximum": (
        lambda: random_weights(Net(pooling="max")),
        r"^Net must compute what its layers say",
    ),
    "a last norm behind norms": (
        lambda: random_weights(Net(final=True)),
        r"^Net must have no norm behind its encoder \(norm=None\) with norm_first=False",
    ),
    "too wide": (
        lambda: random_weights(Net(width=258, patch=24)),
        r"^Net: d_model must be at most 256, not 258$",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_other_modules_are_refused(name):
    make, message = WRONG[name]
    with pytest.raises(UserError, match=message):
        from_module(make(), window=24)


def test_windows_that_it_does_not_take():
    with pytest.raises(UserError, match=r"^Net must take windows of shape \(N, 25, 1\), which it"):
        from_module(random_weights(Net()), window=25)


def test_results_of_another_shape():
    with pytest.raises(UserError, match=r"must return forecasts \(N, horizon, targets\) of 3 "):
        from_module(random_weights(Net(targets=2)), window=24, targets=3)


def test_a_call_of_the_users_own():
    class Named(Net):
        def forward(self, *, series):
            return {"y": super().forward(series)}

    net = random_weights(Named())
    with pytest.raises(UserError, match=r"say how it is called with call=…$"):
        from_module(net, window=24)
    found = from_module(net, window=24, call=lambda module, x: module(series=x)["y"])
    assert found.config.horizon == 6
