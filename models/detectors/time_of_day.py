"""Time of day: unlike what this channel does at this hour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank
from models.detectors.learned import (
    CLIP,
    LEVEL,
    NANO,
    LearnedParameters,
    band,
    begin_floor,
    judge,
    learn_level,
    sided,
    step_of,
    unexpected,
)
from models.detectors.parameters import parameter, utc_offset
from models.detectors.rows import CLOCK_UNTRUSTED, JUDGED, NEVER, SECOND, SUSPECT, WARMING, clear, slot_of
from models.detectors.surprise import SKETCH, learn_distance
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


SEASON: list[Any] = [
    ("anchor", "f8"),  # the season is stored relative to the first value
    ("visit", "i8"),  # half hours since 1970, local time, of the present visit
    ("visit_weight", "f8"),  # seconds learned in it
    ("visit_sum", "f8"),
    ("visit_judged", "f8"),  # seconds of it for which there was an expectation
    ("visit_distance", "f8"),
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
        old = state.visits[place] >= 2.0
        state.visits[place] = min(days, state.visits[place] + share)
        gain = share / state.visits[place]
        change = state.visit_sum / state.visit_weight - state.season[place]
        if old:
            bound = CLIP * max(np.float64(state.usual[place]), _CALMEST * state.scale)
            change = max(-bound, min(bound, change))
        state.season[place] += gain * change
        if state.visit_judged > 0.0:
            distance = state.visit_distance / state.visit_judged
            known = np.float64(state.usual[place])
            state.usual[place] = distance if known == 0.0 else known + gain * (distance - known)
    state.visit_weight = 0.0
    state.visit_sum = 0.0
    state.visit_judged = 0.0
    state.visit_distance = 0.0


@kernel
def season_at(state: Any, place: int, phase: float) -> float:
    """Season between the middles of two half hours; NaN where this half hour was never seen."""
    here = np.float64(state.season[place])
    if state.visits[place] <= 0.0:
        return np.nan
    if phase >= 0.5:
        other = place + 1 if place + 1 < BUCKETS else 0
    else:
        other = place - 1 if place > 0 else BUCKETS - 1
    if state.visits[other] <= 0.0:
        return here
    return here + abs(phase - 0.5) * (np.float64(state.season[other]) - here)


@kernel
def scale_at(state: Any, place: int) -> float:
    """Usual distance at this half hour; the channel's recent one while the hour's is unknown."""
    usual = np.float64(state.usual[place])
    if usual <= 0.0 or state.visits[place] < 2.0:
        usual = state.scale
    return float(max(usual, _CALMEST * state.scale, np.float64(state.floor)))


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
    length = _VISIT_S * SECOND
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            continue
        state = states[slot]
        flags[row] = JUDGED
        if quality[row] & CLOCK_UNTRUSTED or state.last == NEVER:
            flags[row] = JUDGED | WARMING
            if not quality[row] & (SUSPECT | CLOCK_UNTRUSTED):
                state.anchor = value[row]
                state.last = time[row]
                state.visit = (time[row] + offset) // length
            continue
        visit = (time[row] + offset) // length
        learns = not quality[row] & SUSPECT and time[row] > state.last
        if learns and visit != state.visit:
            fold(state, days)
            state.visit = visit
        phase = (time[row] + offset - visit * length) * _PER_VISIT
        place = visit % BUCKETS
        season = season_at(state, place, phase)
        known = not np.isnan(season)
        residual = value[row] - state.anchor - season - state.mean if known else 0.0
        scale = scale_at(state, place)
        distance = sided(residual, sign) / scale if scale > 0.0 else 0.0
        if known:
            centre = state.anchor + season + state.mean
            out[1, row] = centre
            if judge(state, distance, warmup, out, flags, row):
                band(state, centre, scale, sign, out, row)
        else:
            flags[row] |= WARMING
        if not learns:
            continue
        step = step_of(state, time[row])
        seconds = step * NANO
        settled = state.taught >= 0.5 * warmup
        if known:
            state.visit_judged += seconds
            state.visit_distance += seconds * abs(residual)
            if settled:
                learn_distance(state, distance, seconds, memory)
            level = state.mean
            learn_level(state, residual, scale, step, max(tau, 60.0), settled)
            if tau <= 0.0:
                state.mean = level
        state.visit_weight += seconds
        state.visit_sum += seconds * (value[row] - state.anchor - state.mean)
        state.taught += seconds
        state.last = time[row]


class TimeOfDayBank(PackedBank[TimeOfDayParameters]):
    """Level and sketch as the others, and 48 half hours: 1120 bytes a channel."""

    name = "time_of_day"
    dtype = np.dtype([*LEVEL, *SEASON, *SKETCH])

    def _begin(self, resolutions: Floats) -> None:
        begin_floor(self.state, resolutions)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = self.parameters
        score_time_of_day(
            self.state,
            self._slots,
            self._base,
            *columns,
            given.utc_offset_s * SECOND,
            given.days,
            given.level_tau_s,
            given.warmup_s,
            given.memory_s,
            given.sign,
            table,
            flags,
        )

    def explain(self, judged: Judged) -> Reason:
        return unexpected(judged)
