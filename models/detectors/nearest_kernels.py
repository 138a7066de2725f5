"""The kernels of `nearest`: windows of readings, a bounded store of unlike ones, distances to all of it.

A store of 512 windows of 6 is looked through whole: value by value, for all windows together, which a
processor does for eight in one instruction. That leaves nothing for a bound that stops early to save.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.learned import NANO, step_of
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, clear, slot_of
from models.detectors.strangeness import is_cut, judge_strangeness, learn_strangeness, say
from models.readings import Bytes, Floats, Int64s

Singles = NDArray[np.float32]

FEWEST = 20  # windows in the store before it is compared with
_ASKED = 4  # one reading in so many is asked whether its window is worth keeping
_YOUNG = 100  # so many windows are kept without asking
_FAR = 1e15  # further from the first reading a value counts as this, so that squares stay finite
_MOST, _LEAST = 0.5, 0.01  # share of the windows asked that are kept
_STEP = 0.05  # the distance worth keeping moves by so much, in logarithms


@kernel
def take_window(ring: Floats, newest: int, spread: int, anchor: float, window: Singles) -> None:
    """Fill `window` with means of `spread` readings each, the newest first, counted from the anchor.

    `newest` is a place in the ring; negative ones count from its end.
    """
    size, back = ring.shape[0], newest
    for at in range(window.shape[0]):
        total = 0.0
        for _ in range(spread):
            total += ring[back if back >= 0 else back + size]
            back -= 1
        value = total / spread - anchor
        window[at] = max(-_FAR, min(_FAR, value))


@kernel
def measure_all(store: Singles, known: int, window: Singles, apart: Singles) -> None:
    """Squared distances of the window to the first `known` in the store (values, windows)."""
    apart[:known] = np.float32(0.0)
    for at in range(window.shape[0]):
        value, column = window[at], store[at]
        for k in range(known):
            difference = value - column[k]
            apart[k] += difference * difference


@kernel
def pick_least(apart: Singles, known: int, least: Singles, which: Int64s) -> None:
    """The smallest of the first `known`, in order, and their places; of equal ones the first."""
    least[:] = np.inf
    which[:] = -1
    last = least.shape[0] - 1
    for k in range(known):
        if apart[k] < least[last]:
            at = last
            while at > 0 and apart[k] < least[at - 1]:
                least[at] = least[at - 1]
                which[at] = which[at - 1]
                at -= 1
            least[at] = apart[k]
            which[at] = k


@kernel
def mean_root(squares: Singles) -> float:
    """Mean of the roots."""
    total = 0.0
    for k in range(squares.shape[0]):
        total += math.sqrt(np.float64(squares[k]))
    return float(total / squares.shape[0])


@kernel
def consider(
    head: Any,
    store: Singles,
    times: Int64s,
    used: Int64s,
    window: Singles,
    apart: Singles,
    ended: int,
    memory: float,
) -> None:
    """Keep the window that ended at `ended` when it is unlike all in the store, else note the one it is like.

    It takes the place of the window that none was like for longest. The distance from which on a window is
    unlike moves so that the store is filled once in `memory` seconds.
    """
    size = times.shape[0]
    measure_all(store, head.stored, window, apart)
    like = np.argmin(apart[: head.stored]) if head.stored > 0 else 0
    distance = math.sqrt(np.float64(apart[like])) if head.stored > 0 else np.inf
    young = head.stored < min(_YOUNG, size)
    if not young and distance <= head.novel:
        used[like] = ended
    else:
        place = head.stored if head.stored < size else np.argmin(used)
        for at in range(window.shape[0]):
            store[at, place] = window[at]
        times[place] = ended
        used[place] = ended
        head.stored = min(head.stored + 1, size)
    if young:
        return
    share = max(_LEAST, min(_MOST, size * _ASKED * head.pace * NANO / memory))
    kept = 1.0 if distance > head.novel else 0.0
    before = head.novel if head.novel > 0.0 else 0.5 * distance
    head.novel = before * math.exp(_STEP * (kept - share))


@kernel
def score_nearest(
    heads: NDArray[Any],
    singles: Singles,
    floats: Floats,
    longs: Int64s,
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    at: tuple[int, int, int, int, int],
    size: int,
    spread: int,
    delay: int,
    warmup: float,
    memory: float,
    window: Singles,
    apart: Singles,
    least: Singles,
    which: Int64s,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the mean distance to the nearest windows in the store; detail: seconds since the nearest.

    `at`: where ring, moments of the ring, times of the store, their last use and the store begin in the rows
    of their kinds. A suspect or late reading is judged as if it were the newest, but not kept.
    """
    wide = window.shape[0]
    span, kept = wide * spread, wide * spread + delay
    for row in range(channel.shape[0]):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        head = heads[slot]
        ring, moments = floats[slot, at[0] : at[0] + kept], longs[slot, at[1] : at[1] + kept]
        times, used = longs[slot, at[2] : at[2] + size], longs[slot, at[3] : at[3] + size]
        store = singles[slot, at[4] : at[4] + size * wide].reshape((wide, size))
        learns = not quality[row] & SUSPECT and time[row] > head.last
        joined = 0 if is_cut(head, time[row]) else head.joined
        if head.last == NEVER and learns:
            head.anchor = value[row]
        step = step_of(head, time[row]) if learns and head.last != NEVER else 0
        place = head.place
        before = ring[place]
        ring[place] = value[row]
        score, marks, since = 0.0, JUDGED | WARMING, np.nan
        if joined >= span - 1 and head.stored >= FEWEST:
            take_window(ring, place, spread, head.anchor, window)
            measure_all(store, head.stored, window, apart)
            pick_least(apart, head.stored, least, which)
            distance = mean_root(least)
            score, marks, beyond = judge_strangeness(head, distance, warmup)
            since = max(0, time[row] - times[which[0]]) * NANO
            if learns:
                learn_strangeness(head, distance, beyond, step, warmup, memory)
        say(out, flags, row, score, marks, since)
        if not learns:
            ring[place] = before
            continue
        moments[place] = time[row]
        head.last = time[row]
        head.joined = min(joined + 1, kept)
        head.asked = min(head.asked + 1, _ASKED)
        head.place = place + 1 if place + 1 < kept else 0
        if head.joined == kept and head.asked == _ASKED:
            head.asked = 0
            take_window(ring, place - delay, spread, head.anchor, window)
            ended = moments[place - delay if place >= delay else place - delay + kept]
            consider(head, store, times, used, window, apart, ended, memory)
