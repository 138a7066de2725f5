"""Wary: what is strange teaches little, or a hazard that lasts would soon become what is usual.

An episode begins with a surprise that calm readings show once in a hundred thousand and lasts until it is no
longer one in a thousand. Readings in it teach as if they had stood for a sixteenth of their time: after two
weeks of learning a lasting change is news for about five hours, after two days for three quarters of an
hour. Calm readings hardly ever begin an episode, so a surprise of 3 stays as rare as it says; and what comes
back every day is soon too common to begin one.
"""

from __future__ import annotations

import math
from typing import Any

from models.compile import inner

BEGINS, ENDS = 5.0, 3.0
LITTLE = 0.0625
FARTHEST = 1e6  # usual distances; farther is not told apart
_BOUND = 1e140  # a value beyond counts as this, so that squares and sums of squares stay finite


@inner
def weigh(state: Any, score: float, seconds: float) -> float:
    """Seconds that a reading with this score may teach; `state.strange` becomes 1 in an episode, else 0."""
    if score >= BEGINS:
        state.strange = 1
    elif score < ENDS:
        state.strange = 0
    return seconds * LITTLE if state.strange else seconds


@inner
def bounded(value: float) -> float:
    """A finite value, brought so near that arithmetic with it stays finite."""
    return max(-_BOUND, min(_BOUND, value))


@inner
def in_units(size: float, scale: float) -> float:
    """A size >= 0 in units of a scale; any size is far where the scale is 0."""
    if size <= 0.0:
        return 0.0
    distance = size / scale if scale > 0.0 else math.inf
    return min(FARTHEST, distance)
