"""Passes: a stretch of rows judged column by column, as the learned detectors share it.

A detector's own first pass follows the channels' levels row by row; what is left is the same for all and
goes through the table in place, so that nothing else is written:

    column     after the first pass               after `measure`      at the end
    0          seconds to count, 0: not counted   the same             score
    1          expected                           the same             expected
    2          -                                  share of its bin     lower
    3          usual distance                     the same             upper
    4          residual, or already a distance    distance             detail
    flags      JUDGED, WARMING; 0: not ours       the same             EXTRAPOLATED too

Each pass is short enough for the processor to have many rows in hand at a time, and those without a choice
do several rows in one instruction. Rows are numbered without a sign: numba asks of a signed one at every
access whether it counts from the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import inner
from models.detectors.rows import EXTRAPOLATED, JUDGED, WARMING
from models.detectors.surprise import BINS, CAP, EDGES, refresh, surprise_of
from models.readings import Bytes, Floats

STRETCH = 256  # rows that go through all passes together: their columns stay in the nearest cache

_FIRST = float(EDGES[1])  # width of the first bin, a power of two
_PER_FIRST = 1.0 / _FIRST
_LOWEST = 0.875 * _FIRST  # a distance in the first bin whose bits are just below the second's
_LAST = float(EDGES[BINS - 1])
FIRST_BIN = np.uint64((1021 << 2) - 1)  # exponent and two bits of the fraction of the first bin's distances
_IN_BIN = np.uint64((1 << 52) - 1)
_ONE = np.uint64(1023 << 52)  # bits of 1.0


@inner
def leave_out(out: Floats, flags: Bytes, row: int, marks: int) -> None:
    """A row without a judgement: not ours, or the channel's first."""
    out[0, row] = 0.0
    out[1, row] = np.nan
    out[3, row] = 1.0
    out[4, row] = np.nan
    flags[row] = marks


@inner
def trace(
    out: Floats, flags: Bytes, row: int, centre: float, scale: float, residual: float, warm: bool
) -> None:
    """What the first pass found; the row is not counted unless column 0 is set after."""
    out[0, row] = 0.0
    out[1, row] = centre
    out[3, row] = scale
    out[4, row] = residual
    flags[row] = JUDGED if warm else JUDGED | WARMING


@inner
def divide(sign: int, out: Floats, begin: int, end: int) -> None:
    """Residuals to distances on the sides that count, in usual distances; 0 where there is none yet."""
    if sign == 0:
        for row in range(np.uint64(begin), np.uint64(end)):
            distance = abs(out[4, row]) / out[3, row]
            out[4, row] = distance if out[3, row] > 0.0 else 0.0
        return
    for row in range(np.uint64(begin), np.uint64(end)):
        distance = out[4, row] * sign / out[3, row]
        out[4, row] = 0.0 if distance < 0.0 or out[3, row] <= 0.0 else distance


@inner
def bin_bits(distance: float) -> Any:
    """Exponent and two bits of the fraction, at the top, of a distance brought between first and last bin."""
    bounded = min(_LAST, max(_LOWEST, distance))
    return np.float64(bounded).view(np.uint64)


@inner
def share_of(distance: float, bits: Any) -> float:
    """Where in its bin a distance lies, 0..1: bins halve evenly, so the rest of the fraction tells it."""
    fraction = ((bits << np.uint64(2)) & _IN_BIN) | _ONE
    share = np.uint64(fraction).view(np.float64) - 1.0
    return float(_PER_FIRST * distance if distance < _FIRST else share)


@inner
def place(out: Floats, begin: int, end: int) -> None:
    """Where in its bin each distance lies."""
    for row in range(np.uint64(begin), np.uint64(end)):
        distance = out[4, row]
        out[2, row] = share_of(distance, bin_bits(distance))


@inner
def judge_quick(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    reach: float,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> int:
    """Score and count rows from `begin` on; returns the row at which it stopped, for one of two reasons.

    The row before it made a refresh due, or its distance lies in the last bin. Both are rare, and what is
    not in this loop does not take its registers.
    """
    row = np.uint64(begin)
    while row < np.uint64(end):
        score, band, marks, due = 0.0, np.nan, flags[row], False
        if marks:
            state = states[np.uint64(slots[np.uint64(channel[row] - base)])]
            bin_ = (bin_bits(out[4, row]) >> np.uint64(50)) - FIRST_BIN
            next_ = bin_ + np.uint64(1)
            if bin_ >= np.uint64(BINS - 1):
                if np.isfinite(state.spread):
                    break
                next_ = bin_  # the tail claims nothing more there
            known = state.known
            if marks == JUDGED and known > 0.0:
                low = np.float64(state.edges[bin_])
                score = min(CAP, low + out[2, row] * (np.float64(state.edges[next_]) - low))
                band = reach if reach > 0.0 else np.float64(state.band)
                flags[row] = JUDGED | EXTRAPOLATED if score > known else JUDGED
            else:
                flags[row] = JUDGED | WARMING
            seconds = out[0, row]
            if seconds > 0.0:
                state.counts[bin_] += seconds
                state.fresh += 1
                due = state.fresh >= state.due
        out[0, row] = score
        out[2, row] = band
        row += np.uint64(1)
        if due:
            break
    return int(np.int64(row))


@inner
def judge_far(state: Any, reach: float, out: Floats, flags: Bytes, row: int) -> None:
    """Score and count a row whose distance lies in the last bin."""
    seconds, score, band = out[0, row], 0.0, np.nan
    if flags[row] == JUDGED and state.known > 0.0:
        score = surprise_of(state, out[4, row], BINS - 1)
        band = reach if reach > 0.0 else np.float64(state.band)
        flags[row] = JUDGED | EXTRAPOLATED if score > state.known else JUDGED
    else:
        flags[row] = JUDGED | WARMING
    out[0, row] = score
    out[2, row] = band
    if seconds > 0.0:
        state.counts[BINS - 1] += seconds
        state.fresh += 1


@inner
def judge_rows(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    memory: float,
    reach: float,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> None:
    """Scores of all rows, in order, each counted before the next is scored."""
    row = begin
    while row < end:
        stopped = judge_quick(states, slots, base, channel, reach, out, flags, row, end)
        if stopped == row:
            judge_far(states[slots[channel[row] - base]], reach, out, flags, row)
            stopped = row + 1
        row = stopped
        if flags[row - 1]:
            state = states[slots[channel[row - 1] - base]]
            if state.fresh >= state.due:
                refresh(state, memory)


@inner
def draw(sign: int, out: Floats, begin: int, end: int) -> None:
    """The band about the expected, from its reach in usual distances, on the sides that count."""
    if sign == 0:
        for row in range(np.uint64(begin), np.uint64(end)):
            reach = out[2, row] * out[3, row]
            out[2, row] = out[1, row] - reach
            out[3, row] = out[1, row] + reach
        return
    for row in range(np.uint64(begin), np.uint64(end)):
        reach = out[2, row] * out[3, row]
        out[2, row] = out[1, row] - reach if sign < 0 else np.nan
        out[3, row] = out[1, row] + reach if sign > 0 else np.nan
