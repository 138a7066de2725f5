"""A channel's life with faults of all sorts in it, to hold kernels against their twins."""

from __future__ import annotations

import numpy as np

from models.readings import Quality

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
MINUTE = 60 * SECOND


def troubled(seed, n=3000):
    """Time, value and quality: a row a minute with some gaps; quality as the sampler tells it."""
    chance = np.random.default_rng(seed)
    value = np.round(20.0 + 2.0 * np.sin(np.arange(n) / 100.0) + chance.normal(0, 0.1, n), 1)
    value[::3] = np.round(value[::3], 0)
    quality = np.zeros(n, np.uint8)
    for at in range(400, n - 60, 130):
        rows = slice(at, at + int(chance.integers(1, 50)))
        size = chance.choice([2.0, 30.0, -30.0, 400.0])
        changes = (
            lambda v, size=size: v + size,
            lambda v: v * 0.0,
            lambda v: v * 0.0 - 127.0,
            lambda v: v * np.nan,
            lambda v: v * 0.0 + v[0],
            lambda v: v * 1.8 + 32.0,
            lambda v: v * 10.0,
            lambda v, size=size: v + size * chance.uniform(-1, 1, len(v)) * (chance.random(len(v)) < 0.6),
            lambda v, size=size: v + size * (np.arange(len(v)) % 5 == 0),
            lambda v, size=size: v + size * np.arange(len(v)) / 5.0,
            lambda v: np.round(v + np.arange(len(v)) * 0.3, 1),
            lambda v, size=size: v + size * np.minimum(np.arange(len(v)), 1),
        )
        value[rows] = changes[int(chance.integers(len(changes)))](value[rows])
    quality[~np.isfinite(value)] |= np.uint8(Quality.INVALID)
    quality[np.abs(value) > 150.0] |= np.uint8(Quality.OUT_OF_RANGE)
    quality[chance.random(n) < 0.02] |= np.uint8(Quality.HISTORIC)
    step = np.where(chance.random(n) < 0.01, 20 * MINUTE, MINUTE) + chance.integers(-SECOND, SECOND, n)
    return START + np.cumsum(step), value, quality
