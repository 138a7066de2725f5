"""An episode of a fault: how it begins, which rows it explains, when it is over."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compile import kernel
from models.detectors.plausibility.conversions import converted_back
from models.detectors.plausibility.reach import is_in_band, is_sentinel, reach_of, unit_of
from models.detectors.plausibility.record import (
    CALM_ROWS,
    DROPOUT,
    ERRATIC,
    FAILED,
    FAULTY,
    FEWEST,
    HELD,
    LOOSE_TIMES,
    MISSING,
    MISSING_LIMIT,
    NO_FAULT,
    PACES,
    RANGE,
    STUCK,
    UNIT,
)


@kernel
def fail(state: Any, code: int, time: int, value: float) -> int:
    """Enter a fault; one that follows another within the episode goes on with it."""
    if state.fault == NO_FAULT:
        state.since = time
        state.bad = 0
    if state.phase != FAILED:
        state.failed = time
    state.fault = code
    state.told = value
    state.bad += 1 + state.held
    state.phase = FAILED
    state.candidate = value
    state.held = 0
    state.same = 1
    state.calm = 0
    return FAULTY


@kernel
def fail_beyond(state: Any, time: int, value: float) -> int:
    """A value the channel cannot have: a sentinel, another unit, or simply out of range."""
    if is_sentinel(state.nature, value):
        return fail(state, DROPOUT, time, value)
    number = unit_of(state, value) if state.count >= FEWEST else 0
    if number == 0:
        return fail(state, RANGE, time, value)
    state.unit = number
    verdict = fail(state, UNIT, time, value)
    state.level = converted_back(number, value)
    return verdict


@kernel
def miss(state: Any, time: int, value: float) -> int:
    """A row without a number: once is nothing, three times in a row is a fault, every other time soon is."""
    state.trouble = min(state.trouble + MISSING, 2 * MISSING_LIMIT)
    if state.phase == FAILED:
        state.bad += 1
        state.calm = 0
        return FAULTY
    if state.trouble >= MISSING_LIMIT:
        return fail(state, DROPOUT, time, np.nan)
    return HELD


@kernel
def goes_on(state: Any, value: float, beyond: bool) -> bool:
    """Whether the present fault explains this row too."""
    if state.fault == UNIT:
        back = converted_back(state.unit, value)
        # A fire taken for Fahrenheit would leave the usual range in the right unit too.
        if abs(back - state.level) > 2.0 * reach_of(state) or not is_in_band(state, back, 1.0):
            return False
        state.level = back
        return True
    if state.fault == STUCK:
        return bool(value == state.level) and not beyond
    if state.fault == RANGE and beyond:
        return True
    return bool(value == state.candidate) and state.fault != ERRATIC


@kernel
def has_lasted(state: Any) -> bool:
    """Whether the fault has lasted so long that the quantity may have gone elsewhere meanwhile."""
    return bool(state.seen - state.failed > PACES * state.period)


@kernel
def calm_down(state: Any) -> None:
    """Count believed rows after a fault; enough of them end the episode, which teaches a little tolerance.

    A contact that was loose often is given longer: between two jumps it may be calm for a while.
    """
    state.calm += 1
    times = min(max(1, state.bad), LOOSE_TIMES) if state.loose else 1
    if state.calm >= CALM_ROWS * times:
        if state.loose:
            state.tall *= 1.25
        state.loose = 0
        state.fault = NO_FAULT
        state.bad = 0
