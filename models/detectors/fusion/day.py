"""The day: what this channel usually does at this half hour, and how much it lies above that lately."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.compile import kernel
from models.detectors.fusion.frames import Singles
from models.detectors.fusion.parts import CLIP
from models.detectors.fusion.record import BUCKETS, DAY
from models.detectors.rows import SECOND

VISIT_NS = 86400 * SECOND // BUCKETS
_DAYS = 4.0  # the usual half hour is averaged over so many days
LEVEL_NS = 14400 * SECOND
_LEVEL_PACES = 24


@kernel
def usual_now(season: Singles, visits: Singles, visit: int) -> float:
    """Usual value of the half hour; NaN where it was never seen."""
    place = visit % BUCKETS
    return float(season[place]) if visits[place] > 0.0 else np.nan


@kernel
def level_s(state: Any) -> float:
    """Seconds over which the level follows."""
    return float(max(LEVEL_NS, _LEVEL_PACES * state.pace) * 1e-9)


@kernel
def learn_day(
    state: Any, season: Singles, visits: Singles, visit: int, value: float, seconds: float, learns: bool
) -> None:
    """Add a reading to its half hour; a half hour that is over becomes part of the day.

    `value` is relative to the anchor. The level follows the residual, at most so many usual ones of it, also
    where the reading `learns` nothing.
    """
    bound = CLIP * state.usual[DAY] if state.usual[DAY] > 0.0 else np.inf
    if learns and visit != state.visit:
        _fold(state, season, visits, bound)
        state.visit = visit
    usual = usual_now(season, visits, visit)
    if not math.isnan(usual):
        residual = value - usual - state.level
        state.level += (1.0 - math.exp(-seconds / level_s(state))) * max(-bound, min(bound, residual))
    if learns:
        state.visit_sum += seconds * (value - state.level)
        state.visit_weight += seconds


@kernel
def _fold(state: Any, season: Singles, visits: Singles, bound: float) -> None:
    if state.visit_weight > 0.0:
        place = state.visit % BUCKETS
        mean = state.visit_sum / state.visit_weight
        known = visits[place] > 0.0
        visits[place] = min(_DAYS, visits[place] + 1.0)
        change = mean - np.float64(season[place])
        if known:
            change = max(-bound, min(bound, change))
        season[place] += change / visits[place]
    state.visit_sum = 0.0
    state.visit_weight = 0.0
