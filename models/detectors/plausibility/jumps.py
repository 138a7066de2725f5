"""A jump: held until a spike, another unit, the end of the scale and a real event can be told apart."""

from __future__ import annotations

from typing import Any

from models.compile import kernel
from models.detectors.plausibility.conversions import converted_back
from models.detectors.plausibility.drift import forget_drift, has_come_back
from models.detectors.plausibility.episode import fail, has_lasted
from models.detectors.plausibility.natures import LIVELY, UPWARD
from models.detectors.plausibility.ordinary import resume
from models.detectors.plausibility.reach import is_in_band, is_sentinel, nearness, reach_of, unit_of
from models.detectors.plausibility.record import (
    BAND,
    CLEAR,
    DROPOUT,
    ERRATIC,
    FAILED,
    FAULTY,
    HELD,
    HOLD_ROWS,
    HOLDING,
    LOOSE_ROWS,
    NO_FAULT,
    OK,
    RANGE,
    RECOVERED,
    RELEASED,
    SPIKE,
    STEADY,
    UNIT,
)


@kernel
def hold(state: Any, value: float) -> int:
    """Wait for the next row before a jump is called anything."""
    state.phase = HOLDING
    state.candidate = value
    state.told = value
    state.held = 1
    state.same = 1
    state.unit = unit_of(state, value)
    return HELD


@kernel
def hold_on(state: Any, time: int, value: float) -> int:
    """The second or third row of a jump: HELD, FAULTY, RELEASED or RECOVERED."""
    jump = state.candidate - state.level
    move = value - state.candidate
    if move == 0.0 and is_sentinel(state.nature, value):
        return fail(state, DROPOUT, time, value)
    onward = move * jump > 0.0 and abs(move) <= 10.0 * abs(jump)
    if not onward and abs(move) > max(2.0 * reach_of(state), 0.0 if state.loose else STEADY * abs(jump)):
        return stray(state, time, value)
    back = converted_back(state.unit, value)
    if state.unit and abs(back - state.level) > 2.0 * nearness(state):
        state.unit = 0
    state.same += 1 if move == 0.0 else 0
    state.candidate = value
    state.held += 1
    if state.held >= (LOOSE_ROWS if state.loose else HOLD_ROWS):
        return settle(state, time, value)
    gradual = onward and 0.3 * abs(jump) <= abs(move) <= 3.0 * abs(jump)
    if gradual and state.unit == 0 and state.fault == NO_FAULT and abs(jump) <= 3.0 * reach_of(state):
        return settle(state, time, value)
    return HELD if state.phase == HOLDING else FAULTY


@kernel
def stray(state: Any, time: int, value: float) -> int:
    """A jump followed by one that leads neither back nor on: once may be, twice is a loose contact."""
    state.unit = 0
    if state.phase == HOLDING and state.held >= HOLD_ROWS - 1:
        if is_clear(state, state.told):
            state.loose = 1
            return fail(state, ERRATIC, time, value)
        return release(state, value)
    state.candidate = value
    state.same = 1
    if state.phase == HOLDING:
        state.held += 1
        return HELD
    state.held = 1
    state.bad += 1
    state.calm = 0
    return FAULTY


@kernel
def settle(state: Any, time: int, value: float) -> int:
    """The jump has stood its time: another unit, a rail, a drift undone, or real."""
    if state.unit:
        verdict = fail(state, UNIT, time, value)
        state.level = converted_back(state.unit, value)
        return verdict
    if state.same >= HOLD_ROWS and is_rail(state, value):
        return fail(state, RANGE, time, value)
    if has_come_back(state, value):
        forget_drift(state)
        return RECOVERED
    return release(state, value)


@kernel
def release(state: Any, value: float) -> int:
    """The jump is believed; the next one like it will not be held, unless the contact is loose."""
    if not state.loose:
        state.tall = max(state.tall, 0.6 * abs(value - state.level))
    return RELEASED


@kernel
def is_rail(state: Any, value: float) -> bool:
    """Whether a value that stands exactly still after a jump is an end stop and no measurement."""
    if value == 0.0 or state.nature & LIVELY or (state.nature & UPWARD and value > state.level):
        return False
    return state.longest < 2 * state.period and not is_in_band(state, value, 1.0)


@kernel
def is_back(state: Any, value: float) -> bool:
    """Whether the value is where the channel was, or after a fault where it lately has been."""
    away = abs(value - state.level)
    if state.phase == HOLDING:
        return bool(away <= state.tall + 0.25 * state.floor)
    if away <= reach_of(state):
        return True
    return has_lasted(state) and is_in_band(state, value, BAND)


@kernel
def come_back(
    state: Any, time: int, value: float, step: int, warmup: float, memory: float, window: float
) -> int:
    """The first believable row after held or faulty ones."""
    was_long = state.phase == FAILED and has_lasted(state)
    if state.phase == HOLDING:
        tell_spike(state, time, state.told)
    elif not was_long:
        state.loose = 1
    resume(state, value, step, warmup, memory, window)
    return RECOVERED if was_long else OK


@kernel
def is_clear(state: Any, value: float) -> bool:
    """Whether a jump is so high that only the equipment can have made it, if it leads nowhere."""
    return bool(abs(value - state.level) > CLEAR * reach_of(state))


@kernel
def tell_spike(state: Any, time: int, spiked: float) -> None:
    """The held rows were a spike: a fault if it was high, else a wobble that teaches."""
    if is_sentinel(state.nature, spiked):
        fail(state, DROPOUT, time, spiked)
    elif is_clear(state, spiked) or state.fault != NO_FAULT:
        fail(state, SPIKE, time, spiked)
    else:
        state.tall = max(state.tall, 0.6 * abs(spiked - state.level))
        return
    state.bad -= 1
    state.loose = 1
    if state.fault == SPIKE and state.bad >= HOLD_ROWS:
        state.fault = ERRATIC
