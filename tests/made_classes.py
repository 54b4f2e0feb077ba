"""Windows of recordings with classes, of known signals: small enough to train on in a test."""

import numpy as np

from bitformer.model.data.stretches import stretches_of
from bitformer.model.data.windows import Dataset, Windows

__all__ = ["NAMES", "make_classes"]

#: Of the classes, in the order of their numbers.
NAMES = ("fall", "rest", "walk", "run")


def make_classes(*, window=12, inputs=2, classes=3, rows=240, noise=0.4, seed=0, groups=2):
    """Of each class and group a recording: a sine of its own period and level, with noise.

    The first half of each recording trains, and its quarters then validate and test.
    """
    rng = np.random.default_rng(seed)
    columns, labels, group, firsts = [], [], [], ([], [], [])
    for person in range(groups):
        for number in range(classes):
            at = np.arange(rows)
            phase = rng.uniform(0, 2 * np.pi, inputs)
            period = 3 + 2 * number + person / 4
            clean = number - 1 + np.sin(2 * np.pi * at[:, None] / period + phase)
            start = len(columns) * rows
            for part, (a, b) in zip(firsts, ((0, 0.5), (0.5, 0.75), (0.75, 1)), strict=True):
                part.append(start + np.arange(int(a * rows), int(b * rows) - window + 1))
            columns.append(clean + noise * rng.normal(size=clean.shape))
            labels.append(np.full(rows, number))
            group.append(np.full(rows, person))
    values, numbers = np.concatenate(columns), np.concatenate(labels)

    def part(first):
        return Windows(
            inputs=values,
            target=numbers.astype(float),
            first=np.concatenate(first) + window - 1,
            window=window,
            horizon=1,
            ahead=0,
            labels=numbers,
            group=np.concatenate(group),
        )

    ends = [(start, start + rows // 2) for start in range(0, len(values), rows)]
    return Dataset(
        name="made",
        inputs=tuple(f"x{channel}" for channel in range(inputs)),
        target="label",
        mean=np.zeros(inputs),
        std=np.ones(inputs),
        target_mean=0.0,
        target_std=1.0,
        target_channel=None,
        train=part(firsts[0]),
        val=part(firsts[1]),
        test=part(firsts[2]),
        notes=(),
        period=None,
        task="classify",
        stretches=stretches_of(values, np.arange(len(values)), ends, every=1),
        classes=NAMES[:classes],
        groups=tuple(f"person{n}" for n in range(groups)),
    )
