"""What every kernel asks of a row before it looks at the value."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.readings import NOT_BELIEVED, Quality

SECOND = 1_000_000_000
NEVER = -(2**62)  # a time before all times

# Marks a kernel leaves on a row of scores.
WARMING = 1  # the detector has not seen enough of this channel
EXTRAPOLATED = 2  # rarer than anything seen: the fitted tail spoke
RUN = 4  # part of a run that `advance` may judge later; the run's first row is the onset
JUDGED = 8  # the row belonged to the bank and could be believed

_NOT_BELIEVED = int(NOT_BELIEVED)
_MISTIMED = int(Quality.TIME_PAST | Quality.TIME_FUTURE)
HISTORIC = int(Quality.HISTORIC)
SUSPECT = int(Quality.SUSPECT)
NO_EVENT_TIME = int(NOT_BELIEVED) | HISTORIC  # rows with any of these do not move event time
CLOCK_UNTRUSTED = int(Quality.CLOCK_UNTRUSTED)


@kernel
def heard_slot(slots: NDArray[np.int32], base: int, channel: int, quality: int) -> int:
    """Place of the channel's state, or -1 where the row is not ours or its time is wrong.

    For what takes a value that is not believed as evidence about the equipment.
    """
    place = channel - base
    if place < 0 or place >= slots.shape[0] or quality & _MISTIMED:
        return -1
    return int(slots[place])


@kernel
def is_believed(value: float, quality: int) -> bool:
    """Whether the row says anything of the quantity."""
    return not quality & _NOT_BELIEVED and math.isfinite(value)


@kernel
def slot_of(slots: NDArray[np.int32], base: int, channel: int, value: float, quality: int) -> int:
    """Place of the channel's state, or -1 where the row is not ours or not to be believed.

    `slots` maps channel - base to a place (-1: not in the bank).
    """
    place = channel - base
    if place < 0 or place >= slots.shape[0]:
        return -1
    return int(slots[place]) if is_believed(value, quality) else -1


@kernel
def crossings(
    time: NDArray[np.int64], quality: NDArray[np.uint8], rows: NDArray[np.int64], seconds: NDArray[np.int64]
) -> int:
    """Rows at which event time enters a new whole second, and that second in ns; returns how many.

    Event time is the latest time so far of a row that is believed and not imported.
    """
    found = 0
    bound = NEVER
    for row in range(time.shape[0]):
        if time[row] >= bound and not quality[row] & NO_EVENT_TIME:
            seconds[found] = time[row] // SECOND * SECOND
            rows[found] = row
            bound = seconds[found] + SECOND
            found += 1
    return found


@kernel
def clear(out: NDArray[np.float64], flags: NDArray[np.uint8], row: int) -> None:
    """A row with nothing to say: score 0, no expectation."""
    out[0, row] = 0.0
    out[1, row] = np.nan
    out[2, row] = np.nan
    out[3, row] = np.nan
    out[4, row] = np.nan
    flags[row] = 0
