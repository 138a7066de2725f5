"""Counts' kernels: time counted in part by part, events taken from readings, windows judged.

A window is twelve parts; the eleven closed ones and the open one are judged together. What is usual is
learned where a part ends, so it depends on no reading's moment.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.calendar import HALF_HOUR_NS
from models.detectors.count_tail import distance_of
from models.detectors.counts_record import CLOSED, close_part, enter, fold, window_of
from models.detectors.learned import NANO, step_of
from models.detectors.rows import (
    CLOCK_UNTRUSTED,
    EXTRAPOLATED,
    JUDGED,
    NEVER,
    SECOND,
    SUSPECT,
    WARMING,
    clear,
    slot_of,
)
from models.detectors.surprise import bin_of, learn_distance, surprise_of
from models.readings import Bytes, Floats, Int64s

EACH, TOTAL, ON = range(3)  # what a reading is
_MOST = 1e9  # events in one reading
_LONGEST = 30 * 86400 * SECOND
_PER_DECADE = 1.0 / math.log(10.0)
_COVERED = 0.5  # a window of which less was counted in is not judged
# So far away for longer than this is not learned: it may be the hazard. After a day it is how things are now.
_STRANGE = 12.0
_PATIENCE_S = 900.0
_GIVEN_UP_S = 86400.0
_WORTH_TELLING = 0.1  # `advance` tells a score that has changed by so much
_EVENT_BITS = 1 << 31
_STEPS = 256.0  # expected events are told in such steps

# Calendar and clock: offset, part, days off, days worked, days remembered.
Day = tuple[int, int, Int64s, Int64s, float]
# Warm-up, window, memory, sign.
Judging = tuple[float, float, float, int]


@kernel
def events_of(state: Any, value: float, mode: int, above: float, wrap: float) -> float:
    """Events a reading stands for. A total that falls to less than half has begun anew, or wrapped round."""
    if mode == EACH:
        return float(max(0.0, min(_MOST, value)))
    if mode == ON:
        return 1.0 if value > above >= state.value else 0.0
    more = value - state.value
    if more < 0.0:
        if wrap > 0.0 and 0.0 <= more + wrap <= 0.5 * wrap:
            more += wrap
        else:
            more = value if value < 0.5 * state.value else 0.0
    return float(max(0.0, min(_MOST, more)))


@kernel
def judge_window(state: Any, judging: Judging) -> tuple[float, float, float, float]:
    """Score, signed distance, events and events expected of the window that ends now.

    What is rarer than anything seen is as rare as the distribution says: calm nights show no distance at all,
    and a tail fitted to them would call a single event impossible.
    """
    warmup, window, _, sign = judging
    seconds, events, expected, unsure = window_of(state)
    if seconds < _COVERED * window or expected <= 0.0:
        return 0.0, 0.0, events, expected
    doubt = unsure / expected
    signed = distance_of(events, expected, state.dispersion + doubt * doubt)
    distance = abs(signed) if sign == 0 else max(0.0, signed * sign)
    if state.taught < warmup or state.known <= 0.0:
        return 0.0, signed if distance > 0.0 else 0.0, events, expected
    score = surprise_of(state, distance, bin_of(distance))
    score = min(score, max(np.float64(state.known), _PER_DECADE * distance))
    return score, signed if distance > 0.0 else 0.0, events, expected


@kernel
def learn_window(state: Any, distance: float, judging: Judging) -> None:
    """A part has ended: learn how far off windows usually are. A borrowed half hour shows nothing usual."""
    warmup, _, memory, _ = judging
    seconds = state.seconds
    state.strange = state.strange + seconds if distance > _STRANGE else 0.0
    learns = state.strange <= max(_PATIENCE_S, seconds) or state.strange > _GIVEN_UP_S
    if seconds > 0.0 and state.own != 0 and learns and state.taught >= 0.5 * warmup:
        learn_distance(state, bin_of(distance), seconds, memory)


@kernel
def stop_at(state: Any, day: Day) -> int:
    """Where the open part or the present half hour ends, whichever is first."""
    offset, length = day[0], day[1]
    return int(min((state.part + 1) * length, (state.visit + 1) * HALF_HOUR_NS) - offset)


@kernel
def count_in(state: Any, end: int, day: Day, judging: Judging) -> tuple[float, float, float, float]:
    """Count in the time until `end`; parts and half hours that end are closed.

    Returns what `judge_window` said where the last part ended; a score of -1 where none did.
    """
    offset, length, off, worked, days = day
    judged = (-1.0, 0.0, 0.0, 0.0)
    while True:
        stop = max(state.to, min(end, stop_at(state, day)))
        seconds = (stop - state.to) * NANO
        state.taught += seconds
        state.seconds += seconds
        state.expected += seconds * state.rate
        state.unsure += seconds * state.doubt
        state.visit_seconds += seconds
        state.visit_expected += seconds * state.rate
        state.to = stop
        if stop + offset >= (state.part + 1) * length:
            judged = judge_window(state, judging)
            learn_window(state, abs(judged[1]), judging)
            close_part(state, (stop + offset) // length)
        if stop + offset >= (state.visit + 1) * HALF_HOUR_NS:
            fold(state, days)
            enter(state, (stop + offset) // HALF_HOUR_NS, off, worked)
        if state.to >= end:
            return judged


@kernel
def leave_out_until(state: Any, time: int, day: Day) -> None:
    """Time about which nothing is known: it is neither counted in nor learned."""
    offset, length, off, worked, days = day
    part, visit = (time + offset) // length, (time + offset) // HALF_HOUR_NS
    for _ in range(min(CLOSED + 1, part - state.part)):
        close_part(state, part)
    state.part = part
    if visit != state.visit:
        fold(state, days)
        enter(state, visit, off, worked)
    state.to = time


@kernel
def begin(state: Any, time: int, value: float, day: Day) -> None:
    """The first reading: nothing is known of the time before it."""
    offset, length, off, worked, _ = day
    state.last, state.to, state.value = time, time, value
    state.part = (time + offset) // length
    enter(state, (time + offset) // HALF_HOUR_NS, off, worked)


@kernel
def packed(events: float, expected: float, signed: float) -> float:
    """Both counts in one number, below 0 for too few: what the reason is told from."""
    whole = min(events, 1e6) // 1.0 * _EVENT_BITS + min(expected * _STEPS, _EVENT_BITS - 1.0) // 1.0
    return -whole if signed < 0.0 else whole


def unpacked(detail: float) -> tuple[int, float, bool]:
    """Events, events expected, and whether they were too few; 0 each where nothing was told.

    >>> unpacked(packed(3.0, 7.25, -1.0))
    (3, 7.25, True)
    """
    whole = int(abs(detail)) if math.isfinite(detail) else 0
    return whole // _EVENT_BITS, whole % _EVENT_BITS / _STEPS, detail < 0.0


@kernel
def score_counts(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    mode: int,
    above: float,
    wrap: float,
    speaks: bool,
    day: Day,
    judging: Judging,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the window that ends with the row. Suspect and late rows change nothing.

    `speaks`: the device speaks only when something happens, so that silence counts as time without events;
    else a silence is left out, with the events that may have come in it.
    """
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            continue
        state = states[slot]
        flags[row] = JUDGED | WARMING
        if quality[row] & (SUSPECT | CLOCK_UNTRUSTED) or time[row] <= state.last:
            if state.taught >= judging[0] and state.known > 0.0:
                flags[row] = JUDGED
                out[0, row] = state.told
            continue
        if state.last == NEVER:
            begin(state, time[row], value[row], day)
            continue
        since = time[row] - state.last
        step = min(since, _LONGEST) if speaks else step_of(state, time[row])
        if step < since and time[row] - step > state.to:
            leave_out_until(state, time[row] - step, day)
        count_in(state, time[row], day, judging)
        if step == since or mode == ON:
            events = events_of(state, value[row], mode, above, wrap)
            state.events += events
            state.visit_events += events
        state.last, state.value = time[row], value[row]
        score, signed, events, expected = judge_window(state, judging)
        state.told = score
        out[0, row] = score
        if signed != 0.0:
            out[4, row] = packed(events, expected, signed)
        if state.taught >= judging[0] and state.known > 0.0:
            flags[row] = JUDGED | EXTRAPOLATED if score > state.known else JUDGED


@kernel
def advance_counts(
    states: NDArray[Any],
    time: int,
    day: Day,
    judging: Judging,
    slot: NDArray[np.int64],
    at: NDArray[np.int64],
    out: Floats,
) -> int:
    """Count in the parts that end by `time` and tell scores that changed; returns how many.

    It stops where `slot`, `at` and `out` are full, to be called again.
    """
    found = 0
    for place in range(states.shape[0]):
        state = states[place]
        if state.last == NEVER or time <= state.advanced:
            continue
        stop = stop_at(state, day)
        while stop <= time and stop - state.last <= _LONGEST:
            if found == slot.shape[0]:
                return found
            score, signed, events, expected = count_in(state, stop, day, judging)
            if score >= 0.0 and (abs(score - state.told) >= _WORTH_TELLING or score == 0.0 < state.told):
                state.told = score
                slot[found], at[found] = place, stop
                out[:, found] = np.nan
                out[0, found] = score
                out[4, found] = packed(events, expected, signed)
                found += 1
            stop = stop_at(state, day)
        state.advanced = time
    return found
