"""The last readings of a channel as whole steps, and how alike their shapes are.

Sliding dot products of whole numbers are exact: they can be carried from reading to reading for ever without
drifting, and whoever computes them anew gets the same to the bit. So readings are rounded to steps of a
512th of the channel's usual reach and bounded at four times that; a step more or less changes no shape.

Columns are in order of time. Dot products belong to lags, so they stay where they are as time goes on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.readings import Int32s

Int16s = NDArray[np.int16]
Singles = NDArray[np.float32]

REACH = 512.0  # steps in the usual reach
FARTHEST = 2047.0  # a step beyond counts as this: with 256 readings a window, dot products fit 32 bits
_SAMPLE = 256  # readings the usual reach is read from
_OUTER = 16  # the reach leaves out one reading in so many on each side
NO_WINDOW = -(2**31)  # for a sum: the window is not whole


@kernel
def step_at(value: float, centre: float, unit: float) -> int:
    """A value as whole steps of `unit` from `centre`, bounded; no number is the lowest."""
    step = np.rint((value - centre) / unit)
    step = step if step > -FARTHEST else -FARTHEST
    return int(np.int64(step if step < FARTHEST else FARTHEST))


@kernel
def usual_reach(raw: Singles, count: int, least: float) -> tuple[float, float]:
    """Middle of the last `count` readings and how far they usually reach from it, at least `least`."""
    every = max(1, count // _SAMPLE)
    sample = np.sort(raw[raw.shape[0] - count :: every].astype(np.float64))
    outer = sample.shape[0] // _OUTER
    low, high = sample[outer], sample[sample.shape[0] - 1 - outer]
    return 0.5 * low + 0.5 * high, max(0.5 * high - 0.5 * low, least)


@kernel
def height_of(total: int, squares: int, length: int, least: float) -> float:
    """One over the norm of a window in steps, its mean taken away; 0 when it is flat.

    Flat is a standard deviation of less than `least` steps. A window of no spread at all is always flat.
    """
    spread = np.float64(length * squares - total * total) / length
    return 1.0 / math.sqrt(spread) if spread > length * least * least else 0.0


@kernel
def move_dots(dots: Int32s, steps: Int16s, left: Int16s, new: int, old: int) -> None:
    """Move the dot products on by a reading: `new` came into the present window and `old` left it.

    Item i of all arrays belongs to one lag: `steps` is the newest reading of the earlier window, `left` the
    one that has just left that.
    """
    for i in range(dots.shape[0]):
        dots[i] += new * steps[i] - old * left[i]


@kernel
def compare(dots: Int32s, sums: Int32s, heights: Singles, mean: float, found: Singles) -> None:
    """Covariance with each earlier window over that window's norm; 0 where it is flat or not whole."""
    for i in range(dots.shape[0]):
        found[i] = (np.float64(dots[i]) - mean * np.float64(sums[i])) * np.float64(heights[i])


@kernel
def largest_of(bits: Int32s) -> float:
    """The largest of single floats given as their bits, 0 at least.

    Floats that are not negative compare as whole numbers do, and those the processor takes eight at a time.
    """
    best = np.int32(0)
    for i in range(bits.shape[0]):
        best = max(best, bits[i])
    return float(np.int32(best).view(np.float32))


@kernel
def drop_oldest(column: NDArray[Any], kept: int, end: int) -> None:
    """Move the last `kept` items before `end` to the front."""
    for at in range(kept):
        column[at] = column[end - kept + at]


@kernel
def measure_windows(
    steps: Int16s, sums: Int32s, heights: Singles, length: int, least: float
) -> tuple[int, int]:
    """Sum and height of every whole window anew; returns sum and sum of squares of the newest `length`."""
    total, squares = 0, 0
    for at in range(steps.shape[0]):
        step = int(np.int64(steps[at]))
        left = int(np.int64(steps[at - length])) if at >= length else 0
        total += step - left
        squares += step * step - left * left
        if sums[at] != NO_WINDOW:
            sums[at] = total
            heights[at] = height_of(total, squares, length, least)
    return total, squares


@kernel
def multiply_windows(dots: Int32s, steps: Int16s, length: int) -> None:
    """Dot products of the newest window with the earlier ones anew; the last item's lag is `length`."""
    end, count = steps.shape[0], dots.shape[0]
    dots[:] = 0
    for back in range(1, length + 1):
        newest = steps[end - back]
        last = end - length - back + 1  # one past the reading of the latest earlier window
        move_dots(dots, steps[last - count : last], steps[:count], newest, 0)
