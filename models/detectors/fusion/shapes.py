"""Shapes: the last readings as a vector, held against the nearest shapes this channel has shown before.

A shape is strange when fewer than three like it are known (Laxhammar and Falkman 2014; Burnaev and Ishimtsev
2016). Of the shapes that pass, the novel ones are kept, so that the store spans weeks though it is small.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from models.compile import kernel
from models.detectors.fusion.frames import Singles, enter_frame, frame_back
from models.detectors.fusion.record import CLOSINGS, DELAY, EMBED, SHAPES
from models.readings import Int64s

STRIDE = 3  # each third frame is asked whether its shape is worth keeping
FEWEST = 20  # shapes in the store before one is compared with it
NEIGHBOURS = 3
_YOUNG = 100
_SPAN_NS = 14 * 86_400_000_000_000
_STEP = 0.05


@kernel
def nearest(shapes: Singles, stored: int, shape: Singles, apart: Singles) -> float:
    """Mean distance to the three nearest of the stored shapes; NaN while fewer than 20 are known.

    `apart` float32 (SHAPES,) is scratch: the squares are added up for all shapes together, one frame after
    the other, which a processor does for several shapes in one instruction.
    """
    known = min(stored, SHAPES)
    if known < FEWEST:
        return np.nan
    apart[:known] = np.float32(0.0)
    for j in range(EMBED):
        at = shape[j]
        for k in range(known):
            difference = at - shapes[j, k]
            apart[k] += difference * difference
    return _three_least(apart, known)


@kernel
def _three_least(apart: Singles, known: int) -> float:
    """Mean root of the three least."""
    first, second, third = np.float32(np.inf), np.float32(np.inf), np.float32(np.inf)
    for k in range(known):
        square = apart[k]
        if square < third:
            if square < first:
                first, second, third = square, first, second
            elif square < second:
                second, third = square, second
            else:
                third = square
    roots = math.sqrt(np.float64(first)) + math.sqrt(np.float64(second)) + math.sqrt(np.float64(third))
    return roots / 3.0


@kernel
def shape_at(state: Any, frames: Singles, newest: float, shape: Singles) -> bool:
    """Fill `shape` with the newest value and the frames before it; whether no gap lies in it."""
    if state.unbroken < EMBED - 1:
        return False
    shape[0] = newest
    for j in range(1, EMBED):
        shape[j] = frame_back(state, frames, j)
    return True


@kernel
def note_closings(closings: Int64s, before: int, closed: int, at: int) -> None:
    """Remember that the frames from number `before` on, up to `closed`, ended at `at`."""
    for number in range(max(before, closed - CLOSINGS), closed):
        closings[number % CLOSINGS] = at


@kernel
def remember_newest(newest: Singles, shape: Singles, whole: bool) -> None:
    """Keep the shape that was judged, for whoever asks what it is like."""
    for j in range(newest.shape[0]):
        newest[j] = shape[j] if whole else np.float32(np.nan)


@kernel
def follow_frames(
    state: Any,
    frames: Singles,
    shapes: Singles,
    ended: Int64s,
    closings: Int64s,
    shape: Singles,
    apart: Singles,
    frame: int,
    frame_ns: int,
    learns: bool,
) -> None:
    """Enter the reading's frame; one that closes by it ended at the reading before, and may bring a shape.

    `shape` and `apart` are scratch.
    """
    if not enter_frame(state, frames, frame, state.pace // frame_ns):
        return
    note_closings(closings, state.closed - 1, state.closed, state.last)
    if learns:
        keep_shape(state, frames, shapes, ended, closings, shape, apart, max(frame_ns, state.pace))


@kernel
def keep_shape(
    state: Any,
    frames: Singles,
    shapes: Singles,
    ended: Int64s,
    closings: Int64s,
    shape: Singles,
    apart: Singles,
    frame_ns: int,
) -> None:
    """Ask each third frame whether the shape some frames back is worth keeping.

    The distance that is worth it moves so that the store is filled once in a fortnight. `shape` and `apart`
    are scratch.
    """
    if state.closed % STRIDE or state.unbroken < DELAY + EMBED:
        return
    for j in range(EMBED):
        shape[j] = frame_back(state, frames, DELAY + 1 + j)
    distance = nearest(shapes, state.stored, shape, apart)
    wished = SHAPES * STRIDE * frame_ns / _SPAN_NS
    young = state.stored < _YOUNG
    novel = young or distance > state.novel
    if novel:
        for j in range(EMBED):
            shapes[j, state.stored % SHAPES] = shape[j]
        ended[state.stored % SHAPES] = closings[(state.closed - 1 - DELAY) % CLOSINGS]
        state.stored += 1
    if not young:
        if state.novel <= 0.0:
            state.novel = 0.5 * distance
        state.novel *= math.exp(_STEP * ((1.0 if novel else 0.0) - min(0.9, wished)))
