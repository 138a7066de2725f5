"""Time of day: unlike what this channel does at this hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import inner, kernel
from models.detectors.bank import Judged, Trait
from models.detectors.laned_bank import LanedBank
from models.detectors.lanes import (
    FEWEST,
    GROUP,
    LANE,
    SOME,
    are_ordinary,
    find_run,
    learn_in_lane,
    move_levels,
    set_rate,
    step_in_lane,
    take_in,
)
from models.detectors.learned import (
    CLIP,
    LEVEL,
    NANO,
    LearnedParameters,
    begin_learned,
    unexpected,
)
from models.detectors.parameters import parameter, utc_offset
from models.detectors.passes import STRETCH, divide, draw, judge_rows, leave_out, place, trace
from models.detectors.rows import CLOCK_UNTRUSTED, JUDGED, NEVER, SECOND, SUSPECT, WARMING, slot_of
from models.detectors.run_judgement import judge_run, measure, tell_run
from models.detectors.surprise import SKETCH
from models.readings import Bytes, Floats

BUCKETS = 48
_VISIT_S = 86400 // BUCKETS
_LENGTH = _VISIT_S * SECOND
_PER_VISIT = 1.0 / _LENGTH
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
def fold(group: Any, at: Any, year: Any, days: float) -> None:
    """Close the present visit: what it held becomes part of the season. One odd day moves it little."""
    if group.visit_weight[at] > 0.0:
        place = group.visit[at] % BUCKETS
        share = min(1.0, group.visit_weight[at] / _VISIT_S)
        expected = year.visits[place] > 0.0
        old = year.visits[place] >= 2.0
        year.visits[place] = min(days, year.visits[place] + share)
        gain = share / year.visits[place]
        change = group.visit_sum[at] / group.visit_weight[at] - year.season[place]
        if old:
            bound = CLIP * max(np.float64(year.usual[place]), _CALMEST * group.scale[at])
            change = max(-bound, min(bound, change))
        year.season[place] += gain * change
        if expected:
            distance = group.visit_distance[at] / group.visit_weight[at]
            known = np.float64(year.usual[place])
            year.usual[place] = distance if known == 0.0 else known + gain * (distance - known)
    group.visit_weight[at] = 0.0
    group.visit_sum[at] = 0.0
    group.visit_distance[at] = 0.0


@kernel
def around(year: Any, place: int) -> tuple[float, float, float, float]:
    """Season of the half hour before, this one and the next, and this one's usual distance.

    The season is NaN where this half hour was never seen, and this one's where a neighbour was not. The
    usual distance is 0 while it is not known.
    """
    if year.visits[place] <= 0.0:
        return np.nan, np.nan, np.nan, 0.0
    here = np.float64(year.season[place])
    last = place - 1 if place > 0 else BUCKETS - 1
    next_ = place + 1 if place + 1 < BUCKETS else 0
    before = np.float64(year.season[last]) if year.visits[last] > 0.0 else here
    after = np.float64(year.season[next_]) if year.visits[next_] > 0.0 else here
    calm = np.float64(year.usual[place]) if year.visits[place] >= 2.0 else 0.0
    return before, here, after, calm


@kernel
def enter(group: Any, at: Any, year: Any, visit: int) -> None:
    """Begin a visit; the season does not change until it is folded."""
    group.visit[at] = visit
    group.before[at], group.here[at], group.after[at], group.calm[at] = around(year, visit % BUCKETS)


@inner
def one_by_one(
    lanes: NDArray[Any],
    seasons: NDArray[Any],
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
    for row in range(np.uint64(begin), np.uint64(end)):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            leave_out(out, flags, row, 0)
            continue
        group, at = lanes[slot >> GROUP], np.uint64(slot & LANE)
        local = time[row] + offset
        if quality[row] & CLOCK_UNTRUSTED or group.last[at] == NEVER:
            leave_out(out, flags, row, JUDGED | WARMING)
            if not quality[row] & (SUSPECT | CLOCK_UNTRUSTED):
                group.anchor[at] = value[row]
                group.last[at] = time[row]
                enter(group, at, seasons[slot], local // _LENGTH)
            continue
        learns = not quality[row] & SUSPECT and time[row] > group.last[at]
        since = local - group.visit[at] * _LENGTH
        before, here, after, calm = group.before[at], group.here[at], group.after[at], group.calm[at]
        if since < 0 or since >= _LENGTH:
            visit = local // _LENGTH
            since = local - visit * _LENGTH
            if learns:
                fold(group, at, seasons[slot], days)
                enter(group, at, seasons[slot], visit)
            before, here, after, calm = around(seasons[slot], visit % BUCKETS)
        phase = since * _PER_VISIT
        season = here + abs(phase - 0.5) * ((after if phase >= 0.5 else before) - here)
        known = not np.isnan(season)
        level, taught = group.mean[at], group.taught[at]
        residual = value[row] - group.anchor[at] - season - level
        scale = max(
            calm if calm > 0.0 else group.scale[at], _CALMEST * group.scale[at], np.float64(group.floor[at])
        )
        trace(out, flags, row, group.anchor[at] + season + level, scale, residual, known and taught >= warmup)
        if not learns:
            continue
        step = step_in_lane(group, at, time[row])
        seconds = step * NANO
        if known:
            settled = taught >= 0.5 * warmup
            group.visit_distance[at] += seconds * abs(residual)
            if settled:
                out[0, row] = seconds
            set_rate(group, at, step, seconds, max(tau, 60.0))
            learn_in_lane(group, at, residual, scale, seconds, max(tau, 60.0), settled)
            if tau <= 0.0:
                group.mean[at] = level
        group.visit_weight[at] += seconds
        group.visit_sum[at] += seconds * (value[row] - group.anchor[at] - group.mean[at])
        group.taught[at] = taught + seconds
        group.last[at] = time[row]


@inner
def are_within(group: Any, lane: int, count: int, offset: int, desk: Any) -> bool:
    """Whether all rows of a run lie in the half hour of their channel's visit, whose season is known."""
    odd: Any = 0
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        since = desk.times[k] + offset - group.visit[at] * _LENGTH
        odd |= np.int64((since < 0) | (since >= _LENGTH) | np.isnan(group.here[at]))
    return bool(odd == 0)


@inner
def trace_run(group: Any, lane: int, count: int, offset: int, desk: Any) -> None:
    """Residuals of a run from season + level."""
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        since = desk.times[k] + offset - group.visit[at] * _LENGTH
        phase = since * _PER_VISIT
        here = np.float64(group.here[at])
        beside = np.float64(group.after[at] if phase >= 0.5 else group.before[at])
        season = here + abs(phase - 0.5) * (beside - here)
        anchor, level, scale, calm = group.anchor[at], group.mean[at], group.scale[at], group.calm[at]
        usual = np.float64(calm) if calm > 0.0 else scale
        desk.residuals[k] = desk.values[k] - anchor - season - level
        desk.scales[k] = max(usual, _CALMEST * scale, np.float64(group.floor[at]))
        desk.centres[k] = anchor + season + level


@inner
def add_to_visits(group: Any, lane: int, count: int, desk: Any) -> None:
    """What a run adds to its channels' visits, once the levels have been moved."""
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        seconds = desk.seconds[k]
        group.visit_distance[at] += seconds * abs(desk.residuals[k])
        group.visit_weight[at] += seconds
        group.visit_sum[at] += seconds * (desk.values[k] - group.anchor[at] - group.mean[at])


@kernel
def score_time_of_day(
    lanes: NDArray[Any],
    seasons: NDArray[Any],
    desks: NDArray[Any],
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
    rows, desk, row = (channel, time, value, quality), desks[0], 0
    while row < channel.shape[0]:
        slot, count = find_run(slots, base, channel, row, desk) if desks.shape[0] else (-1, 0)
        group, lane = lanes[slot >> GROUP], slot & LANE
        ordinary = (
            count >= FEWEST
            and take_in(time, value, quality, count, desk)
            and are_ordinary(group, lane, count, warmup, desk)
            and are_within(group, lane, count, offset, desk)
        )
        if ordinary:
            end = desk.rows[np.uint64(count - 1)] + 1
            trace_run(group, lane, count, offset, desk)
            move_levels(group, lane, count, max(tau, 60.0), tau > 0.0, desk)
            add_to_visits(group, lane, count, desk)
            measure(sign, count, desk)
            judge_run(seasons, slot, memory, count, desk)
            tell_run(sign, 0.0, row, end, count, out, flags, desk)
        else:
            end = min(channel.shape[0], row + (SOME if desks.shape[0] else STRETCH))
            one_by_one(lanes, seasons, slots, base, *rows, offset, days, tau, warmup, out, flags, row, end)
            divide(sign, out, row, end)
            place(out, row, end)
            judge_rows(seasons, slots, base, channel, memory, 0.0, out, flags, row, end)
            draw(sign, out, row, end)
        row = end


class TimeOfDayBank(LanedBank[TimeOfDayParameters]):
    """Level and sketch as the others, and 48 half hours: 1128 bytes a channel."""

    name = "time_of_day"
    kernel = score_time_of_day
    laned: ClassVar[list[Any]] = [*VISIT, *LEVEL]
    dtype = np.dtype([*VISIT, *LEVEL, *SKETCH, *SEASON])

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        season = (given.utc_offset_s * SECOND, given.days, given.level_tau_s)
        self._given = (*season, given.warmup_s, given.memory_s, given.sign)

    def _reason(self, judged: Judged) -> Reason:
        return unexpected(judged)
