"""Season's kernels: level, damped slope and three kinds of day, moved by one channel's readings.

The record's fields are in `PRESENT` and `PATTERN`. A place is a half hour of a kind of day, see `calendar`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import inner, kernel
from models.detectors.calendar import CLASSES, HALF_HOUR_NS, HALF_HOURS, lender, place_of
from models.detectors.learned import CLIP, NANO, learn_level, step_of
from models.detectors.passes import leave_out, trace
from models.detectors.rows import CLOCK_UNTRUSTED, JUDGED, NEVER, SUSPECT, WARMING, slot_of
from models.readings import Bytes, Floats, Int64s

PLACES = CLASSES * HALF_HOURS
VISIT_S = 1800.0
_PER_VISIT = 1.0 / HALF_HOUR_NS
_CALMEST = 0.25  # a half hour counts as at most four times calmer than the channel lately is
_DOUBT = 2.0  # a half hour's usual distance is taken for so many visits to be that of all
_STRANGE = 8.0  # so many usual distances away ...
_PATIENCE_S = (
    900.0  # ... for longer than this, and so many readings, is not learned: it may be the hazard ...
)
_PATIENCE_READINGS = 3.0
_GIVEN_UP_S = 86400.0  # ... and after this it is how the channel now is
_FARTHEST = 1e18  # single precision holds it
_ALIKE_SHIFT = 6  # steps that differ by less than a 64th share one damping: clocks jitter

PRESENT: list[Any] = [
    ("slope", "f8"),  # of the level, a second
    ("damping", "f8"),  # exp(-step / time constant)
    ("damped", "i8"),  # ns, the step `damping` was worked out for
    ("strange", "f8"),  # seconds the channel has been far away without a break
    ("anchor", "f8"),  # season and level are relative to the first value
    ("visit", "i8"),  # half hours since 1970, local time, of the present visit
    ("place", "i8"),
    ("visit_weight", "f8"),  # seconds learned in it
    ("visit_sum", "f8"),
    ("visit_distance", "f8"),
    # The season about the present visit, as `around` gives it.
    ("before", "f8"),
    ("here", "f8"),
    ("after", "f8"),
    ("calm", "f8"),
    ("own", "i8"),  # whether this kind of day knows the half hour itself
]
PATTERN: list[Any] = [
    ("season", "f4", (PLACES,)),
    ("usual", "f4", (PLACES,)),  # usual distance from the expected
    ("visits", "f4", (PLACES,)),  # full visits remembered
]


@kernel
def fold(state: Any, days: float) -> None:
    """Close the present visit: what it held becomes part of its kind of day. One odd day moves it little."""
    if state.visit_weight > 0.0:
        place = state.place
        share = min(1.0, state.visit_weight / VISIT_S)
        expected = state.visits[place] > 0.0
        old = state.visits[place] >= 2.0
        state.visits[place] = min(days, state.visits[place] + share)
        gain = share / state.visits[place]
        change = state.visit_sum / state.visit_weight - state.season[place]
        if old:
            bound = CLIP * max(np.float64(state.usual[place]), _CALMEST * state.scale)
            change = max(-bound, min(bound, change))
        state.season[place] += gain * change
        if expected:
            distance = state.visit_distance / state.visit_weight
            known = np.float64(state.usual[place])
            state.usual[place] = distance if known == 0.0 else known + gain * (distance - known)
    state.visit_weight = 0.0
    state.visit_sum = 0.0
    state.visit_distance = 0.0


@kernel
def reach_of(state: Any, place: int) -> float:
    """How far, on the average, the half hours of this kind of day lie from their mean."""
    begin = place // HALF_HOURS * HALF_HOURS
    total, count = 0.0, 0
    for other in range(begin, begin + HALF_HOURS):
        if state.visits[other] > 0.0:
            total += state.season[other]
            count += 1
    mean, distance = total / count, 0.0
    for other in range(begin, begin + HALF_HOURS):
        if state.visits[other] > 0.0:
            distance += abs(state.season[other] - mean)
    return distance / count


@kernel
def around(
    state: Any, visit: int, place: int, off: Int64s, worked: Int64s
) -> tuple[float, float, float, float, bool]:
    """Season of the half hour before, this one and the next, this one's usual distance, whether it is own.

    What is not known of this kind of day is borrowed. The season is NaN where no kind of day knows this half
    hour, and this one's where a neighbour is not known. The usual distance is 0 while it is not known, and
    leans on that of all half hours while visits are few; on a borrowed half hour the reach of the whole day
    counts as usual.
    """
    asked = lender(state.visits, place)
    if asked < 0:
        return np.nan, np.nan, np.nan, 0.0, False
    here = np.float64(state.season[asked])
    last = lender(state.visits, place_of(visit - 1, off, worked))
    next_ = lender(state.visits, place_of(visit + 1, off, worked))
    before = np.float64(state.season[last]) if last >= 0 else here
    after = np.float64(state.season[next_]) if next_ >= 0 else here
    seen, calm = np.float64(state.visits[asked]), 0.0
    if seen >= 2.0:
        calm = (seen * state.usual[asked] + _DOUBT * state.scale) / (seen + _DOUBT)
    if asked != place:
        calm = max(calm, state.scale, reach_of(state, asked))
    return before, here, after, calm, asked == place


@kernel
def enter(state: Any, visit: int, off: Int64s, worked: Int64s) -> None:
    """Begin a visit; the season does not change until it is folded."""
    state.visit = visit
    state.place = place_of(visit, off, worked)
    known = around(state, visit, state.place, off, worked)
    state.before, state.here, state.after, state.calm, state.own = known


@kernel
def left_of_slope(state: Any, since: int, damping: float) -> float:
    """How much of the slope is left after `since` ns; the last answer stands for steps that hardly differ."""
    if abs(since - state.damped) <= since >> _ALIKE_SHIFT:
        return float(state.damping)
    return math.exp(-since * NANO / damping)


@kernel
def slide(state: Any, level: float, left: float, since: int) -> None:
    """The level goes where its slope took it, and the slope dies away."""
    state.mean = level
    state.slope *= left
    if left != state.damping:
        state.damping = left
        state.damped = since


@kernel
def learn_slope(state: Any, residual: float, scale: float, since: int, left: float, settled: bool) -> None:
    """Move the slope towards the reading (Holt 1957), four times faster than it dies away.

    It has moved the level by `state.rate` of the residual within `since` ns; an outlier counts for little.
    """
    bound = CLIP * scale if settled else np.inf
    bounded = max(-bound, min(bound, residual))
    square = left * left
    state.slope += (1.0 - square * square) * state.rate * bounded / (since * NANO)


@kernel
def is_taught(state: Any, residual: float, scale: float, seconds: float) -> bool:
    """Whether the reading may teach: not when the channel has been far away for long, nor yet very long."""
    state.strange = state.strange + seconds if abs(residual) > _STRANGE * scale else 0.0
    patience = max(_PATIENCE_S, _PATIENCE_READINGS * seconds)
    return bool(state.strange <= patience or state.strange > _GIVEN_UP_S)


@inner
def season_at(state: Any, local: int, visit: int, off: Int64s, worked: Int64s) -> tuple[float, float, bool]:
    """Season at the local time, drawn towards the nearer neighbour; its usual distance, whether it is own."""
    before, here, after, calm = state.before, state.here, state.after, state.calm
    own = state.own != 0
    if visit != state.visit:
        place = place_of(visit, off, worked)
        before, here, after, calm, own = around(state, visit, place, off, worked)
    phase = (local - visit * HALF_HOUR_NS) * _PER_VISIT
    return here + abs(phase - 0.5) * ((after if phase >= 0.5 else before) - here), calm, own


@inner
def learn_season(
    state: Any,
    x: float,
    residual: float,
    scale: float,
    own: bool,
    step: int,
    since: int,
    left: float,
    tau: float,
    damping: float,
    settled: bool,
) -> bool:
    """Level, slope and present visit learn the reading; False where it is too strange to be learned.

    What is judged by a borrowed half hour moves no level: how it differs is what the season has to learn.
    """
    seconds = step * NANO
    known = not np.isnan(residual)
    if known and settled and not is_taught(state, residual, scale, seconds):
        return False
    if known and own:
        state.visit_distance += seconds * abs(residual)
        learn_level(state, residual, scale, step, seconds, max(tau, 60.0), settled)
        if tau <= 0.0:
            state.mean = 0.0
        elif damping > 0.0:
            learn_slope(state, residual, scale, since, left, settled)
    state.visit_weight += seconds
    state.visit_sum += seconds * (x - state.mean)
    return True


@inner
def follow_season(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    offset: int,
    off: Int64s,
    worked: Int64s,
    days: float,
    tau: float,
    damping: float,
    warmup: float,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> None:
    """First pass: residuals from season + level + slope, and all three moved by the rows."""
    for row in range(np.uint64(begin), np.uint64(end)):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            leave_out(out, flags, row, 0)
            continue
        state = states[slot]
        local = time[row] + offset
        visit = local // HALF_HOUR_NS
        if quality[row] & CLOCK_UNTRUSTED or state.last == NEVER:
            leave_out(out, flags, row, JUDGED | WARMING)
            if not quality[row] & (SUSPECT | CLOCK_UNTRUSTED):
                state.anchor = value[row]
                state.last = time[row]
                enter(state, visit, off, worked)
            continue
        learns = not quality[row] & SUSPECT and time[row] > state.last
        if learns and visit != state.visit:
            fold(state, days)
            enter(state, visit, off, worked)
        season, calm, own = season_at(state, local, visit, off, worked)
        since = max(0, time[row] - state.last)
        growth, left = 0.0, 1.0
        if damping > 0.0:
            left = left_of_slope(state, since, damping)
            growth = state.slope * damping * (1.0 - left)
        x = max(-_FARTHEST, min(_FARTHEST, value[row] - state.anchor))
        level, taught = state.mean + growth, state.taught
        residual = x - season - level
        scale = max(calm if calm > 0.0 else state.scale, _CALMEST * state.scale, np.float64(state.floor))
        warm = taught >= warmup and not np.isnan(season)
        trace(out, flags, row, state.anchor + season + level, scale, residual, warm)
        if not learns:
            continue
        step = step_of(state, time[row])
        if damping > 0.0:
            slide(state, level, left, since)
        settled = taught >= 0.5 * warmup
        if learn_season(state, x, residual, scale, own, step, since, left, tau, damping, settled):
            out[0, row] = step * NANO if settled and own and calm > 0.0 else 0.0
        state.taught = taught + step * NANO
        state.last = time[row]
