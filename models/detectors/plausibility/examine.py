"""The verdict on a row."""

from __future__ import annotations

import math
from typing import Any

from models.compile import kernel
from models.detectors.plausibility.episode import fail, fail_beyond, goes_on, miss
from models.detectors.plausibility.jumps import come_back, hold, hold_on, is_back
from models.detectors.plausibility.ordinary import accept, is_jump, resume
from models.detectors.plausibility.pace import follow_pace
from models.detectors.plausibility.record import (
    BEYOND,
    CALM,
    DOUBTED,
    ERRATIC,
    FAILED,
    FAULTY,
    INVALID,
    OK,
    RANGE,
    RELEASED,
)
from models.detectors.rows import NEVER


@kernel
def examine(
    state: Any, time: int, value: float, quality: int, warmup: float, memory: float, window: float
) -> int:
    """The verdict on a row, 0..5, and everything there is to learn from it.

    `warmup`, s: how long what is learned is not trusted fully; `memory`, s: how fast extremes fade;
    `window`, s: time whose means are compared for drift. Rows with TIME_PAST or TIME_FUTURE must not come
    here; rows with INVALID, OUT_OF_RANGE or a value that is no number must: they are never believed.
    """
    if time <= state.seen:
        return DOUBTED
    first = state.seen == NEVER
    gap = time - state.seen if not first else 0
    step = follow_pace(state, gap, quality, first)
    state.seen = time
    if quality & INVALID or not math.isfinite(value):
        return miss(state, time, value)
    if state.trouble > 0:
        state.trouble -= 1
    beyond = quality & BEYOND != 0
    if state.count == 0:
        return begin(state, time, value, beyond)
    if state.phase == CALM and not beyond:
        change = value - state.level
        if not is_jump(state, value, change, gap):
            return accept(state, time, value, change, gap, step, warmup, memory, window)
        return hold(state, value)
    return doubt(state, time, value, beyond, step, warmup, memory, window)


@kernel
def begin(state: Any, time: int, value: float, beyond: bool) -> int:
    """The first value of all."""
    if beyond:
        return fail(state, RANGE, time, value)
    state.level = value
    state.low = value
    state.high = value
    state.count = 1
    state.run = 1
    state.phase = CALM
    return OK


@kernel
def doubt(
    state: Any,
    time: int,
    value: float,
    beyond: bool,
    step: int,
    warmup: float,
    memory: float,
    window: float,
) -> int:
    """A row while a jump is held or a fault lasts, or one outside what the channel can be."""
    if state.phase == FAILED and goes_on(state, value, beyond):
        state.bad += 1
        state.calm = 0
        return FAULTY
    if beyond:
        return fail_beyond(state, time, value)
    if is_back(state, value):
        return come_back(state, time, value, step, warmup, memory, window)
    if state.phase == FAILED and state.fault != ERRATIC:
        return hold(state, value)
    verdict = hold_on(state, time, value)
    if verdict >= RELEASED:
        resume(state, value, step, warmup, memory, window)
    return verdict
