"""Arithmetic of a room: which channels stand, how they go together, how far they are from it jointly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.learned import CLIP, NANO
from models.detectors.rows import NEVER
from models.readings import Floats, Int64s

MOST = 8  # channels of a room
STANDS_PACES = 4  # a channel's latest value stands for so many of its usual intervals
SETTLED = 0.125  # of the warm-up: then a channel's own level is good enough to be put beside others
_FARTHEST = 1e6  # usual distances; farther is not told apart
_KEPT = 0.98  # of a correlation: two channels are never taken for one and the same
_ORDINARY = 9.0  # squared distance for each channel up to which a moment teaches in full
_STEPS = 63.0  # shares are told in 63rds, so that eight fit one number


@kernel
def move_of(state: Any, value: float) -> float:
    """How far a value is from the channel's level, in its usual distances; 0 while these are not known."""
    scale = max(state.scale, np.float64(state.floor))
    if scale <= 0.0:
        return 0.0
    return float(max(-_FARTHEST, min(_FARTHEST, (value - state.mean) / scale)))


@kernel
def stands(state: Any, time: int, warmup: float) -> bool:
    """Whether the channel's latest value may be put beside others at `time`."""
    if state.last == NEVER or state.taught < SETTLED * warmup:
        return False
    return bool(abs(time - state.last) <= STANDS_PACES * state.pace)


@kernel
def gather(
    states: NDArray[Any], slot: int, time: int, value: float, warmup: float, among: Int64s, moves: Floats
) -> int:
    """Places and moves of the channels that stand at `time`, the one at `slot` last; returns how many."""
    count = 0
    for other in range(states.shape[0]):
        if other != slot and stands(states[other], time, warmup):
            among[count] = other
            moves[count] = move_of(states[other], states[other].value)
            count += 1
    among[count] = slot
    moves[count] = move_of(states[slot], value)
    return count + 1


@kernel
def correlation(states: NDArray[Any], one: int, other: int) -> float:
    """How two channels' moves go together, drawn a little towards not at all; 0 while it is not known."""
    squares = states[one].products[one] * states[other].products[other]
    if squares <= 0.0:
        return 0.0
    return float(_KEPT * states[one].products[other] / math.sqrt(squares))


@kernel
def distance_of(
    states: NDArray[Any], among: Int64s, count: int, moves: Floats, root: Floats, way: Floats
) -> float:
    """Squared Mahalanobis distance of the moves, by the Cholesky root of their correlations.

    `root` takes the root; `way` the moves made independent, one after the other, so the last is what the
    last channel does beyond what the others let expect.
    """
    total = 0.0
    for a in range(count):
        rest = moves[a]
        for b in range(a):
            entry = correlation(states, among[a], among[b])
            for c in range(b):
                entry -= root[a, c] * root[b, c]
            root[a, b] = entry / root[b, b]
            rest -= root[a, b] * way[b]
        square = 1.0
        for c in range(a):
            square -= root[a, c] * root[a, c]
        root[a, a] = math.sqrt(max(square, 1e-9))
        way[a] = rest / root[a, a]
        total += way[a] * way[a]
    return total


@kernel
def share_out(count: int, moves: Floats, root: Floats, way: Floats, parts: Floats) -> None:
    """Each channel's part of the squared distance; they add up to it, and one may be below zero."""
    for a in range(count - 1, -1, -1):
        pull = way[a]
        for c in range(a + 1, count):
            pull -= root[c, a] * parts[c]
        parts[a] = pull / root[a, a]
    for a in range(count):
        parts[a] *= moves[a]


@kernel
def speaker_of(states: NDArray[Any], among: Int64s, count: int, parts: Floats) -> int:
    """Place of the channel that speaks: the one that spoke last, until another has twice its part."""
    most, held = 0, 0.0
    for a in range(count):
        if parts[a] > parts[most]:
            most = a
        if states[among[a]].speaks == 1:
            held = parts[a]
    for a in range(count):
        if states[among[a]].speaks == 1 and parts[most] <= 2.0 * held:
            return int(among[a])
    return int(among[most])


@kernel
def packed_shares(among: Int64s, count: int, parts: Floats) -> float:
    """Shares of the channels' parts in 63rds, six bits for each place in the room, as one whole number.

    Above them stands the place of the channel whose row it is, the last one among them.
    """
    total = 0.0
    for a in range(count):
        total += max(0.0, parts[a])
    packed = int(among[count - 1]) << (6 * MOST)
    if total > 0.0:
        for a in range(count):
            packed |= int(_STEPS * max(0.0, parts[a]) / total + 0.5) << (6 * among[a])
    return float(packed)


@kernel
def learn_held(
    states: NDArray[Any], time: int, step: int, warmup: float, memory: float, moves: Floats
) -> None:
    """Learn the moment that lasted until `time`: all latest values together, for as long as they stood.

    So channels read in turn within a second are learned as they were together. A moment far from the usual
    teaches less, the farther the less; `step`, ns, is the longest it can have stood.
    """
    since = NEVER
    for place in range(states.shape[0]):
        since = max(since, states[place].last)
    lasted = min(time - since, step)
    if since == NEVER or lasted <= 0:
        return
    seconds = lasted * NANO
    kept, weight = math.exp(-seconds / memory), seconds
    for place in range(states.shape[0]):
        state = states[place]
        moves[place] = 0.0
        if stands(state, since, warmup):
            moves[place] = max(-CLIP, min(CLIP, move_of(state, state.value)))
        if state.last == since and state.joint > _ORDINARY:
            weight = min(weight, seconds * _ORDINARY / state.joint)
    for one in range(states.shape[0]):
        for other in range(states.shape[0]):
            learned = weight * moves[one] * moves[other]
            states[one].products[other] = kept * states[one].products[other] + learned
