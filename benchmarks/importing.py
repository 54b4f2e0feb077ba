"""What a model that was trained elsewhere loses when it is imported, at each width.

    python benchmarks/importing.py            train, import and measure what is missing; show it
    python benchmarks/importing.py --write    and write the table of docs/import.md

Each model is trained in its own framework on ETTh1 (oil temperature, 96 hours to 24), saved as its
framework saves it, imported, calibrated alone (PTQ) and fine-tuned with rounding (QAT), and run on
the simulated XC7S15. What was measured is kept in build/importing. It takes some 10 minutes.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from rich.console import Console
from safetensors.torch import save_file
from tables import markdown_table
from torch import nn

import bitformer
from bitformer.model.config import TransformerConfig
from bitformer.model.data.windows import Dataset
from bitformer.model.files import write_whole
from bitformer.model.imports.encoder import MODEL_TYPE
from bitformer.model.own_data import dataset_of, suited_to
from bitformer.model.progress import silent
from bitformer.model.strict_json import read_json

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "import.md"
FOLDER = ROOT / "build" / "importing"
MARKS = "<!-- table -->", "<!-- end of table -->"

WINDOW, HORIZON, PATCH, WIDTH, HEADS, HIDDEN = 96, 24, 8, 16, 2, 32
WIDTHS, METHODS = (8, 6, 4, 2), ("ptq", "qat")
#: Bits of the first and the last layer at narrower widths, as 'import --precise 8' has them.
ENDS = 8
#: Windows that the hardware is compared on, and its part.
SIMULATED, PART = 100, "xc7s15"
EPOCHS, BATCH, RATE, QAT_EPOCHS = 8, 128, 2e-3, 4


class Encoder(nn.Module):
    """Patches, Linear, learned positions, TransformerEncoder, Linear over all tokens."""

    def __init__(self) -> None:
        super().__init__()
        tokens = WINDOW // PATCH
        self.embed = nn.Linear(PATCH, WIDTH)
        self.position = nn.Parameter(0.02 * torch.randn(tokens, WIDTH))
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, HIDDEN, 0.1, activation="gelu", norm_first=True, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, 1, nn.LayerNorm(WIDTH), enable_nested_tensor=False
        )
        self.head = nn.Linear(tokens * WIDTH, HORIZON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.embed(x.reshape(len(x), -1, PATCH)) + self.position
        return self.head(self.encoder(rows).flatten(1))

    def save(self, folder: Path) -> None:
        """Write weights and what they do not say."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(dict(self.state_dict()), folder / "model.safetensors")
        fields = {"model_type": MODEL_TYPE, "window": WINDOW, "horizon": HORIZON, "patch": PATCH}
        fields |= {"nhead": HEADS, "norm_first": True, "activation": "gelu"}
        (folder / "config.json").write_text(json.dumps(fields))


def patchtst(scaling: str | None) -> nn.Module:
    """Return an untrained PatchTST of Hugging Face, which forecasts from all tokens."""
    from transformers import PatchTSTConfig, PatchTSTForPrediction

    return PatchTSTForPrediction(
        PatchTSTConfig(
            context_length=WINDOW,
            prediction_length=HORIZON,
            patch_length=PATCH,
            patch_stride=PATCH,
            d_model=WIDTH,
            num_attention_heads=HEADS,
            ffn_dim=HIDDEN,
            num_hidden_layers=1,
            pooling_type=None,
            scaling=scaling,
            attention_dropout=0.1,
            ff_dropout=0.1,
        )
    )


#: By what the table calls them.
MODELS = {
    'PatchTST, `scaling="std"`': lambda: patchtst("std"),
    "TransformerEncoder": Encoder,
}
FOLDERS = dict(zip(MODELS, ("patchtst", "encoder"), strict=True))


def data() -> Dataset:
    """Return ETTh1 as every import here sees it."""
    config = TransformerConfig(
        name="etth1", window=WINDOW, horizon=HORIZON, patch=PATCH, d_model=WIDTH, ffn=HIDDEN
    )
    return suited_to("etth1", config, lambda _sentence: None)[1]


def forecasts(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return forecasts [N, horizon], as the model's own framework computes them."""
    if isinstance(model, Encoder):
        return model(x)
    return model(past_values=x).prediction_outputs[..., 0]


def error(model: nn.Module, windows: Any) -> float:
    """Return the mean squared error on windows."""
    model.eval()
    with torch.no_grad():
        parts = torch.tensor(windows.x, dtype=torch.float32).split(512)
        found = torch.cat([forecasts(model, part) for part in parts]).numpy()
    return float(((found - windows.y) ** 2).mean())


def trained(name: str, folder: Path, dataset: Dataset) -> None:
    """Train a model in its own framework, and save its best epoch by validation."""
    torch.set_num_threads(1)  # tiny tensors
    torch.manual_seed(0)
    model = MODELS[name]()
    x = torch.tensor(dataset.train.x, dtype=torch.float32)
    y = torch.tensor(dataset.train.y, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    best, weights = np.inf, {}
    for _ in range(EPOCHS):
        model.train()
        for batch in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            ((forecasts(model, x[batch]) - y[batch]) ** 2).mean().backward()
            optimizer.step()
        if (found := error(model, dataset.val)) < best:
            best = found
            weights = {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(weights)
    save = model.save if isinstance(model, Encoder) else model.save_pretrained
    save(folder)
    write_whole(folder / "own.json", json.dumps({"test": error(model, dataset.test)}) + "\n")


def measured(folder: Path, method: str, width: int) -> dict[str, Any]:
    """Import a model at a width, and return its errors and what the hardware says of it."""
    run = folder / f"{method}-{width}"
    if (run / "measured.json").exists():
        return read_json(run / "measured.json")
    more: dict[str, Any] = {} if width >= ENDS else {"precise": ENDS}
    more |= {"qat_epochs": QAT_EPOCHS} if method == "qat" else {}
    model = bitformer.from_files(
        folder, "etth1", to=run, method=method, weights=width, progress=False, **more
    )
    dataset = dataset_of(model.integer, data=None)
    design = bitformer.lower(model, part=PART)
    chosen = np.linspace(0, len(dataset.test) - 1, SIMULATED).astype(int)
    x = dataset.test.take(chosen).x
    exact = True
    if method == "qat":  # the others have the same shapes
        ran = design.simulate(x, engine="native", progress=silent)
        exact = ran.bit_exact and ran.cycles_as_predicted
    found = {
        "float": model.integer.meta["results"]["float_test"],
        "integer": float(((model.predict(dataset.test.x) - dataset.test.y) ** 2).mean()),
        "bit_exact": exact,
        "cycles": design.latency,
        "fits": design.estimate().fits,
    }
    write_whole(run / "measured.json", json.dumps(found) + "\n")
    return found


def page(dataset: Dataset) -> str:
    """Return the table and what is said of it."""
    rows, cycles = [], []
    for name in MODELS:
        folder = FOLDER / FOLDERS[name]
        if not (folder / "own.json").exists():
            trained(name, folder, dataset)
        own = read_json(folder / "own.json")["test"]
        cells = {(m, w): measured(folder, m, w) for m in METHODS for w in WIDTHS}
        whole = {round(one["float"], 6) for one in cells.values()}
        assert len(whole) == 1, "an import must not depend on bits"
        assert all(one["bit_exact"] and one["fits"] for one in cells.values()), name
        rows.append([name, f"{own:.4f}", f"{whole.pop():.4f}", *_errors(cells)])
        cycles.append(f"{name}: {cells['qat', 8]['cycles']}")
    head = ["model", "its framework", "imported, float"]
    head += [f"{method.upper()} {width}" for method in METHODS for width in WIDTHS]
    lines = "\n".join(markdown_table(head, rows))
    return (
        f"Test MSE of the integer models on ETTh1 (oil temperature, {WINDOW} hours to {HORIZON},"
        f" standardised): trained {EPOCHS} epochs in their own\nframework, one seed; calibrated"
        f" alone (PTQ), or fine-tuned for {QAT_EPOCHS} epochs (QAT). Weights of 8, 6, 4 and 2 bits,"
        f" activations of 8; below 8, the\nfirst and the last layer keep {ENDS} (`--precise 8`)."
        " `python benchmarks/importing.py --write` writes this table.\n\n"
        f"{lines}\n"
        f"All of them fit the XC7S15 by `estimate`, and the fine-tuned ones were bit-exact in the"
        f" compiled simulator on {SIMULATED} test windows, in the\ncycles predicted (a forecast"
        f" with 8 bits: {'; '.join(cycles)}).\n"
    )


def _errors(cells: dict[tuple[str, int], dict[str, Any]]) -> list[str]:
    return [f"{cells[method, width]['integer']:.4f}" for method in METHODS for width in WIDTHS]


@click.command()
@click.option("--write", is_flag=True, help="Write the table of docs/import.md.")
def main(write: bool) -> None:
    """Measure what is lost by importing, and show it."""
    text = page(data())
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
    if write:
        before, after = REPORT.read_text().split(MARKS[0])[0], REPORT.read_text().split(MARKS[1])[1]
        write_whole(REPORT, f"{before}{MARKS[0]}\n{text}{MARKS[1]}{after}")


if __name__ == "__main__":
    sys.exit(main())
