"""The extreme: a value outside everything this channel has shown, measured by the range it has shown."""

from __future__ import annotations

import math
from typing import Any

from models.compile import kernel

_WARY = 0.4
_FADE_S = 365 * 86400.0  # the range shrinks by a part of e in a year
CAP = 9.9
_PER_SHARE = 100.0  # a hundredth of the range beyond it counts one


@kernel
def excess_of(state: Any, value: float, side: int) -> float:
    """How far the value lies outside the range, >= 0."""
    above = value - state.high if side >= 0 else 0.0
    below = state.low - value if side <= 0 else 0.0
    return max(above, below, 0.0)


@kernel
def extreme_of(state: Any, excess: float) -> float:
    """0..9.9, from an excess."""
    if excess <= 0.0:
        return 0.0
    span = state.high - state.low
    return min(CAP, _PER_SHARE * excess / span) if span > 0.0 else CAP


@kernel
def learn_extreme(state: Any, value: float, seconds: float, strange: bool) -> None:
    """Let the range fade towards its middle, then widen it to the value, a part of the way if strange.

    So what may be the hazard goes on being outside for some readings.
    """
    fade = 0.5 * (state.high - state.low) * -math.expm1(-seconds / _FADE_S)
    high, low = state.high - fade, state.low + fade
    believed = _WARY if strange else 1.0
    state.high = high + believed * max(0.0, value - high)
    state.low = low - believed * max(0.0, low - value)
