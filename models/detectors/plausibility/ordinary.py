"""Ordinary rows and what they teach."""

from __future__ import annotations

from typing import Any

from models.compile import kernel
from models.detectors.plausibility.drift import follow_drift
from models.detectors.plausibility.episode import calm_down, fail
from models.detectors.plausibility.natures import LIVELY, MAY_REST, RESTS_AT_ZERO, STATE, UPWARD
from models.detectors.plausibility.reach import is_in_band, is_sentinel, reach_of
from models.detectors.plausibility.record import (
    BAND,
    CALM,
    DOUBTED,
    FAULTY,
    FEWEST,
    FEWEST_MOVES,
    FRESH_REACH,
    NANO,
    NO_FAULT,
    OK,
    PACES,
    REACH,
    RECOVERED,
    REST_FEWEST,
    REST_ROWS,
    REST_TIMES,
    STUCK,
    USUAL_GAIN,
)


@kernel
def is_jump(state: Any, value: float, change: float, gap: int) -> bool:
    """Whether a step is too high to be ordinary.

    A lively channel jumps only where it has not been; while its contact is loose, not a step beyond that.
    """
    reach, lively = reach_of(state), state.nature & LIVELY
    is_loose = lively and state.loose
    if abs(change) <= reach and not is_loose:
        return False
    if is_sentinel(state.nature, value) and abs(change) > reach:
        return True
    if state.count < FEWEST or state.moves < FEWEST_MOVES or state.nature & STATE:
        return False
    if lively and is_in_band(state, value, 0.0 if is_loose else 1.0):
        return False
    if gap > PACES * state.period:
        return not is_in_band(state, value, BAND)
    return bool(is_loose or abs(change) * state.period > reach * gap)


@kernel
def accept(
    state: Any,
    time: int,
    value: float,
    change: float,
    gap: int,
    step: int,
    warmup: float,
    memory: float,
    window: float,
) -> int:
    """Believe an ordinary row and learn it: OK, DOUBTED, RECOVERED, FAULTY when it rests for too long."""
    verdict = OK
    state.usual += USUAL_GAIN * (abs(change) - state.usual)
    if change == 0.0:
        verdict = rest(state, time, value, step, warmup)
        if verdict == FAULTY:
            return FAULTY
    else:
        if abs(change) > state.tall and gap <= PACES * state.period and not state.loose:
            state.tall = abs(change)
        end_rest(state)
        state.moves = min(state.moves + 1, FEWEST_MOVES)
    learn(state, value, step, warmup, memory, window)
    return RECOVERED if gap > PACES * state.period else verdict


@kernel
def learn(state: Any, value: float, step: int, warmup: float, memory: float, window: float) -> None:
    """What every believed row teaches: range, trust, drift; extremes fade."""
    seconds = step * NANO
    fade = seconds / memory
    state.tall -= fade * state.tall
    state.low = min(value, state.low + fade * (value - state.low))
    state.high = max(value, state.high - fade * (state.high - value))
    state.level = value
    state.count += 1
    if state.taught < warmup or state.reach == FRESH_REACH:
        state.taught += seconds
        share = min(1.0, state.taught / warmup) if warmup > 0.0 else 1.0
        state.reach = FRESH_REACH + share * (REACH - FRESH_REACH)
    follow_drift(state, value, seconds, window)
    if state.fault != NO_FAULT:
        calm_down(state)


@kernel
def rest(state: Any, time: int, value: float, step: int, warmup: float) -> int:
    """One more row that is equal to the last."""
    state.run += 1
    if state.nature & MAY_REST or (value == 0.0 and state.nature & RESTS_AT_ZERO):
        return OK
    if state.nature & UPWARD and value >= state.high:
        return OK  # the end of the scale, in a gas that fills the room
    state.still += step
    if state.run < REST_ROWS or state.count < REST_FEWEST or state.taught < warmup:
        return OK
    if 2 * state.still + state.period >= 2 * REST_TIMES * state.longest:  # clocks jitter
        state.stuck = 1
        return fail(state, STUCK, time, value)
    return DOUBTED if state.still > state.longest else OK


@kernel
def end_rest(state: Any) -> None:
    """The value moved: the rest that ends may be the longest one. One that was told teaches a little."""
    if state.still > state.longest:
        told = state.longest + (state.longest >> 1)
        state.longest = min(state.still, max(told, 2 * state.period)) if state.stuck else state.still
    state.still = 0
    state.run = 1
    state.stuck = 0


@kernel
def resume(state: Any, value: float, step: int, warmup: float, memory: float, window: float) -> None:
    """Go on from a value that is believed, however far it is from the last one."""
    state.phase = CALM
    state.held = 0
    if value != state.level:
        end_rest(state)
    learn(state, value, step, warmup, memory, window)
