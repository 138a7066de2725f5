"""The alarm budget: alert onsets per channel and week are wished for, and the threshold follows.

Readings are correlated, so onsets cannot be had from the share of readings above a threshold. They are
counted: for each of 40 levels, how often the score rose to it after having fallen below 0.7 of it, as the
trigger's hysteresis has it. The threshold is where onsets come no oftener than wished. A channel begins with
what channels in general do, as if it had been watched for two days; what is counted fades over a season, so
that the threshold follows drift.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.compile import kernel

LEVELS = 40
STEP = 0.25  # between levels; level k stands at (k + 1) * STEP, the highest at 10
HYSTERESIS = 0.7
WEEK_S = 7 * 86400.0
LOWEST, HIGHEST = 1.0, 9.9
NEVER = -(2**62)  # a time before all times

BUDGET = np.dtype(
    [
        ("armed", "u8"),  # bit k: the score was below 0.7 of level k since it last rose to it
        ("last", "i8"),
        ("pace", "f8"),  # usual seconds between readings
        ("watched", "f8"),  # seconds, fading
        ("fresh", "f8"),  # seconds since the threshold was worked out
        ("threshold", "f8"),
        ("onsets", "f4", (LEVELS,)),
    ]
)
TIMES = ("last",)

_ALL = (1 << LEVELS) - 1
_MEMORY_S = 12 * WEEK_S
_LENT_S = 2 * 86400.0
_LENT_SHARE = 0.25  # onsets a reading above a threshold, as correlated channels have
_LENT_SLOPE = 0.8
_REFRESH_S = 3600.0
_YOUNG_READINGS = 10.0
_LONGEST_PACES = 8.0


def fresh_budgets(channels: int) -> Any:
    """Channels of which nothing has been heard; they are not armed above the highest level."""
    state = np.zeros(channels, BUDGET)
    state["armed"], state["last"], state["threshold"] = _ALL, NEVER, HIGHEST
    return state


@kernel
def watch(state: Any, time: int, score: float, wished: float) -> None:
    """Hear a judged reading, ns, 0..10, and let the threshold follow `wished` onsets a week."""
    if state.last == NEVER:
        state.last = time
    seconds = (time - state.last) * 1e-9
    if seconds < 0.0:
        return
    state.last = time
    if state.pace <= 0.0:
        state.pace = seconds
    seconds = min(seconds, _LONGEST_PACES * state.pace)
    state.pace += (seconds - state.pace) * 0.125
    _count(state, score)
    state.watched += seconds
    state.fresh += seconds
    if state.fresh >= _REFRESH_S or state.watched < _YOUNG_READINGS * state.pace:
        _settle(state, wished)


@kernel
def _count(state: Any, score: float) -> None:
    """Count a rise to every armed level the score reaches; arm those it is below 0.7 of."""
    one, everything = np.uint64(1), np.uint64(_ALL)
    top = min(LEVELS, int(score / STEP))
    reached = (one << np.uint64(top)) - one
    risen = state.armed & reached
    if risen != np.uint64(0):
        for k in range(top):
            if (risen >> np.uint64(k)) & one != np.uint64(0):
                state.onsets[k] += np.float32(1.0)
    calm = min(LEVELS, int(score / (HYSTERESIS * STEP)))
    state.armed = (state.armed & ~reached) | (everything & ~((one << np.uint64(calm)) - one))


@kernel
def _settle(state: Any, wished: float) -> None:
    """Forget, then find the lowest threshold with no more onsets than wished, between levels too."""
    kept = np.float32(math.exp(-state.fresh / _MEMORY_S))
    state.watched *= math.exp(-state.fresh / _MEMORY_S)
    state.fresh = 0.0
    for k in range(LEVELS):
        state.onsets[k] *= kept
    before = np.inf
    state.threshold = HIGHEST
    for k in range(LEVELS):
        rate = rate_at(state, k)
        if rate <= wished:
            way = math.log(before / wished) / math.log(before / rate) if wished < before < np.inf else 0.0
            state.threshold = max(LOWEST, min(HIGHEST, (k + way) * STEP))
            return
        before = rate


@kernel
def rate_at(state: Any, k: int) -> float:
    """Onsets a week at level k, counted and lent."""
    readings = WEEK_S / max(state.pace, 1e-3)
    lent = _LENT_SHARE * readings * 10.0 ** (-_LENT_SLOPE * STEP * (k + 1))
    own = np.float64(state.onsets[k])
    return float((own + lent * _LENT_S / WEEK_S) * WEEK_S / (state.watched + _LENT_S))
