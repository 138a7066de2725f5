"""River's kernels: readings made points before the models see them, strangeness made surprise after."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.learned import LEVEL, NANO, learn_level, step_of
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, clear, slot_of
from models.detectors.strangeness import HEAD, is_cut, judge_strangeness, learn_strangeness, say
from models.detectors.wary import ENDS, bounded, weigh
from models.readings import Bytes, Floats, Int64s

NOT_A_POINT, POINT, NEW_POINT = range(3)  # a row: no whole point, a point, one that may be learned
REACH = 8.0  # usual distances; farther is not told apart
_GROUND = 0.1  # of the warm-up, until the channel's mean and usual distance are known
_STRANGE_WAITS = 16  # times as long until a strange point is learned

RECORD: list[Any] = [
    ("teach_at", "i8"),  # when the next point may be learned
    ("learned", "i8"),  # points learned
    ("strange", "i8"),  # whether a strange episode goes on
    *HEAD,
]
# The channel's mean and usual distance, which make its readings comparable.
GROUND = np.dtype([("joined", "i8"), *LEVEL, ("unused", "f4")])


@kernel
def in_reach(value: float, ground: Any) -> float:
    """A value in usual distances from the mean, within -8..8."""
    scale = max(ground.scale, np.float64(ground.floor))
    away = value - ground.mean
    if scale > 0.0:
        return float(max(-REACH, min(REACH, away / scale)))
    return 0.0 if away == 0.0 else REACH if away > 0.0 else -REACH


@kernel
def learn_ground(ground: Any, value: float, step: int, warmup: float, memory: float) -> None:
    """Follow the channel's mean and usual distance; `step` 0: its first reading."""
    if step == 0:
        ground.mean = value
        return
    seconds = step * NANO
    scale = max(ground.scale, np.float64(ground.floor))
    settled = ground.taught >= _GROUND * warmup and scale > 0.0
    learn_level(ground, value - ground.mean, scale, step, seconds, memory, settled)
    ground.taught += seconds


@kernel
def make_points(
    heads: NDArray[Any],
    grounds: NDArray[Any],
    recents: Floats,
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    warmup: float,
    memory: float,
    points: Floats,
    steps: Int64s,
    kinds: Int64s,
    out: Floats,
    flags: Bytes,
) -> None:
    """Points of all rows (n, wide), newest reading first, what kind of row each is, and the ns it stands for.

    A suspect or late reading makes a point as if it were the newest, but is not kept.
    """
    wide = points.shape[1]
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        kinds[row] = NOT_A_POINT
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            continue
        flags[row] = JUDGED | WARMING
        head, ground = heads[slot], grounds[slot]
        joined = 0 if is_cut(head, time[row]) else ground.joined
        learns = not quality[row] & SUSPECT and time[row] > head.last
        step = step_of(head, time[row]) if learns and head.last != NEVER else 0
        known = bounded(value[row])
        points[row, 0] = in_reach(known, ground)
        for back in range(1, wide):
            points[row, back] = recents[slot, back - 1]
        steps[row] = step
        if joined >= wide - 1 and ground.taught >= _GROUND * warmup and ground.taught > 0.0:
            kinds[row] = NEW_POINT if learns else POINT
        if not learns:
            continue
        learn_ground(ground, known, step, warmup, memory)
        for back in range(wide - 1, 0, -1):
            recents[slot, back] = recents[slot, back - 1]
        recents[slot, 0] = points[row, 0]
        ground.joined = min(joined + 1, wide)
        head.last = time[row]


@kernel
def settle(
    head: NDArray[Any],
    raw: float,
    strangeness: float,
    learns: bool,
    step: int,
    warmup: float,
    memory: float,
    out: Floats,
    flags: Bytes,
    row: int,
) -> None:
    """Judge a point by its strangeness, then learn that; `raw` is river's own score."""
    score, marks, beyond = judge_strangeness(head[0], strangeness, warmup)
    say(out, flags, row, score, marks, raw)
    if learns:
        weight = weigh(head[0], score, 1.0)
        learn_strangeness(head[0], strangeness, beyond, int(step * weight), warmup, memory)


@kernel
def is_due(head: NDArray[Any], time: int, every: int, score: float) -> bool:
    """Whether a point of now is to be learned; strange ones are a sixteenth as often."""
    strange = head[0].strange != 0 or score >= ENDS
    if time < head[0].teach_at + (_STRANGE_WAITS - 1) * every * strange:
        return False
    head[0].teach_at = time + every
    head[0].learned += 1
    return True
