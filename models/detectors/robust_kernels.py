"""The window of `robust`: its points in order of arrival and in order of size, its middle and half spread."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compile import kernel
from models.readings import Floats

POINTS = 63  # odd, so that the median is a point


@kernel
def rank_of(ordered: Floats, count: int, value: float) -> int:
    """How many of the first `count` points, in order of size, are smaller than `value`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def put_point(state: Any, ring: Floats, ordered: Floats, value: float) -> None:
    """Add a point; in a full window it takes the place of the oldest."""
    count = state.points
    if count == POINTS:
        count -= 1
        for at in range(rank_of(ordered, POINTS, ring[state.place]), count):
            ordered[at] = ordered[at + 1]
    rank = rank_of(ordered, count, value)
    for at in range(count, rank, -1):
        ordered[at] = ordered[at - 1]
    ordered[rank] = value
    ring[state.place] = value
    state.place = state.place + 1 if state.place + 1 < POINTS else 0
    state.points = count + 1


@kernel
def half_spread(ordered: Floats, count: int) -> float:
    """Median distance from the median, of points in order of size: the nearest ones counted off outwards."""
    low = high = count // 2
    middle, distance = ordered[low], 0.0
    for _ in range(count // 2):
        down = middle - ordered[low - 1] if low > 0 else np.inf
        up = ordered[high + 1] - middle if high + 1 < count else np.inf
        if down <= up:
            distance = down
            low -= 1
        else:
            distance = up
            high += 1
    return float(distance)


@kernel
def finest_step(ordered: Floats, count: int) -> float:
    """Smallest difference there is between two points, in order of size; 0 when all are equal."""
    finest = 0.0
    for at in range(1, count):
        step = ordered[at] - ordered[at - 1]
        if step > 0.0 and (finest == 0.0 or step < finest):
            finest = step
    return float(finest)
