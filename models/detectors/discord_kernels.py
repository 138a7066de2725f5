"""Discord's kernels: the present window against all earlier ones of a bounded buffer.

The left matrix profile of a stream (Yeh et al. 2016; Lu et al. 2022): dot products are carried from reading
to reading, so that a comparison costs two products whatever a window's length.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.learned import step_of
from models.detectors.rows import JUDGED, NEVER, SECOND, SUSPECT, WARMING, clear, slot_of
from models.detectors.shape_buffer import (
    FARTHEST,
    NO_WINDOW,
    REACH,
    Int16s,
    Singles,
    compare,
    drop_oldest,
    height_of,
    largest_of,
    measure_windows,
    move_dots,
    multiply_windows,
    step_at,
    usual_reach,
)
from models.detectors.strangeness import is_cut, judge_strangeness, learn_strangeness, say
from models.readings import Bytes, Floats, Int32s

_FEWEST = 4  # windows of readings before the first comparison
_LEAST_STEPS = 4.0  # of the channel's resolution: the smallest usual reach
_TINY = 1e-30
_MANY = 12  # when one reading in so many lay too far away, the usual reach is measured anew
_TOLD = 1.0  # from this surprise on it is told when the most similar stretch was


@kernel
def rebuild(
    head: Any,
    raw: Singles,
    steps: Int16s,
    sums: Int32s,
    heights: Singles,
    moments: Int32s,
    dots: Int32s,
    length: int,
    kept: int,
    flat: float,
) -> None:
    """Drop what is older than the buffer, and measure all in steps of the reach usual by now."""
    for column in (raw, heights):
        drop_oldest(column, kept, head.end)
    for whole in (sums, moments):
        drop_oldest(whole, kept, head.end)
    known = min(head.count, kept - length)
    head.centre, reach = usual_reach(raw[:kept], known, max(_LEAST_STEPS * head.resolution, _TINY))
    head.unit = reach / REACH
    for at in range(kept):
        steps[at] = step_at(np.float64(raw[at]), head.centre, head.unit) if at >= kept - known else 0
    head.window_sum, head.window_squares = measure_windows(
        steps[:kept], sums[:kept], heights[:kept], length, flat * REACH
    )
    multiply_windows(dots, steps[:kept], length)
    head.end = kept
    head.beyond = 0


@kernel
def was_flat(sums: Int32s, heights: Singles) -> bool:
    """Whether one of the earlier windows was whole and flat."""
    for at in range(sums.shape[0]):  # noqa: SIM110, numba knows no any()
        if heights[at] == 0.0 and sums[at] != NO_WINDOW:
            return True
    return False


@kernel
def difference_of(
    dots: Int32s,
    sums: Int32s,
    heights: Singles,
    total: int,
    height: float,
    length: int,
    found: Singles,
    bits: Int32s,
) -> float:
    """How unlike the present window is to the most similar earlier one: sqrt(1 - correlation), 0..1.

    That is the distance of the two windows, each with mean 0 and deviation 1, over sqrt(2 length). A flat
    window is like flat ones alone. `found`, of which `bits` are the bits, keeps the covariances.
    """
    if height == 0.0:
        found[:] = 0.0
        return 0.0 if was_flat(sums, heights) else 1.0
    compare(dots, sums, heights, total / length, found)
    return math.sqrt(max(0.0, 1.0 - largest_of(bits) * height))


@kernel
def since_similar(found: Singles, moments: Int32s, bits: Int32s, now: int) -> float:
    """Seconds since the most similar window ended, the latest one if several are; `now` as `moments`."""
    best = largest_of(bits)
    for at in range(found.shape[0] - 1, -1, -1):
        if found[at] >= best:
            return float(max(0, now - moments[at]))
    return np.nan


@kernel
def moment_of(head: Any, time: int) -> int:
    """Whole seconds since the channel's origin, as 32 bits hold them."""
    return int(max(-(2**31), min(2**31 - 1, (time - head.origin) // SECOND)))


@kernel
def score_discord(
    heads: NDArray[Any],
    singles: Singles,
    shorts: Int16s,
    whole: Int32s,
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    at: tuple[int, int, int, int, int, int],
    length: int,
    kept: int,
    room: int,
    flat: float,
    warmup: float,
    memory: float,
    found: Singles,
    bits: Int32s,
    spare: Int32s,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the difference to the most similar earlier window; detail: seconds since that one.

    `at`: where raw readings, heights, sums, moments, dots and steps begin in the rows of their kinds. `kept`
    readings stay at a rebuild, there is room for `room`. A suspect or late reading is judged as if it were
    the newest, but not kept.
    """
    lags = spare.shape[0]
    for row in range(channel.shape[0]):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        head = heads[slot]
        raw, heights = singles[slot, at[0] : at[0] + room], singles[slot, at[1] : at[1] + room]
        sums, moments = whole[slot, at[2] : at[2] + room], whole[slot, at[3] : at[3] + room]
        dots, steps = whole[slot, at[4] : at[4] + lags], shorts[slot, at[5] : at[5] + room]
        learns = not quality[row] & SUSPECT and time[row] > head.last
        joined = 0 if is_cut(head, time[row]) else head.joined
        if head.last == NEVER and learns:
            head.anchor = value[row]
            head.origin = time[row]
        step_ns = step_of(head, time[row]) if learns and head.last != NEVER else 0
        end = head.end
        single = np.float32(value[row] - head.anchor)
        step, total, squares, height = 0, head.window_sum, head.window_squares, 0.0
        score, marks, since = 0.0, JUDGED | WARMING, np.nan
        if head.unit > 0.0:
            step = step_at(np.float64(single), head.centre, head.unit)
            old = int(np.int64(steps[end - length]))
            total += step - old
            squares += step * step - old * old
            height = height_of(total, squares, length, flat * REACH)
            last = end - length + 1  # one past the newest reading of the latest earlier window
            first = last - lags
            moved = dots
            if not learns:
                spare[:] = dots
                moved = spare
            move_dots(moved, steps[first:last], steps[first - length : last - length], step, old)
            if joined >= length - 1:
                difference = difference_of(
                    moved, sums[first:last], heights[first:last], total, height, length, found, bits
                )
                score, marks, beyond = judge_strangeness(head, difference, warmup)
                if score >= _TOLD:
                    since = since_similar(found, moments[first:last], bits, moment_of(head, time[row]))
                if learns:
                    learn_strangeness(head, difference, beyond, step_ns, warmup, memory)
        say(out, flags, row, score, marks, since)
        if not learns:
            continue
        raw[end] = single
        steps[end] = step
        sums[end] = total if joined >= length - 1 else NO_WINDOW
        heights[end] = height if joined >= length - 1 else 0.0
        moments[end] = moment_of(head, time[row])
        head.window_sum, head.window_squares, head.end, head.last = total, squares, end + 1, time[row]
        head.joined = min(joined + 1, length)
        head.count = min(head.count + 1, kept)
        if abs(step) >= FARTHEST:
            head.beyond += 1
        if (
            head.end == room
            or head.beyond > kept // _MANY
            or (head.count == _FEWEST * length and head.unit == 0.0)
        ):
            rebuild(head, raw, steps, sums, heights, moments, dots, length, kept, flat)
