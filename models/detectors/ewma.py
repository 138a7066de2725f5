"""EWMA: far from where the channel has lately been, measured on its own usual distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    LEVEL,
    NANO,
    LearnedParameters,
    begin_learned,
    unexpected,
)
from models.detectors.parameters import parameter
from models.detectors.passes import STRETCH, divide, draw, judge_rows, leave_out, place, trace
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, slot_of
from models.detectors.run_judgement import judge_run, measure, tell_run
from models.detectors.surprise import SKETCH
from models.readings import Bytes, Floats


class EwmaParameters(LearnedParameters):
    """Time constants are in seconds, so irregular sampling is no matter."""

    tau_s: float = parameter(
        600.0,
        title="Time constant",
        zh="时间常数",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="How long the level remembers; longer is steadier, shorter follows sooner.",
        text_zh="基准水平的记忆时长；越长越稳，越短跟随越快。",
    )


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
    warmup: float,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> None:
    """First pass: residuals, and the levels moved by them. Suspect and late rows are not learned."""
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
        residual = value[row] - group.mean[at]
        scale = max(group.scale[at], np.float64(group.floor[at]))
        taught = group.taught[at]
        trace(out, flags, row, group.mean[at], scale, residual, taught >= warmup)
        if suspect or time[row] <= group.last[at]:
            continue
        step = step_in_lane(group, at, time[row])
        seconds = step * NANO
        settled = taught >= 0.25 * warmup
        if settled:
            out[0, row] = seconds
        set_rate(group, at, step, seconds, tau)
        learn_in_lane(group, at, residual, scale, seconds, tau, settled)
        group.taught[at] = taught + seconds
        group.last[at] = time[row]


@inner
def trace_run(group: Any, lane: int, count: int, desk: Any) -> None:
    """Residuals of a run from its levels."""
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        mean = group.mean[at]
        desk.centres[k] = mean
        desk.scales[k] = max(group.scale[at], np.float64(group.floor[at]))
        desk.residuals[k] = desk.values[k] - mean


@kernel
def score_ewma(
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
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of |value - mean| / scale, then learn. Suspect and late readings are scored, not learned."""
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
            trace_run(group, lane, count, desk)
            move_levels(group, lane, count, tau, True, desk)
            measure(sign, count, desk)
            judge_run(sketches, slot, memory, count, desk)
            tell_run(sign, 0.0, row, end, count, out, flags, desk)
        else:
            end = min(channel.shape[0], row + (SOME if desks.shape[0] else STRETCH))
            one_by_one(lanes, slots, base, *rows, tau, warmup, out, flags, row, end)
            divide(sign, out, row, end)
            place(out, row, end)
            judge_rows(sketches, slots, base, channel, memory, 0.0, out, flags, row, end)
            draw(sign, out, row, end)
        row = end


class EwmaBank(LanedBank[EwmaParameters]):
    """Level, usual distance and sketch of the tail: 496 bytes a channel."""

    name = "ewma"
    kernel = score_ewma
    dtype = np.dtype(LEVEL + SKETCH)
    laned = LEVEL

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        self._given = (given.tau_s, given.warmup_s, given.memory_s, given.sign)

    def _reason(self, judged: Judged) -> Reason:
        return unexpected(judged)
