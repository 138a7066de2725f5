"""Lanes: what a learned level needs at each reading, 64 channels side by side, so that many move at once.

A record of a group has each field as an array of 64 lanes, one lane a channel. Rows whose channels follow
each other in the bank, as pollers deliver them, are a run: its channels differ, so one instruction may do
several rows. The compiler does it by itself where it sees that arrays do not overlap, and of fields of one
record it sees it; so rows go through `desk`, a record of its own. Rows of other banks may stand in between.

A run is taken whole or not at all, and only when each of its rows is ordinary: believed, later than the
channel's last, the channel warm. All else goes row by row; both ways come to the same bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import inner
from models.detectors.learned import (
    ALIKE_SHIFT,
    CLIP,
    FILLED,
    LONGEST,
    LONGEST_PACES,
    NANO,
    PACE_SHIFT,
    SCALE_GAIN,
)
from models.detectors.passes import STRETCH
from models.detectors.rows import CLOCK_UNTRUSTED, NEVER, SUSPECT
from models.readings import NOT_BELIEVED, Bytes, Floats

LANES = 64
GROUP, LANE = 6, LANES - 1  # a place as a group and a lane in it: shift and mask
FEWEST = 8  # rows of a run that is worth the way over the desk
SOME = 64  # rows that go one by one before a run is looked for again

_NOT_ORDINARY = int(NOT_BELIEVED) | SUSPECT | CLOCK_UNTRUSTED
_WHOLE = ("rows", "times", "steps", "paces", "bins", "marks")
_FLOATS = (
    *("values", "seconds", "centres", "scales", "residuals", "distances", "shares"),
    *("known", "band", "low", "high"),  # of the sketches; `low` and `high` at the edges of the bin
    *("scores", "lowers", "uppers"),
)


def side_by_side(fields: list[Any]) -> np.dtype[Any]:
    """A group's record: each field an array of 64 lanes."""
    return np.dtype([(name, kind, (LANES,)) for name, kind in fields])


DESK = side_by_side([*((name, "i8") for name in _WHOLE), *((name, "f8") for name in _FLOATS)])


@inner
def find_run(
    slots: NDArray[np.int32], base: int, channel: NDArray[np.int32], row: int, desk: Any
) -> tuple[Any, Any]:
    """The run from `row` on: place of its first channel, and how many rows, which the desk's `rows` tell.

    It ends with its group. Rows between that are not ours are passed over, but not more than a stretch holds.
    """
    first, count, most, width = np.int64(-1), np.int64(0), np.int64(LANES), slots.shape[0]
    end = min(channel.shape[0], row + STRETCH)
    place = channel[np.uint64(row)] - base
    if 0 <= place < width and slots[np.uint64(place)] >= 0:
        # What is usual at a look: rows without a gap to the end of the group, the bank or the block.
        first, apart = np.int64(slots[np.uint64(place)]), np.int64(0)
        most = min(LANES - (first & LANE), end - row, width - place)
        for k in range(np.uint64(most)):
            apart |= (channel[np.uint64(row) + k] - base - place) ^ np.int64(k)
        for k in range(np.uint64(most)):
            apart |= (slots[np.uint64(place) + k] - first) ^ np.int64(k)
        if apart == 0:
            for k in range(np.uint64(most)):
                desk.rows[k] = np.uint64(row) + k
            return first, most
        most = LANES - (first & LANE)
    while row < end and count < most:
        place = channel[np.uint64(row)] - base
        slot = np.int64(slots[np.uint64(place)]) if 0 <= place < width else np.int64(-1)
        if slot >= 0:
            if count == 0:
                first, most = slot, LANES - (slot & LANE)
            elif slot != first + count:
                break
            desk.rows[np.uint64(count)] = row
            count += 1
        row += 1
    return first, count


@inner
def take_in(time: NDArray[np.int64], value: Floats, quality: Bytes, count: int, desk: Any) -> bool:
    """Copy a run to the desk; whether no row has a mark that makes it other than ordinary."""
    marks: Any = 0
    begin, last = np.uint64(desk.rows[0]), np.uint64(desk.rows[np.uint64(count - 1)])
    if last - begin == np.uint64(count - 1):
        for k in range(np.uint64(count)):
            marks |= quality[begin + k]
        for k in range(np.uint64(count)):
            desk.times[k] = time[begin + k]
        for k in range(np.uint64(count)):
            desk.values[k] = value[begin + k]
        return not marks & _NOT_ORDINARY
    for k in range(np.uint64(count)):
        row = np.uint64(desk.rows[k])
        marks |= quality[row]
        desk.times[k] = time[row]
        desk.values[k] = value[row]
    return not marks & _NOT_ORDINARY


@inner
def are_ordinary(group: Any, lane: int, count: int, warmup: float, desk: Any) -> bool:
    """Whether all rows of a run are, by their level; leaves on the desk their steps, seconds and paces."""
    odd: Any = 0
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        last, pace = group.last[at], group.pace[at]
        since = desk.times[k] - last
        step = min(min(since, LONGEST), LONGEST_PACES * pace)
        desk.steps[k] = step
        desk.seconds[k] = step * NANO
        desk.paces[k] = pace + ((step - pace) >> PACE_SHIFT)
        unknown = (last == NEVER) | (since <= 0) | (pace <= 0) | (group.taught[at] < warmup)
        odd |= np.int64(unknown | (not abs(desk.values[k]) < np.inf))
    return bool(odd == 0)


@inner
def move_levels(group: Any, lane: int, count: int, tau: float, follows: bool, desk: Any) -> None:
    """As `step_in_lane` and `learn_in_lane`, for a run of ordinary rows; `follows` False leaves the mean."""
    unlike: Any = 0
    unfilled: Any = 0
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        step = desk.steps[k]
        unlike |= np.int64(abs(step - group.step[at]) > step >> ALIKE_SHIFT)
        unfilled |= np.int64(group.weight[at] < 1.0)
    if unlike:
        for k in range(np.uint64(count)):
            set_rate(group, np.uint64(lane) + k, desk.steps[k], desk.seconds[k], tau)
    if unfilled:
        for k in range(np.uint64(count)):
            at = np.uint64(lane) + k
            mean, seconds = group.mean[at], desk.seconds[k]
            learn_in_lane(group, at, desk.residuals[k], desk.scales[k], seconds, tau, True)
            group.mean[at] = group.mean[at] if follows else mean
    else:
        for k in range(np.uint64(count)):
            at = np.uint64(lane) + k
            residual, bound = desk.residuals[k], CLIP * desk.scales[k]
            gain, mean, scale = group.rate[at], group.mean[at], group.scale[at]
            moved = mean + gain * max(-bound, min(bound, residual))
            group.mean[at] = moved if follows else mean
            group.scale[at] = scale + gain * SCALE_GAIN * (min(bound, abs(residual)) - scale)
    for k in range(np.uint64(count)):
        at = np.uint64(lane) + k
        group.taught[at] += desk.seconds[k]
        group.last[at] = desk.times[k]
        group.pace[at] = desk.paces[k]


@inner
def step_in_lane(group: Any, at: Any, time: int) -> int:
    """As `step_of`."""
    step = min(time - group.last[at], LONGEST)
    pace = group.pace[at] if group.pace[at] > 0 else step
    step = min(step, LONGEST_PACES * pace)
    group.pace[at] = pace + ((step - pace) >> PACE_SHIFT)
    return int(step)


@inner
def set_rate(group: Any, at: Any, step: int, seconds: float, tau: float) -> None:
    """The gain of a step, worked out anew where it is not like the last one."""
    if abs(step - group.step[at]) > step >> ALIKE_SHIFT:
        group.rate[at] = 1.0 - math.exp(-seconds / tau)
        group.step[at] = step


@inner
def learn_in_lane(
    group: Any, at: Any, residual: float, scale: float, seconds: float, tau: float, clip: bool
) -> None:
    """As `learn_level`, once the rate is set."""
    rate = group.rate[at]
    gain, slow = rate, rate * SCALE_GAIN
    if group.weight[at] < 1.0:
        weight = group.weight[at] + rate * (1.0 - group.weight[at])
        gain /= weight
        group.weight[at] = 1.0 if weight > FILLED else weight
        if group.taught[at] * SCALE_GAIN < tau:
            slow = max(slow, seconds / (group.taught[at] + seconds))
    bound = CLIP * scale if clip else np.inf
    group.mean[at] += gain * max(-bound, min(bound, residual))
    group.scale[at] += slow * (min(bound, abs(residual)) - group.scale[at])
