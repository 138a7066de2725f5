"""CUSUM: small deviations that all go one way and add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import inner, kernel
from models.detectors.bank import Judged, Trait, number
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
    LEVEL,
    NANO,
    LearnedParameters,
    begin_learned,
)
from models.detectors.parameters import parameter
from models.detectors.passes import STRETCH, draw, judge_rows, leave_out, place, trace
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, slot_of
from models.detectors.run_judgement import judge_run, tell_run
from models.detectors.surprise import SKETCH
from models.readings import Bytes, Floats

_LARGEST = 60.0  # the sum goes no higher, so that it can come down again
_REACH = 4.0  # one reading counts for at most so many usual distances


class CusumParameters(LearnedParameters):
    """Sums run over time, not over readings, so the sampling rate is no matter."""

    tau_s: float = parameter(
        21600.0,
        title="Time constant",
        zh="时间常数",
        unit="s",
        gt=0,
        le=90 * 86400,
        text="How long the level remembers; must be much longer than the shifts looked for.",
        text_zh="基准水平的记忆时长；应远长于要发现的偏移。",
    )
    unit_s: float = parameter(
        60.0,
        title="Time unit",
        zh="累计单位时间",
        unit="s",
        gt=0,
        le=86400,
        text="A deviation of one usual distance adds one in this time; a reading adds at most that.",
        text_zh="偏差为一个常见偏差时，每经过此时间累计增加一；单个读数不超过此量。",
    )
    slack: float = parameter(
        0.75,
        title="Slack",
        zh="允许偏差",
        gt=0,
        le=5,
        text="Deviations up to this many usual distances do not add up.",
        text_zh="不超过若干倍常见偏差的偏差不计入累计。",
    )


@inner
def add_up(group: Any, at: Any, deviation: float, share: float, slack: float) -> None:
    """Add a deviation, in usual distances, to the sums of both ways."""
    bounded = max(-_REACH, min(_REACH, deviation))
    group.up[at] = min(_LARGEST, max(0.0, group.up[at] + share * (bounded - slack)))
    group.down[at] = min(_LARGEST, max(0.0, group.down[at] + share * (-bounded - slack)))


@inner
def one_by_one(
    lanes: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    tau: float,
    per_unit: float,
    slack: float,
    warmup: float,
    sign: int,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> None:
    """First pass: levels and sums moved by the rows; a row's distance is the sum with the row in it."""
    for row in range(np.uint64(begin), np.uint64(end)):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            leave_out(out, flags, row, 0)
            continue
        group, at = lanes[slot >> GROUP], np.uint64(slot & LANE)
        suspect = quality[row] & SUSPECT
        if group.last[at] == NEVER:
            leave_out(out, flags, row, JUDGED | WARMING)
            if not suspect:
                group.mean[at] = value[row]
                group.last[at] = time[row]
            continue
        centre, taught = group.mean[at], group.taught[at]
        residual = value[row] - centre
        scale = max(group.scale[at], np.float64(group.floor[at]))
        seconds = 0.0
        if not suspect and time[row] > group.last[at]:
            settled = taught >= 0.25 * warmup
            step = step_in_lane(group, at, time[row])
            seconds = step * NANO
            if settled and scale > 0.0:
                add_up(group, at, residual / scale, min(1.0, seconds * per_unit), slack)
            set_rate(group, at, step, seconds, tau)
            learn_in_lane(group, at, residual, scale, seconds, tau, settled)
            group.taught[at] = taught + seconds
            group.last[at] = time[row]
            seconds = seconds if settled else 0.0
        up = group.up[at] if sign >= 0 else 0.0
        down = group.down[at] if sign <= 0 else 0.0
        trace(out, flags, row, centre, scale, max(up, down), taught >= warmup)
        out[0, row] = seconds


@inner
def add_up_run(group: Any, lane: int, count: int, per_unit: float, slack: float, desk: Any) -> None:
    """The sums of a run; they become its residuals once the levels have been moved, see `sums_of_run`."""
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        mean = group.mean[at]
        scale = max(group.scale[at], np.float64(group.floor[at]))
        desk.centres[k] = mean
        desk.scales[k] = scale
        residual = desk.values[k] - mean
        desk.residuals[k] = residual
        bounded = max(-_REACH, min(_REACH, residual / scale))
        share = min(1.0, desk.seconds[k] * per_unit)
        up = min(_LARGEST, max(0.0, group.up[at] + share * (bounded - slack)))
        down = min(_LARGEST, max(0.0, group.down[at] + share * (-bounded - slack)))
        group.up[at] = up if scale > 0.0 else group.up[at]
        group.down[at] = down if scale > 0.0 else group.down[at]


@inner
def sums_of_run(group: Any, lane: int, count: int, sign: int, desk: Any) -> None:
    """The sums on the sides that count, as the run's distances."""
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        up = group.up[at] if sign >= 0 else 0.0
        down = group.down[at] if sign <= 0 else 0.0
        desk.distances[k] = max(up, down)


@kernel
def score_cusum(
    lanes: NDArray[Any],
    sketches: NDArray[Any],
    desks: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    tau: float,
    unit: float,
    slack: float,
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the sum with this reading in it; lower..upper is the slack around the level."""
    rows, desk, row = (channel, time, value, quality), desks[0], 0
    while row < channel.shape[0]:
        slot, count = find_run(slots, base, channel, row, desk) if desks.shape[0] else (-1, 0)
        group, lane = lanes[slot >> GROUP], slot & LANE
        ordinary = (
            count >= FEWEST
            and take_in(time, value, quality, count, desk)
            and are_ordinary(group, lane, count, warmup, desk)
        )
        if ordinary:
            end = desk.rows[np.uint64(count - 1)] + 1
            add_up_run(group, lane, count, 1.0 / unit, slack, desk)
            move_levels(group, lane, count, tau, True, desk)
            sums_of_run(group, lane, count, sign, desk)
            judge_run(sketches, slot, memory, count, desk)
            tell_run(sign, slack, row, end, count, out, flags, desk)
        else:
            end = min(channel.shape[0], row + (SOME if desks.shape[0] else STRETCH))
            one_by_one(lanes, slots, base, *rows, tau, 1.0 / unit, slack, warmup, sign, out, flags, row, end)
            place(out, row, end)
            judge_rows(sketches, slots, base, channel, memory, slack, out, flags, row, end)
            draw(sign, out, row, end)
        row = end


class CusumBank(LanedBank[CusumParameters]):
    """Level, two sums and sketch of the tail: 512 bytes a channel."""

    name = "cusum"
    kernel = score_cusum
    laned: ClassVar[list[Any]] = [("up", "f8"), ("down", "f8"), *LEVEL]
    dtype = np.dtype([*laned, *SKETCH])

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        levels = (given.tau_s, given.unit_s, given.slack)
        self._given = (*levels, given.warmup_s, given.memory_s, given.sign)

    def _reason(self, judged: Judged) -> Reason:
        return Reason(
            code="shifted",
            parameters={
                "value": number(judged.value),
                "expected": number(judged.expected),
                "sum": number(judged.detail),
                "surprise": round(judged.score, 3),
                "extrapolated": int(judged.extrapolated),
            },
        )
