"""What ``train`` and ``evaluate`` say, computed again from the raw file and by none of our code.

    python tests/recompute.py MODEL.safetensors FILE.csv --target COLUMN --time COLUMN

It reads the CSV file and the model file by itself, splits, fills, scales and cuts windows by the
rules of docs/data.md, runs the integers by the number contract, and prints what it finds as JSON.
It is written for plainness: nothing in it is shared with the packages it checks, and nothing is
fast that need not be.
"""

import argparse
import csv
import itertools
import json
import math
import struct
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
DTYPES = {"I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64}


def read_model(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the header's JSON, and the arrays by name."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    entries, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    header = json.loads(entries.pop("__metadata__")["bitformer"])
    arrays = {}
    for name, entry in entries.items():
        start, stop = entry["data_offsets"]
        found = np.frombuffer(body[start:stop], DTYPES[entry["dtype"]])
        arrays[name] = found.reshape(entry["shape"]).astype(np.int64)
    return header, arrays


def read_rows(path: Path, time: str, columns: list[str]) -> tuple[list[float], np.ndarray]:
    """Return the seconds of each row, and its cells, NaN where one is empty."""
    seconds, rows = [], []
    with open(path, newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            moment = datetime.fromisoformat(row[time])
            seconds.append((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
            rows.append([float(row[name]) if row[name].strip() else math.nan for name in columns])
    return seconds, np.array(rows)


def regular(
    seconds: list[float], rows: np.ndarray, max_fill: int
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return rows a step apart, short losses filled, and stretches (start, stop) without a gap.

    A lost row counts as lost cells: up to ``max_fill`` take the row before, more are a gap.
    """
    distances = [round(b - a) for a, b in itertools.pairwise(seconds)]
    step = Counter(distances).most_common(1)[0][0]
    filled: list[np.ndarray] = []
    gaps: list[int] = []  # rows before which a stretch begins
    for number, row in enumerate(rows):
        lost = round(distances[number - 1] / step) - 1 if number else 0
        if lost > max_fill:
            gaps.append(len(filled))
        else:
            filled += [np.full(rows.shape[1], np.nan)] * lost
        filled.append(row)
    values = np.array(filled)
    for column in values.T:
        missing = 0
        for at in range(len(column)):
            if at in gaps:
                missing = 0
            missing = missing + 1 if math.isnan(column[at]) else 0
            begins = at - missing + 1
            known = begins > 0 and not any(begins <= gap <= at for gap in gaps)
            ends = at + 1 == len(column) or at + 1 in gaps or not math.isnan(column[at + 1])
            if missing and ends and missing <= max_fill and known:
                column[begins : at + 1] = column[begins - 1]
    stretches, start = [], None
    for at in range(len(values) + 1):
        whole = at < len(values) and not np.isnan(values[at]).any()
        if start is not None and (not whole or at in gaps):
            stretches.append((start, at))
            start = None
        if whole and start is None:
            start = at
    return values, stretches


def cut(
    values: np.ndarray,
    stretches: list[tuple[int, int]],
    part: tuple[int, int],
    window: int,
    horizon: int,
) -> list[int]:
    """Return the first target rows of a part's windows."""
    return [
        at
        for start, stop in stretches
        for at in range(start + window, stop - horizon + 1)
        if part[0] <= at and at + horizon <= part[1]
    ]


class Series:
    """A scaled series with its three lists of windows."""

    def __init__(
        self, path: Path, *, time: str, inputs: list[str], target: str, window: int, horizon: int
    ):
        columns = [*inputs, target]
        values, stretches = regular(*read_rows(path, time, columns), max_fill=3)
        train, val = len(values) * 3 // 5, len(values) * 4 // 5
        self.window, self.horizon = window, horizon
        self.parts = [
            cut(values, stretches, part, window, horizon)
            for part in ((0, train), (train, val), (val, len(values)))
        ]
        seen = np.array([row for a, b in stretches for row in values[a : min(b, train)]])
        self.mean = seen.sum(axis=0) / len(seen)
        self.std = np.sqrt(((seen - self.mean) ** 2).sum(axis=0) / len(seen))
        self.scaled = (values - self.mean) / self.std

    def windows(self, part: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs [N, window, inputs] and targets [N, horizon] of a part."""
        firsts = self.parts[part]
        x = np.array([self.scaled[at - self.window : at, :-1] for at in firsts])
        return x, np.array([self.scaled[at : at + self.horizon, -1] for at in firsts])


def ridge(series: Series, channel: int | None) -> float:
    """Return the test error of the best ridge regression; of the change, given the channel."""
    data = []
    for part in range(3):
        x, y = series.windows(part)
        if channel is not None:
            x, y = x - x[:, -1:], y - x[:, -1, channel][:, None]
        data.append((x.reshape(len(x), -1), y))
    (x, y), val, test = data
    best = (math.inf, math.nan)
    for penalty in PENALTIES:
        # least squares with a row of sqrt(penalty N) for each weight; the constant is centred out
        center, level = x.mean(axis=0), y.mean(axis=0)
        extra = math.sqrt(penalty * len(x)) * np.eye(x.shape[1])
        tall = np.vstack([x - center, extra])
        goal = np.vstack([y - level, np.zeros((x.shape[1], y.shape[1]))])
        weights = np.linalg.lstsq(tall, goal, rcond=None)[0]
        errors = [float(((level + (a - center) @ weights - b) ** 2).mean()) for a, b in (val, test)]
        best = min(best, (errors[0], errors[1]))
    return best[1]


def half_up(value: np.ndarray, shift: int) -> np.ndarray:
    return (value + (1 << shift >> 1)) >> shift


def softmax(scores: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return numerators of keys and their sum's reciprocal, for rows of scores [..., keys]."""
    table = [math.floor(255 * 2 ** (-i / 8) + 0.5) for i in range(8)]
    inverse = [math.floor(2**17 / (256 + i + 0.5) + 0.5) for i in range(256)]
    most = max(0, (255 * scores.shape[-1]).bit_length() - 9)
    numerators = np.zeros(scores.shape, dtype=np.int64)
    factors = np.zeros((*scores.shape[:-1], 1), dtype=np.int64)
    for place in np.ndindex(scores.shape[:-1]):
        row, keys = scores[place], np.flatnonzero(seen[place[-1]])
        top = max(row[keys])
        for key in keys:
            below = int(top - row[key])
            numerators[place][key] = table[below % 8] >> (below // 8)
        total = int(numerators[place].sum())
        exponent = total.bit_length() - 9
        mantissa = total << 1 if exponent < 0 else total >> exponent
        factors[place] = inverse[mantissa - 256] << (most - exponent)
    return numerators, factors


def gelu(steps: np.ndarray, bits: int) -> np.ndarray:
    """Return GELU of steps of which 4 or, from 7 bits on, 8 would be all that the bits can say."""
    size = (4 if bits < 7 else 8) / (1 << bits)
    lost = [abs(n) * math.erfc(abs(n) * size / math.sqrt(2)) / 2 for n in range(20 << bits)]
    table = np.floor(np.array(lost) + 0.5).astype(np.int64)
    return np.maximum(steps, 0) - table[np.minimum(np.abs(steps), len(table) - 1)]


def run(header: dict, arrays: dict[str, np.ndarray], words: np.ndarray) -> np.ndarray:
    """Return the output's integers [N, horizon] for words [N, window, inputs]."""
    tensors = {spec["name"]: spec for spec in header["tensors"]}
    values = {"input": words}
    for name, array in arrays.items():
        if name.startswith("constant."):
            values[name.removeprefix("constant.")] = array
    y = "input"
    for number, op in enumerate(header["operations"]):
        own = {n.split(".", 1)[1]: a for n, a in arrays.items() if n.startswith(f"{number}.")} | op
        y, kind, factor, added = op["y"], op["op"], own.get("multiplier", 1), np.int64(0)
        spec = tensors[y]
        low, high = -(1 << spec["bits"] - 1), (1 << spec["bits"] - 1) - 1
        low = low + 1 if spec.get("narrow") else low
        seen = np.ones((spec["rows"], spec["features"]), dtype=bool)
        if kind == "SubtractLast":
            u = values[op["x"]] - values[op["x"]][:, -1:]
        elif kind == "Linear":
            x = values[op["x"]]
            x = x.transpose(0, 2, 1) if op.get("transposed") else x
            x = x.reshape(len(words), -1)[:, op["start"] :]
            x = x.reshape(len(words), spec["rows"], -1)
            u = np.einsum("bri,oi->bro", x, own["weight"]) + own["bias"]
            if "residual" in op:
                added = values[op["residual"]["source"]]
                if "channel" in op["residual"]:
                    added = added[:, -1:, op["residual"]["channel"], None]
                added = added << op["residual"]["shift"]
            low = max(low, spec["zero"]) if op["relu"] else low
            if op.get("gelu"):  # steps of a size of its own; the last bits are those of y
                steps = half_up(u * factor + added, op["shift"])
                values[y] = np.clip(gelu(steps, spec["bits"]) + spec["zero"], low, high)
                continue
        elif kind == "Scores":
            q, k = (
                values[op[n]].reshape(
                    len(words), -1, op["heads"], values[op[n]].shape[2] // op["heads"]
                )
                for n in "qk"
            )
            u = np.einsum("bihd,bjhd->bihj", q, k).reshape(len(words), spec["rows"], -1)
        elif kind == "Attend":
            scores, v = values[op["scores"]], values[op["v"]]
            rows, keys = scores.shape[1:]
            mask = np.ones((rows, keys), dtype=bool)
            if op["causal"]:
                mask = np.array([[j <= i // op["heads"] for j in range(keys)] for i in range(rows)])
            numerators, factors = softmax(scores, mask)
            width = v.shape[2] // op["heads"]
            u = np.zeros((len(words), spec["rows"], v.shape[2]), dtype=np.int64)
            factor = np.zeros_like(u)
            for i in range(rows):
                token, part = (
                    i // op["heads"],
                    slice(i % op["heads"] * width, (i % op["heads"] + 1) * width),
                )
                u[:, token, part] = np.einsum("bj,bjd->bd", numerators[:, i], v[:, :, part])
                factor[:, token, part] = factors[:, i]
        elif kind == "LayerNorm":
            x = values[op["x"]]
            bits, count = tensors[op["x"]]["bits"], x.shape[2]
            total = x.sum(axis=2, keepdims=True)
            variance = count * (x**2).sum(axis=2, keepdims=True) - total**2
            width = max(8, ((count << bits - 1) ** 2).bit_length())
            width += width % 2
            root, power = np.zeros_like(variance), np.zeros_like(variance)
            for place in np.ndindex(variance.shape):
                if one := int(variance[place]):
                    power[place] = (width - one.bit_length()) // 2
                    index = (one << 2 * int(power[place]) >> width - 8) - 64
                    root[place] = math.floor(2**12 / math.sqrt(64 + index + 0.5) + 0.5)
            u, factor = (count * x - total) << power, own["gamma"] * root
            added = own["beta"] << op["beta_shift"]
        elif kind == "Affine":
            u, added = values[op["x"]], own["offset"] << op["offset_shift"]
        elif kind == "Pool":
            u = values[op["x"]].sum(axis=1, keepdims=True)
        else:
            raise ValueError(f"operation must be a known one, not {kind}")
        found = np.clip(half_up(u * factor + added, op["shift"]) + spec["zero"], low, high)
        values[y] = np.where(seen, found, low)
    return values[y].reshape(len(words), -1)


def recompute(model: Path, data: Path, *, target: str, time: str) -> dict:
    """Return counts, scales and errors, by the names that the test compares."""
    header, arrays = read_model(model)
    config, inputs = header["config"], header["meta"]["dataset"]["inputs"]
    sizes = {"window": config["window"], "horizon": config["horizon"]}
    series = Series(data, time=time, inputs=inputs, target=target, **sizes)
    x, y = series.windows(2)
    tensors = {spec["name"]: spec for spec in header["tensors"]}
    spec, out = tensors["input"], tensors[header["operations"][-1]["y"]]
    limit = 1 << spec["bits"] - 1
    words = np.floor(x / 2.0 ** spec["exponent"] + 0.5).clip(-limit, limit - 1).astype(np.int64)
    forecast = (run(header, arrays, words) - out["zero"]) * 2.0 ** out["exponent"]
    error = float(((forecast - y) ** 2).mean())
    last = np.array([series.scaled[at - 1, -1] for at in series.parts[2]])[:, None]
    channel = inputs.index(target) if target in inputs else None
    return {
        "windows": [len(part) for part in series.parts],
        "mean": float(series.mean[-1]),
        "std": float(series.std[-1]),
        "mse": error,
        "rmse": math.sqrt(error) * float(series.std[-1]),
        "repeat last value": float(((last - y) ** 2).mean()),
        "linear": ridge(series, None),
        "linear, last value subtracted": None if channel is None else ridge(series, channel),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--time", required=True)
    print(json.dumps(recompute(**vars(parser.parse_args())), indent=1))
