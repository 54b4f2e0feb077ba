"""Small models of other frameworks with random weights, and the files that they leave."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from bitformer.model.initialize import sinusoidal

__all__ = [
    "ENCODER",
    "PATCHTST",
    "Net",
    "encoder_folder",
    "patchtst_folder",
    "patchtst_tensors",
    "random_weights",
    "series",
    "windows_of",
    "written",
]

#: Fields of a small PatchTST as ``save_pretrained`` writes them.
PATCHTST = {
    "architectures": ["PatchTSTForPrediction"],
    "model_type": "patchtst",
    "num_input_channels": 1,
    "context_length": 24,
    "patch_length": 4,
    "patch_stride": 4,
    "num_hidden_layers": 1,
    "d_model": 8,
    "num_attention_heads": 2,
    "ffn_dim": 12,
    "prediction_length": 6,
    "scaling": None,
    "pooling_type": None,
}
#: The same of a TransformerEncoder.
ENCODER = {
    "model_type": "torch.nn.TransformerEncoder",
    "window": 24,
    "horizon": 6,
    "patch": 4,
    "nhead": 2,
}


def random_weights(module, seed=0):
    """Give a module weights of which every one matters, and statistics that are not 0 and 1."""
    generator = torch.Generator().manual_seed(seed)

    def like(tensor):
        return torch.randn(tensor.shape, generator=generator)

    with torch.no_grad():
        for name, one in module.named_parameters():
            size = one.shape[-1] ** -0.5 if one.dim() > 1 and "pos" not in name else 0.3
            one.copy_(size * like(one) + ("norm" in name and name.endswith("weight")))
        for name, one in module.named_buffers():
            if name.endswith("running_mean"):
                one.copy_(0.2 * like(one))
            if name.endswith("running_var"):
                one.copy_(0.5 + torch.rand(one.shape, generator=generator))
    return module.eval()


def windows_of(window, inputs=1, count=200):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, window, inputs, generator=generator)


class Net(nn.Module):
    """A forecaster such as a user has: patches, Linear, positions, TransformerEncoder, Linear."""

    def __init__(
        self,
        *,
        inputs=1,
        window=24,
        patch=4,
        width=8,
        horizon=6,
        targets=1,
        layers=1,
        norm_first=False,
        activation="relu",
        final=False,
        pooling="flatten",
        position="learned",
        factor=1.0,
        by_step=True,
        dropout=0.1,
    ):
        super().__init__()
        self.patch, self.horizon, self.targets = patch, horizon, targets
        self.pooling, self.factor, self.by_step = pooling, factor, by_step
        tokens = window // patch
        self.embed = nn.Linear(patch * inputs, width)
        if position == "learned":
            self.pos = nn.Parameter(torch.zeros(1, tokens + 2, width))
        elif position == "embedding":
            self.pos_table = nn.Embedding(tokens, width)
        elif position == "sinusoidal":
            table = torch.from_numpy(sinusoidal(tokens, width)).float()
            self.register_buffer("pos", table[None], persistent=False)
        layer = nn.TransformerEncoderLayer(
            width,
            2,
            12,
            dropout,
            activation=activation,
            norm_first=norm_first,
            batch_first=True,
        )
        norm = nn.LayerNorm(width) if final else None
        self.encoder = nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
        self.drop = nn.Dropout(dropout)
        read = width * tokens if pooling == "flatten" else width
        self.head = nn.Linear(read, horizon * targets)

    def tokens(self, x):
        count, steps, inputs = x.shape
        x = x.reshape(count, steps // self.patch, self.patch, inputs)
        x = x if self.by_step else x.transpose(2, 3)
        found = self.embed(x.flatten(2)) * self.factor
        if hasattr(self, "pos_table"):
            return found + self.pos_table(torch.arange(found.shape[1]))
        return found + self.pos[:, : found.shape[1]] if hasattr(self, "pos") else found

    def forward(self, x):
        rows = self.encoder(self.drop(self.tokens(x)))
        if self.pooling == "flatten":
            rows = rows.flatten(1)
        elif self.pooling == "max":
            rows = rows.amax(dim=1)
        else:
            rows = rows.mean(dim=1) if self.pooling == "mean" else rows[:, -1]
        y = self.head(rows)
        return y if self.targets == 1 else y.view(len(y), self.horizon, self.targets)


def patchtst_tensors(fields=PATCHTST):
    """Tensors of a PatchTST without BatchNorm's counters, float32, by name."""
    f, rng = {**PATCHTST, **fields}, np.random.default_rng(0)
    d, tokens = f["d_model"], f["context_length"] // f["patch_length"]
    channels, shapes = f["num_input_channels"], {}

    def linear(name, outputs, inputs):
        shapes.update({f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)})

    each = [""] if f.get("share_embedding", True) else [f".{n}" for n in range(channels)]
    for name in each:
        linear(f"model.encoder.embedder.input_embedding{name}", d, f["patch_length"])
    shapes["model.encoder.positional_encoder.position_enc"] = (tokens, d)
    for number in range(f["num_hidden_layers"]):
        layer = f"model.encoder.layers.{number}."
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            linear(f"{layer}self_attn.{name}", d, d)
        linear(f"{layer}ff.0", f["ffn_dim"], d)
        linear(f"{layer}ff.3", d, f["ffn_dim"])
        for norm in ("norm_sublayer1", "norm_sublayer3"):
            for name in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{layer}{norm}.batchnorm.{name}"] = (d,)
    if f["architectures"] == ["PatchTSTForClassification"]:
        linear("head.linear", f["num_targets"], d * channels)
    else:
        read = d if f["pooling_type"] else d * tokens
        linear("head.projection", f["prediction_length"], read)
    found = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return {
        name: torch.from_numpy(0.3 * (abs(one) if name.endswith("var") else one))
        for name, one in found.items()
    }


def written(folder, fields, tensors):
    """Write ``config.json`` and ``model.safetensors``."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / "config.json").write_text(json.dumps(fields))
    save_file(tensors, Path(folder) / "model.safetensors", metadata={"format": "pt"})
    return Path(folder)


def patchtst_folder(folder, **changes):
    """A checkpoint of a small PatchTST, without transformers."""
    fields = {**PATCHTST, **changes}
    return written(folder, fields, patchtst_tensors(fields))


def encoder_folder(folder, net=None, **changes):
    """Weights of a :class:`Net` and the fields that they need."""
    net = net or random_weights(Net())
    tensors = {name: one.contiguous() for name, one in net.state_dict().items()}
    return written(folder, {**ENCODER, **changes}, tensors)


def series(path, rows=400, columns=("power", "wind")):
    """A CSV file with a daily wave and noise in each column."""
    rng, at = np.random.default_rng(0), np.arange(rows)
    values = [
        20 * n + 10 + 3 * np.sin(2 * np.pi * at / 24 + n) + 0.3 * rng.normal(size=rows)
        for n in range(len(columns))
    ]
    table = np.column_stack([at, *values])
    text = "\n".join(",".join(f"{v:.6g}" for v in row) for row in table)
    path.write_text(f"at,{','.join(columns)}\n{text}\n")
    return path
