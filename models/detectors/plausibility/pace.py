"""How often a channel speaks, and when it is silent."""

from __future__ import annotations

from typing import Any

from models.compile import kernel
from models.detectors.plausibility.record import NO_FAULT, PACES, SILENT
from models.detectors.rows import HISTORIC


@kernel
def is_regular(state: Any) -> bool:
    """Whether rows come at a steady pace: between two that lie far apart some are missing."""
    return bool(state.jitter * 4 <= state.period)


@kernel
def silent_after(state: Any, unknown: int) -> int:
    """ns without a row after which the channel is silent; `unknown` while its pace is not known yet.

    Two and a half usual intervals where it is regular; where it is not, three of the longest ordinary gap.
    """
    if state.live < PACES:
        return unknown
    gap = state.gap + (state.gap >> 1) if is_regular(state) else state.gap * 3
    return int(max(gap, state.period * 5 >> 1))


@kernel
def fall_silent(state: Any, at: int, seconds: float) -> None:
    """Note the fault that only time can tell: at `at` nothing had come for `seconds`."""
    if state.fault == NO_FAULT:
        state.since = at
    state.fault = SILENT
    state.told = seconds
    state.calm = 0


@kernel
def follow_pace(state: Any, gap: int, quality: int, first: bool) -> int:
    """Learn how often the channel speaks; returns the ns this row stands for."""
    if first:
        return 0
    if state.period == 0:
        state.period = gap
    step = min(gap, PACES * state.period)
    if not quality & HISTORIC:
        if state.live > 0:  # between imported history and the first live row lies no gap of the channel's
            limit = silent_after(state, gap)
            # A silence that was told teaches a little: a channel that is often quiet is not told for ever.
            state.gap = max(state.gap - (state.gap - state.period >> 12), min(gap, limit))
        state.live += 1
    off = step - state.period
    state.jitter += (min(abs(off), state.period) - state.jitter) >> 4
    state.period += max(-(state.period >> 2), min(state.period >> 2, off)) >> 2
    return int(step)
