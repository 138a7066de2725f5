"""Drift: a channel's daily level that keeps going one way, on the scale of its own day-to-day changes.

A two-sided CUSUM (Page 1954) of the differences between windows of time heard. A level that only swings
comes back and takes its own sum down; one that wanders at random needs many days to go far by chance.

All functions work on one channel's record, whose dtype contains DRIFT.
"""

from __future__ import annotations

from typing import Any

from models.compile import kernel

DRIFT: list[Any] = [
    ("sum", "f8"),  # of value x seconds in the window that is open
    ("weight", "f8"),  # seconds in it
    ("mean", "f8"),  # level of the last window
    ("sway", "f8"),  # usual difference between windows
    ("up", "f8"),
    ("down", "f8"),
    ("start", "f8"),  # level before the present way up or down began
    ("way_s", "f8"),  # how long it has been going on
    ("windows", "u2"),
    ("drift", "i1"),  # +1 or -1 while the level drifts
]
_LEARNING = 7  # differences that teach before any is judged
_CLIP = 3.0  # one step is no drift, however high
_ALLOWED = 0.5
_BEGINS, _ENDS = 8.0, 4.0
_GAIN = 1.0 / 16.0
_MOST = 60_000


@kernel
def follow_drift(state: Any, value: float, seconds: float, window: float) -> None:
    """Add a believed reading that stands for `seconds`; judge when `window` seconds have been heard."""
    state.sum += value * seconds
    state.weight += seconds
    if state.weight >= window:
        _close_window(state)


@kernel
def _close_window(state: Any) -> None:
    mean = state.sum / state.weight
    change = mean - state.mean if state.windows > 0 else 0.0
    if state.up == 0.0 and state.down == 0.0:
        state.start = state.mean
        state.way_s = 0.0
    state.way_s += state.weight
    state.mean = mean
    state.sum = 0.0
    state.weight = 0.0
    if state.windows > _LEARNING:
        _judge_change(state, change)
    elif state.windows > 0:
        state.sway += (abs(change) - state.sway) / state.windows
    state.windows = min(state.windows + 1, _MOST)


@kernel
def _judge_change(state: Any, change: float) -> None:
    usual = max(state.sway, 0.25 * state.floor)
    height = max(-_CLIP, min(_CLIP, change / usual)) if usual > 0.0 else 0.0
    state.up = max(0.0, state.up + height - _ALLOWED)
    state.down = max(0.0, state.down - height - _ALLOWED)
    if state.drift == 0 and max(state.up, state.down) >= _BEGINS:
        state.drift = 1 if state.up >= _BEGINS else -1
    elif state.drift != 0 and max(state.up, state.down) < _ENDS:
        state.drift = 0
    # What goes far one way does not teach how far is usual.
    if state.up < 0.5 * _BEGINS and state.down < 0.5 * _BEGINS:
        state.sway += _GAIN * (min(abs(change), _CLIP * usual) - state.sway)


@kernel
def has_come_back(state: Any, value: float) -> bool:
    """Whether a jump to `value` undoes the drift: a sensor cleaned, calibrated or replaced."""
    if state.drift == 0:
        return False
    way = state.mean - state.start
    return bool(abs(value - state.start) <= 0.5 * abs(way))


@kernel
def forget_drift(state: Any) -> None:
    """Begin a new window and a new way where the level is now."""
    state.drift = 0
    state.up = 0.0
    state.down = 0.0
    state.sum = 0.0
    state.weight = 0.0
    state.mean = state.start
