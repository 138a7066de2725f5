"""Time of day: unlike what this channel does at this hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import inner, kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait
from models.detectors.learned import (
    CLIP,
    LEVEL,
    NANO,
    LearnedParameters,
    begin_learned,
    learn_level,
    step_of,
    unexpected,
)
from models.detectors.parameters import parameter, utc_offset
from models.detectors.passes import STRETCH, divide, draw, judge_rows, leave_out, place, trace
from models.detectors.rows import CLOCK_UNTRUSTED, JUDGED, NEVER, SECOND, SUSPECT, WARMING, slot_of
from models.detectors.surprise import SKETCH
from models.readings import Bytes, Floats

BUCKETS = 48
_VISIT_S = 86400 // BUCKETS
_PER_VISIT = 1.0 / (_VISIT_S * SECOND)
_CALMEST = 0.25  # an hour counts as at most four times calmer than the channel lately is


class TimeOfDayParameters(LearnedParameters):
    """A day of half hours, learned from the channel's own days, and a level that follows slower weather."""

    warmup_s: float = parameter(
        3 * 86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=86400,
        le=90 * 86400,
        text="Time of readings to learn from before anything is scored; at least one day.",
        text_zh="开始评分前需要学习的读数时长；至少一天。",
    )
    utc_offset_s: int = utc_offset()
    days: float = parameter(
        14.0,
        title="Days remembered",
        zh="记忆天数",
        unit="d",
        ge=1,
        le=366,
        text="How many days the pattern of the day is averaged over.",
        text_zh="日内规律取多少天的平均。",
    )
    level_tau_s: float = parameter(
        14400.0,
        title="Level's time constant",
        zh="水平时间常数",
        unit="s",
        ge=0,
        le=30 * 86400,
        text="How fast the level follows days that are higher or lower as a whole; 0: not at all.",
        text_zh="整体偏高或偏低的日子里水平跟随的快慢；0 表示不跟随。",
    )


VISIT: list[Any] = [
    ("anchor", "f8"),  # the season is stored relative to the first value
    ("visit", "i8"),  # half hours since 1970, local time, of the present visit
    ("visit_weight", "f8"),  # seconds learned in it
    ("visit_sum", "f8"),
    ("visit_distance", "f8"),
    # The season about the present visit, as `around` gives it.
    ("before", "f4"),
    ("here", "f4"),
    ("after", "f4"),
    ("calm", "f4"),
]
SEASON: list[Any] = [
    ("season", "f4", (BUCKETS,)),
    ("usual", "f4", (BUCKETS,)),  # usual distance from the expected
    ("visits", "f4", (BUCKETS,)),  # full visits remembered
]


@kernel
def fold(state: Any, days: float) -> None:
    """Close the present visit: what it held becomes part of the season. One odd day moves it little."""
    if state.visit_weight > 0.0:
        place = state.visit % BUCKETS
        share = min(1.0, state.visit_weight / _VISIT_S)
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
def around(state: Any, place: int) -> tuple[float, float, float, float]:
    """Season of the half hour before, this one and the next, and this one's usual distance.

    The season is NaN where this half hour was never seen, and this one's where a neighbour was not. The
    usual distance is 0 while it is not known.
    """
    if state.visits[place] <= 0.0:
        return np.nan, np.nan, np.nan, 0.0
    here = np.float64(state.season[place])
    last = place - 1 if place > 0 else BUCKETS - 1
    next_ = place + 1 if place + 1 < BUCKETS else 0
    before = np.float64(state.season[last]) if state.visits[last] > 0.0 else here
    after = np.float64(state.season[next_]) if state.visits[next_] > 0.0 else here
    calm = np.float64(state.usual[place]) if state.visits[place] >= 2.0 else 0.0
    return before, here, after, calm


@kernel
def enter(state: Any, visit: int) -> None:
    """Begin a visit; the season does not change until it is folded."""
    state.visit = visit
    state.before, state.here, state.after, state.calm = around(state, visit % BUCKETS)


@inner
def follow_time_of_day(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    offset: int,
    days: float,
    tau: float,
    warmup: float,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> None:
    """First pass: residuals from season + level, and both moved by the rows."""
    length = _VISIT_S * SECOND
    for row in range(np.uint64(begin), np.uint64(end)):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            leave_out(out, flags, row, 0)
            continue
        state = states[slot]
        local = time[row] + offset
        if quality[row] & CLOCK_UNTRUSTED or state.last == NEVER:
            leave_out(out, flags, row, JUDGED | WARMING)
            if not quality[row] & (SUSPECT | CLOCK_UNTRUSTED):
                state.anchor = value[row]
                state.last = time[row]
                enter(state, local // length)
            continue
        learns = not quality[row] & SUSPECT and time[row] > state.last
        since = local - state.visit * length
        before, here, after, calm = state.before, state.here, state.after, state.calm
        if since < 0 or since >= length:
            visit = local // length
            since = local - visit * length
            if learns:
                fold(state, days)
                enter(state, visit)
            before, here, after, calm = around(state, visit % BUCKETS)
        phase = since * _PER_VISIT
        season = here + abs(phase - 0.5) * ((after if phase >= 0.5 else before) - here)
        known = not np.isnan(season)
        level, taught = state.mean, state.taught
        residual = value[row] - state.anchor - season - level
        scale = max(calm if calm > 0.0 else state.scale, _CALMEST * state.scale, np.float64(state.floor))
        trace(out, flags, row, state.anchor + season + level, scale, residual, known and taught >= warmup)
        if not learns:
            continue
        step = step_of(state, time[row])
        seconds = step * NANO
        if known:
            settled = taught >= 0.5 * warmup
            state.visit_distance += seconds * abs(residual)
            if settled:
                out[0, row] = seconds
            learn_level(state, residual, scale, step, seconds, max(tau, 60.0), settled)
            if tau <= 0.0:
                state.mean = level
        state.visit_weight += seconds
        state.visit_sum += seconds * (value[row] - state.anchor - state.mean)
        state.taught = taught + seconds
        state.last = time[row]


@kernel
def score_time_of_day(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    offset: int,
    days: float,
    tau: float,
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the distance from season + level. Without a trusted clock there is no hour: no score."""
    rows = (channel, time, value, quality)
    for begin in range(0, channel.shape[0], STRETCH):
        end = min(begin + STRETCH, channel.shape[0])
        follow_time_of_day(states, slots, base, *rows, offset, days, tau, warmup, out, flags, begin, end)
        divide(sign, out, begin, end)
        place(out, begin, end)
        judge_rows(states, slots, base, channel, memory, 0.0, out, flags, begin, end)
        draw(sign, out, begin, end)


class TimeOfDayBank(PackedBank[TimeOfDayParameters]):
    """Level and sketch as the others, and 48 half hours: 1128 bytes a channel."""

    name = "time_of_day"
    dtype = np.dtype([*VISIT, *LEVEL, *SKETCH, *SEASON])

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        season = (given.utc_offset_s * SECOND, given.days, given.level_tau_s)
        self._given = (*season, given.warmup_s, given.memory_s, given.sign)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        offset, days, tau, warmup, memory, sign = self._given
        score_time_of_day(
            self.state,
            self._slots,
            self._base,
            *columns,
            offset,
            days,
            tau,
            warmup,
            memory,
            sign,
            table,
            flags,
        )

    def _reason(self, judged: Judged) -> Reason:
        return unexpected(judged)
