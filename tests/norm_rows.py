"""Rows for LayerNorm's units: random ones of every spread, and the extremes."""

import random

__all__ = ["extreme_rows", "random_rows"]


def random_rows(features, bits, count, seed):
    chance = random.Random(seed)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    spread = [chance.randint(1, high) for _ in range(count)]
    return [[chance.randint(max(low, -s), min(high, s)) for _ in range(features)] for s in spread]


def extreme_rows(features, bits):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return [
        [low] * features,
        [high] * features,
        [0] * features,
        [1] * features,
        [low if n % 2 else high for n in range(features)],
        [high] + [low] * (features - 1),
        [low] + [high] * (features - 1),
        [1] + [0] * (features - 1),
        [-1] + [0] * (features - 1),
    ]
