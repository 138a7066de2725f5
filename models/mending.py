"""Right times for what was measured before the wall clock was set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.clock import SECOND_NS, ClockState
from models.readings import Int64s, ReadingBlock

# Times are rounded to it: a move by whole steps leaves them as regular as they were.
_STEP_NS = 1_000_000
# Readings without a time of their own that came at one moment are told some steps apart.
_SLACK_NS = 5 * SECOND_NS
_LATEST_NS = 1 << 62  # the year 2116: whatever a record says, no time is moved beyond it, or before 1970


@dataclass(frozen=True, slots=True)
class RightTime:
    """Where the wall clock of one boot stands since it was set.

    `offset_ns`: wall minus monotonic time; `monotonic_ns`: when that was known; `clock`: how far it can be
    believed, never `UNTRUSTED`.
    """

    offset_ns: int
    monotonic_ns: int
    clock: ClockState = ClockState.UNKNOWN


def moved_ns(time: Int64s, wrong_offset_ns: int, right: RightTime) -> Int64s:
    """By how much each time has to be moved: 0 where it was not taken from the clock that was wrong.

    A time under the wrong clock lies within this boot, between its start and when the right time came; what
    lies elsewhere is the time of a device that had a clock of its own. No time is moved out of 1970 to 2116.

    >>> right = RightTime(offset_ns=1_000 * SECOND_NS, monotonic_ns=60 * SECOND_NS)
    >>> moved_ns(np.array([30, 990]) * SECOND_NS, 0, right).tolist()
    [1000000000000, 0]
    """
    by = round((right.offset_ns - wrong_offset_ns) / _STEP_NS) * _STEP_NS
    since_boot = time - wrong_offset_ns
    within = (since_boot >= -_SLACK_NS) & (since_boot <= min(right.monotonic_ns, _LATEST_NS) + _SLACK_NS)
    within &= (time >= max(-by, -_LATEST_NS)) & (time <= min(_LATEST_NS - by, _LATEST_NS))
    return np.where(within, np.int64(min(max(by, -_LATEST_NS), _LATEST_NS)), np.int64(0))


def mend_block(block: ReadingBlock, right: RightTime) -> ReadingBlock:
    """The block with right times, its readings marked as they were; one that needs none comes back as it is.

    The caller knows that `right` is of the block's boot.
    """
    if block.clock is not ClockState.UNTRUSTED:
        return block
    moved = moved_ns(block.time, block.monotonic_offset_ns, right)
    return replace(block, time=block.time + moved, monotonic_offset_ns=right.offset_ns, clock=right.clock)
