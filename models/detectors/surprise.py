"""Calibrated surprise: how rare a distance is on the channel's own past, as -log10 of its tail probability.

A histogram of past distances in 32 bins (four an octave from 0.25 up) with exponential forgetting gives the
tail where it has been seen; beyond the last 2 % of it a generalised Pareto tail is fitted by moments, its
shape drawn towards 0.1 while exceedances are few (Hosking and Wallis 1987; Coles 2001, ch. 4). A distance
counts by the time it stands for, so history at 60 s and live readings at 1 s weigh alike.

All functions work on one channel's record, whose dtype contains SKETCH.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.compile import kernel

BINS = 32
CAP = 9.9
FEWEST = 50.0  # distances learned before any may be scored

# What every reading needs stands first, beside the level: fewer lines of the processor's cache.
SKETCH: list[Any] = [
    ("known", "f4"),  # the rarest surprise that was seen, not extrapolated: log10(seen); 0 until it may score
    ("band", "f4"),  # distance whose surprise is 3
    ("fresh", "u2"),  # readings since the last refresh
    ("due", "u2"),  # how many make the next refresh
    ("edges", "f4", (BINS,)),  # surprise at each bin's lower edge
    ("counts", "f8", (BINS,)),  # weight, s, of distances in each bin
    ("total", "f8"),  # sum of counts at the last refresh
    ("seen", "f8"),  # how many readings that was, forgotten alike
    ("start", "f4"),  # distance where the fitted tail begins
    ("rarity", "f4"),  # surprise there
    ("shape", "f4"),
    ("spread", "f4"),
]

EDGES = np.array([0.0] + [0.25 * 2.0 ** (k // 4) * (1 + (k % 4) / 4) for k in range(BINS - 1)])
_PER_WIDTH = 1.0 / np.diff(EDGES)
_PER_DECADE = 1.0 / math.log(10.0)
_FEW_EXCEEDANCES = 20.0
_TAIL = 0.02
_PRIOR_SHAPE, _PRIOR_WEIGHT = 0.1, 50.0
_BAND = 3.0
_PER_DOUBLING = 10.0
RECORD_S = 30 * 86400.0  # how fast the largest of late fades


@kernel
def bin_of(distance: float) -> int:
    """Bin of a distance >= 0: read from the float's exponent and first two bits of its fraction."""
    quarter_octave = int(np.float64(distance).view(np.int64) >> 50) - (1021 << 2)
    return min(BINS - 1, max(0, 1 + quarter_octave))


@kernel
def fitted(state: Any, distance: float) -> float:
    """Surprise by the fitted tail, for a distance beyond its start."""
    reach = (distance - state.start) / state.spread
    return float(state.rarity + _PER_DECADE * math.log(1.0 + state.shape * reach) / state.shape)


@kernel
def beyond_record(size: float, record: float) -> float:
    """What a size beyond the largest of late adds to its surprise, >= 0: ten for each doubling.

    The tail of what is spread over decades has room for sizes that never came. Both above 0.
    """
    return _PER_DOUBLING * math.log(size / record) / math.log(2.0)


@kernel
def surprise_of(state: Any, distance: float, place: int) -> float:
    """Surprise of a distance in the bin `place`, 0..9.9; needs a refresh before."""
    if place == BINS - 1:
        return min(CAP, max(np.float64(state.edges[place]), fitted(state, distance)))
    share = (distance - EDGES[place]) * _PER_WIDTH[place]
    low = np.float64(state.edges[place])
    return float(min(CAP, low + share * (np.float64(state.edges[place + 1]) - low)))


@kernel
def learn_distance(state: Any, place: int, weight: float, memory: float) -> None:
    """Add a distance in the bin `place` that stands for `weight` seconds; refresh when enough has changed."""
    state.counts[place] += weight
    state.fresh += 1
    if state.fresh >= state.due:
        refresh(state, memory)


@kernel
def refresh(state: Any, memory: float) -> None:
    """Forget by the time learned since the last, then work out the surprise at every edge."""
    grown = 0.0
    for k in range(BINS):
        grown += state.counts[k]
    kept = math.exp((state.total - grown) / memory)
    state.seen = (state.seen + state.fresh) * kept
    state.known = math.log10(state.seen) if state.seen >= FEWEST else 0.0
    state.due = np.uint16(max(16.0, min(state.seen, 4096.0) * 0.125))
    state.fresh = 0
    state.total = 0.0
    for k in range(BINS):
        state.counts[k] *= kept
        state.total += state.counts[k]
    begin, start = _empirical(state)
    _fit(state, begin, start)
    _extend(state, start)
    state.band = _distance_of(state, _BAND)


@kernel
def _empirical(state: Any) -> tuple[int, int]:
    """Surprise at all edges from the counts alone.

    Returns two bins: where the tail to be fitted begins (2 % of all, 40 readings at least), and the last
    one whose tail still holds 20 readings, from which on the fitted tail speaks.
    """
    one = state.total / state.seen
    enough = max(_TAIL * state.total, 2.0 * _FEW_EXCEEDANCES * one)
    tail, begin, start = 0.0, 1, 1
    per_total = 1.0 / (state.total + one)
    rarity = -_PER_DECADE * math.log(one * per_total)
    state.edges[0] = 0.0
    for k in range(BINS - 1, 0, -1):
        tail += state.counts[k]
        # The natural logarithm takes a third of the time of the decimal one.
        if state.counts[k] > 0.0:
            rarity = -_PER_DECADE * math.log((tail + one) * per_total)
        state.edges[k] = rarity
        if start == 1 and tail >= _FEW_EXCEEDANCES * one:
            start = k
        if begin == 1 and tail >= enough:
            begin = k
    return begin, start


@kernel
def _fit(state: Any, begin: int, start: int) -> None:
    """Generalised Pareto tail of what lies beyond bin `begin`, by moments of the bins' middles.

    It is moved to `start`: beyond a higher threshold the shape stays and the spread grows by shape x way.
    """
    weight, first, second = 0.0, 0.0, 0.0
    for k in range(begin, BINS):
        top = EDGES[k + 1] if k + 1 < BINS else EDGES[k] * 1.3
        excess = 0.5 * (EDGES[k] + top) - EDGES[begin]
        weight += state.counts[k]
        first += state.counts[k] * excess
        second += state.counts[k] * excess * excess
    mean = first / weight if weight > 0.0 else 0.25 * EDGES[begin]
    variance = second / weight - mean * mean if weight > 0.0 else 0.0
    raw = 0.5 * (1.0 - mean * mean / variance) if variance > 0.0 else 0.0
    exceedances = weight * state.seen / state.total
    shape = (exceedances * raw + _PRIOR_WEIGHT * _PRIOR_SHAPE) / (exceedances + _PRIOR_WEIGHT)
    shape = min(0.45, max(0.02, shape))
    state.start = EDGES[start]
    state.rarity = state.edges[start]
    state.shape = shape
    spread = max(mean * (1.0 - shape), 0.02 * EDGES[begin])
    state.spread = spread + shape * (EDGES[start] - EDGES[begin])


@kernel
def _extend(state: Any, start: int) -> None:
    """Beyond `start` the fitted tail speaks, but never above what several readings contradict."""
    one = state.total / state.seen
    tail = 0.0
    for k in range(BINS - 1, start, -1):
        tail += state.counts[k]
        claim = fitted(state, EDGES[k])
        if tail >= 3.0 * one:
            claim = min(claim, np.float64(state.edges[k]))
        state.edges[k] = claim
    if state.counts[BINS - 1] >= 3.0 * one:
        # The last bin has no upper edge: how far beyond it readings lie is not known, only how often.
        state.spread = np.inf
    for k in range(1, BINS):
        state.edges[k] = max(state.edges[k], state.edges[k - 1])


@kernel
def _distance_of(state: Any, surprise: float) -> float:
    """The distance at which surprise reaches a level; the inverse of `surprise_of`.

    Where even the last bin is not so rare, its edge.
    """
    for k in range(1, BINS):
        if state.edges[k] >= surprise:
            low, high = np.float64(state.edges[k - 1]), np.float64(state.edges[k])
            return float(EDGES[k - 1] + (EDGES[k] - EDGES[k - 1]) * (surprise - low) / (high - low))
    if not np.isfinite(state.spread):
        return float(EDGES[BINS - 1])
    reach = (10.0 ** (state.shape * (surprise - state.rarity)) - 1.0) / state.shape
    return float(state.start + state.spread * reach)
