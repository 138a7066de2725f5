"""Usual duration's kernels: when a state began, how long it lasts, and how long it usually does.

Durations spread over decades, so they are compared by their logarithms: how far beyond the usual one, begun
at such a time of day, in usual distances.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.held import whole_second
from models.detectors.learned import NANO
from models.detectors.rows import (
    CLOCK_UNTRUSTED,
    EXTRAPOLATED,
    JUDGED,
    NEVER,
    RUN,
    SECOND,
    SUSPECT,
    WARMING,
    clear,
    slot_of,
)
from models.detectors.surprise import RECORD_S, SKETCH, beyond_record, bin_of, learn_distance, surprise_of
from models.readings import Bytes, Floats

HOURS = 8  # spans of three hours a day
_SPAN_NS = 86400 * SECOND // HOURS
_LONGEST = 30 * 86400 * SECOND
_REMEMBERED = 1000.0  # durations of a state the tail is read from
_OF_LATE = 100.0  # durations the usual one is averaged over
_ELSEWHEN = 0.5  # what the whole day shows weighs as so much of a duration at every time of day
_FEWEST = 2.0  # durations begun at such a time, before another tells how far from them they usually are
_CLIP = 5.0  # an odd duration counts as at most so many usual distances away
_NARROWEST = 0.05  # durations are taken for no more alike than to a twentieth
_SHORTEST_S = 1e-3
_BEYOND = 1.25  # a duration so many times as long as any of the last month is no mere record
_GROWS = 2.0  # one duration makes the longest at most so many times as long: it may be the hazard
_CAP = 9.9
_GROWTH_SHIFT = 6  # `advance` looks again when a 64th more has passed
_WORTH_TELLING = 0.1  # and tells a score that has risen by so much

RECORD: list[Any] = [
    ("state", "i8"),  # 1 on, 0 off
    ("since", "i8"),  # the state began
    ("last", "i8"),
    ("other", "i8"),  # the other state began, which has not lasted long enough yet
    ("seen", "i8"),  # whether that was seen under a clock that could be trusted
    ("due", "i8"),  # when to look again though no reading comes
    ("advanced", "i8"),
    ("whole", "i8"),  # whether the beginning was seen, under a clock that could be trusted
    ("span", "i8"),  # of the day, in which it began
    ("centre", "f8"),  # log of the usual seconds of a state begun so; NaN: not known
    ("reach", "f8"),  # and how far from it durations usually are
    ("taught", "f8"),
    ("told", "f8"),  # score last given
    ("usual", "f8", (2,)),  # log of the usual seconds of each state, over the whole day
    ("count", "f8", (2,)),
    ("width", "f8", (2,)),  # how far from it durations usually are
    ("longest", "f8", (2,)),  # seconds of the longest of late
    ("usual_at", "f4", (2 * HOURS,)),  # the same by the time of day at which it began
    ("width_at", "f4", (2 * HOURS,)),
    ("count_at", "f4", (2 * HOURS,)),
    ("sketch", np.dtype(SKETCH), (2,)),
]
TIMES = ("since", "last", "other", "due", "advanced")

# Above, shortest in ns, offset in ns, warm-up, watched states as bits, least in s.
Given = tuple[float, int, int, float, int, float]


@kernel
def begin_state(state: Any, which: int, time: int, whole: bool, offset: int) -> None:
    """The channel is in the state `which` since `time`."""
    state.state, state.since, state.whole = which, time, 1 if whole else 0
    state.other, state.told = NEVER, 0.0
    state.span = (time + offset) // _SPAN_NS % HOURS
    place = which * HOURS + state.span
    count = np.float64(state.count_at[place])
    state.centre = np.nan
    state.due = NEVER
    if state.count[which] > 0.0:
        total = count + _ELSEWHEN
        state.centre = (count * state.usual_at[place] + _ELSEWHEN * state.usual[which]) / total
        reach = (count * state.width_at[place] + _ELSEWHEN * state.width[which]) / total
        state.reach = max(_NARROWEST, reach)
        state.due = time + max(SECOND, int(min(math.exp(state.centre) * SECOND, np.float64(_LONGEST))))


@kernel
def end_state(state: Any, sketches: NDArray[Any], time: int) -> None:
    """The state is over at `time`: learn how long it has lasted, if its beginning was seen."""
    if state.whole == 0:
        return
    which = state.state
    place = which * HOURS + state.span
    seconds = max(_SHORTEST_S, (time - state.since) * NANO)
    remember_longest(state, which, seconds)
    length = math.log(seconds)
    if state.count_at[place] >= _FEWEST:
        centre, reach, known = state.centre, state.reach, np.float64(state.width_at[place])
        learn_distance(sketches[which], bin_of(max(0.0, length - centre) / reach), 1.0, _REMEMBERED)
        length = max(centre - _CLIP * reach, min(centre + _CLIP * reach, length))
        missed = abs(length - centre)
        state.width_at[place] = known + (missed - known) / state.count_at[place] if known > 0.0 else missed
    state.count_at[place] = min(_OF_LATE, state.count_at[place] + 1.0)
    if state.count[which] > 0.0:
        missed = abs(length - state.usual[which])
        state.width[which] += (missed - state.width[which]) / state.count[which]
    state.count[which] = min(_OF_LATE, state.count[which] + 1.0)
    state.usual[which] += (length - state.usual[which]) / state.count[which]
    state.usual_at[place] += (length - state.usual_at[place]) / state.count_at[place]


@kernel
def remember_longest(state: Any, which: int, seconds: float) -> None:
    """Let the longest durations fade, and lengthen that of the state that has lasted `seconds`."""
    fade = math.exp(-seconds / RECORD_S)
    state.longest[0] *= fade
    state.longest[1] *= fade
    longest = state.longest[which]
    if seconds > longest:
        state.longest[which] = min(seconds, _GROWS * longest) if longest > 0.0 else seconds


@kernel
def is_warm(state: Any, sketches: NDArray[Any], warmup: float) -> bool:
    """Whether enough durations of the present state are known to judge it."""
    return bool(state.taught >= warmup and sketches[state.state].known > 0.0 and not math.isnan(state.centre))


@kernel
def judge_state(state: Any, sketches: NDArray[Any], time: int, given: Given) -> float:
    """Surprise that the present state still lasts at `time`; 0 where not watched, known or long enough."""
    which = state.state
    if not is_warm(state, sketches, given[3]) or not given[4] >> which & 1:
        return 0.0
    seconds = max(_SHORTEST_S, (time - state.since) * NANO)
    if seconds < given[5]:
        return 0.0
    distance = max(0.0, math.log(seconds) - state.centre) / state.reach
    surprise = surprise_of(sketches[which], distance, bin_of(distance))
    record = _BEYOND * state.longest[which]
    if seconds > record > 0.0:
        surprise += beyond_record(seconds, record)
    return float(min(_CAP, surprise))


@kernel
def hear(state: Any, sketches: NDArray[Any], time: int, on: bool, trusted: bool, given: Given) -> bool:
    """Follow the state; returns whether it has changed. One that does not last long enough is no change."""
    which = 1 if on else 0
    if which == state.state:
        state.other = NEVER
        return False
    if state.other == NEVER:
        state.other, state.seen = time, 1 if trusted else 0
    if time - state.other < given[1]:
        return False
    change(state, sketches, time, given[2])
    return True


@kernel
def change(state: Any, sketches: NDArray[Any], time: int, offset: int) -> None:
    """The other state has lasted long enough by `time`: it is the state, since it began."""
    since, seen = state.other, state.seen != 0
    if not seen:
        state.whole = 0
    end_state(state, sketches, since)
    begin_state(state, 1 - state.state, since, seen, offset)
    if state.due != NEVER:
        state.due = max(state.due, time)


@kernel
def score_usual_duration(
    states: NDArray[Any],
    sketches: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    given: Given,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise that the state has lasted until the row. Suspect and late rows change nothing."""
    above, _, offset, warmup, watched, _ = given
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            continue
        state, sketch = states[slot], sketches[slot]
        on, trusted = value[row] > above, not quality[row] & CLOCK_UNTRUSTED
        flags[row] = JUDGED | WARMING
        if state.last == NEVER:
            if not quality[row] & SUSPECT:
                begin_state(state, 1 if on else 0, time[row], False, offset)
                state.last = time[row]
            continue
        changed = False
        if not quality[row] & SUSPECT and time[row] > state.last:
            state.taught += min(_LONGEST, time[row] - state.last) * NANO
            state.last = time[row]
            changed = hear(state, sketch, time[row], on, trusted, given)
            if state.other == NEVER:
                state.told = judge_state(state, sketch, time[row], given)
        out[0, row] = state.told
        out[4, row] = (time[row] - state.since) * NANO
        warm = is_warm(state, sketch, warmup)
        flags[row] = JUDGED if warm else JUDGED | WARMING
        if warm and state.told > sketch[state.state].known:
            flags[row] |= EXTRAPOLATED
        if watched >> state.state & 1 and not changed:
            flags[row] |= RUN


@kernel
def tell_end(state: Any, sketches: NDArray[Any], time: int, given: Given) -> int:
    """The second by which the other state has lasted long enough, where that is by `time`; else NEVER.

    No reading is needed for it: the last one stands.
    """
    if state.other == NEVER or time < state.other + given[1]:
        return NEVER
    second = whole_second(state.other + given[1], state.advanced)
    if second > time:
        return NEVER
    change(state, sketches, second, given[2])
    return second


@kernel
def advance_usual_duration(
    states: NDArray[Any],
    sketches: NDArray[Any],
    time: int,
    given: Given,
    slot: NDArray[np.int64],
    at: NDArray[np.int64],
    out: Floats,
) -> int:
    """Tell where a score has risen, or fallen because the state is over, by `time`; returns how many.

    It stops where `slot`, `at` and `out` are nearly full, to be called again.
    """
    found = 0
    for place in range(states.shape[0]):
        state, sketch = states[place], sketches[place]
        if state.last == NEVER or time <= state.advanced:
            continue
        if found >= slot.shape[0] - 1:
            return found
        told = state.told
        ended = tell_end(state, sketch, time, given)
        if ended != NEVER and told > 0.0:
            found = tell(out, slot, at, found, place, ended, 0.0, (ended - state.since) * NANO)
        while state.due != NEVER and state.other == NEVER:
            second = whole_second(state.due, state.advanced)
            if second > time:
                break
            if found >= slot.shape[0] - 1:
                return found
            score = judge_state(state, sketch, second, given)
            passed = state.due - state.since
            state.due += max(SECOND, passed >> _GROWTH_SHIFT)
            if score >= state.told + _WORTH_TELLING:
                state.told = score
                found = tell(out, slot, at, found, place, second, score, (second - state.since) * NANO)
        state.advanced = time
    return found


@kernel
def tell(
    out: Floats,
    slot: NDArray[np.int64],
    at: NDArray[np.int64],
    found: int,
    place: int,
    second: int,
    score: float,
    detail: float,
) -> int:
    """Write a judgement; returns how many there are now."""
    slot[found], at[found] = place, second
    out[:, found] = np.nan
    out[0, found] = score
    out[4, found] = detail
    return found + 1
