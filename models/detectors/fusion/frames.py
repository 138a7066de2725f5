"""Frames: readings drawn together over a minute: fast channels are seen at the pace of what happens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.fusion.record import BEFORE, RECENT, RING

Singles = NDArray[np.float32]
_GAP_FRAMES = 10  # a shape may not span so many frames without a reading


@kernel
def enter_frame(state: Any, frames: Singles, frame: int, paces: int) -> bool:
    """Close the frame being filled when `frame` is another; whether it was closed.

    `paces` is how many frames usually lie between two readings.
    """
    if frame == state.frame or state.count == 0.0:
        state.frame = frame
        return False
    _push(state, frames, state.sum / state.count)
    state.unbroken = 0 if frame - state.frame > max(_GAP_FRAMES, 4 * paces) else state.unbroken + 1
    state.frame = frame
    state.sum = 0.0
    state.count = 0.0
    return True


@kernel
def bridge(state: Any, frames: Singles, frame: int, paces: int, course: float) -> None:
    """Enter `frame` after a silence: the missed frames lie on a line that has gone by `course` at its end."""
    missed = frame - state.frame - 1
    last = state.sum / state.count if state.count > 0.0 else 0.0
    if enter_frame(state, frames, frame, paces):
        for k in range(max(1, missed - RING + 1), missed + 1):
            _push(state, frames, last + course * k / (missed + 1))


@kernel
def move_frames(state: Any, frames: Singles, by: float) -> None:
    """Move all that is remembered up or down, the frame being filled too."""
    if state.count > 0.0:
        state.sum = state.sum / state.count + by
        state.count = 1.0
    held = min(state.closed, RING - 1)
    state.recent = 0.0
    state.before = 0.0
    for back in range(held, 0, -1):
        place = (state.closed - back) % RING
        frames[place] += np.float32(by)
        if back < RECENT:
            state.recent += np.float64(frames[place])
        else:
            state.before += np.float64(frames[place])


@kernel
def _push(state: Any, frames: Singles, mean: float) -> None:
    """Add a frame's mean to the ring and keep the two sums: of the recent ones, and of those before."""
    closed = state.closed
    if closed >= RECENT - 1:
        leaving = np.float64(frames[(closed - RECENT + 1) % RING])
        state.recent -= leaving
        state.before += leaving
        if closed >= RECENT - 1 + BEFORE:
            state.before -= np.float64(frames[(closed - RECENT + 1 - BEFORE) % RING])
    frames[closed % RING] = mean
    state.recent += np.float64(frames[closed % RING])
    state.closed = closed + 1


@kernel
def shift_of(state: Any, newest: float) -> float:
    """How far the mean of the recent frames, the newest among them, lies above the mean of those before.

    NaN until all of them are there.
    """
    if state.closed < RING - 1:
        return np.nan
    return float((state.recent + newest) / RECENT - state.before / BEFORE)


@kernel
def frame_back(state: Any, frames: Singles, back: int) -> float:
    """Mean of the frame closed `back` frames ago; 1 is the last one."""
    return float(frames[(state.closed - back) % RING])


@kernel
def recent_mean(state: Any) -> float:
    """Mean of the recent closed frames, 0 before there are any."""
    held = min(state.closed, RECENT - 1)
    return float(state.recent / held) if held > 0 else 0.0
