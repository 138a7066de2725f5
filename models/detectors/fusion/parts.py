"""The parts: how surprising each of the four is at a reading, and what each learns from it."""

from __future__ import annotations

import math
from typing import Any

from models.compile import kernel
from models.detectors.fusion.extreme import CAP, extreme_of
from models.detectors.fusion.record import DAY, EXTREME, PARTS, SHAPE, SHIFT
from models.detectors.learned import NANO
from models.detectors.surprise import RECORD_S, beyond_record, bin_of, learn_distance, surprise_of
from models.readings import Floats

STRANGE = 5.0  # from this surprise on a reading teaches what is usual only a little: it may be the hazard
WARY = 0.0625
SETTLED = 50.0  # readings before a part may speak
MEMORY_S = 14 * 86400.0
MEMORY_READINGS = 4000.0
CLIP = 5.0
_STEPS = 63.0  # shares are told in 63rds, six bits each


@kernel
def counted(change: float, side: int) -> float:
    """Size of a change on the side that counts; NaN stays NaN."""
    if side == 0 or math.isnan(change):
        return abs(change)
    return max(0.0, change * side)


@kernel
def matters(day: float, shift: float, excess: float, floor: float) -> float:
    """How much a reading matters to anybody, 0..1: its largest change on the side that counts, in floors."""
    if floor <= 0.0:
        return 1.0
    largest = excess
    if day > largest:  # false where it is not known
        largest = day
    if shift > largest:
        largest = shift
    return min(1.0, largest / floor)


@kernel
def part_of(state: Any, sketch: Any, part: int, size: float) -> float:
    """Surprise of a statistic of this size, 0..9.9; 0 while the part has not seen enough."""
    if math.isnan(size) or not state.usual[part] > 0.0 or sketch.known <= 0.0:
        return 0.0
    distance = size / state.usual[part]
    surprise = surprise_of(sketch, distance, bin_of(distance))
    largest = state.largest[part]
    if size > largest > 0.0 and state.weight[part] > SETTLED * NANO * state.pace:
        surprise += beyond_record(size, largest)
    return float(min(CAP, surprise))


@kernel
def learn_part(state: Any, sketch: Any, part: int, size: float, seconds: float, memory: float) -> None:
    """Learn how large the statistic usually is, and how its sizes spread."""
    if math.isnan(size):
        return
    state.largest[part] = max(size, state.largest[part] * math.exp(-seconds / RECORD_S))
    usual = state.usual[part]
    if usual > 0.0:
        learn_distance(sketch, bin_of(size / usual), seconds, memory)
        size = min(size, CLIP * usual)
    state.weight[part] += seconds
    state.usual[part] += max(seconds / state.weight[part], 2.0 * seconds / memory) * (size - usual)


@kernel
def learn_parts(
    state: Any, sketches: Any, day: float, shift: float, strange: float, score: float, seconds: float
) -> float:
    """Let the three parts that are calibrated learn a reading; returns how far it is believed, 0..1."""
    memory = max(MEMORY_S, MEMORY_READINGS * NANO * state.pace)
    weight = 1.0 if score < STRANGE else WARY
    learn_part(state, sketches[DAY], DAY, day, weight * seconds, memory)
    learn_part(state, sketches[SHIFT], SHIFT, shift, weight * seconds, memory)
    learn_part(state, sketches[SHAPE], SHAPE, strange, weight * seconds, memory)
    return weight


@kernel
def rate_parts(
    state: Any, sketches: Any, day: float, shift: float, strange: float, excess: float, part: Floats
) -> float:
    """Fill `part` with the four surprises; returns the evidence, their mean."""
    part[DAY] = part_of(state, sketches[DAY], DAY, day)
    part[SHIFT] = part_of(state, sketches[SHIFT], SHIFT, shift)
    part[SHAPE] = part_of(state, sketches[SHAPE], SHAPE, strange)
    part[EXTREME] = extreme_of(state, excess)
    return float((part[DAY] + part[SHIFT] + part[SHAPE] + part[EXTREME]) / PARTS)


@kernel
def packed_shares(part: Floats, evidence: float) -> float:
    """Each part's share in 63rds as one number, six bits a part; 0 when there is no evidence."""
    packed = 0.0
    if evidence > 0.0:
        for k in range(PARTS - 1, -1, -1):
            packed = packed * 64.0 + math.floor(_STEPS * part[k] / (PARTS * evidence) + 0.5)
    return packed
