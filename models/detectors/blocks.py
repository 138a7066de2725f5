"""Blocks: readings drawn together over a part of a window, judged whenever a block is full.

A block is full when its readings stand for an eighth of the window or so; a slow channel's block takes as
long as the few readings it needs. What a detector makes of its blocks is a size with a sign: how far a level
moved, how steep a trend is. Its surprise comes from the usual size on that side, for a channel may rise fast
and fall slowly. Between two blocks the rows repeat what was said at the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from models.compile import inner, kernel
from models.detectors.bank import Judged, PackedBank, Trait, number
from models.detectors.learned import CLIP, NANO, LearnedParameters, begin_learned, judge, sided, step_of
from models.detectors.rows import JUDGED, NEVER, WARMING
from models.detectors.surprise import bin_of, learn_distance
from models.detectors.wary import LITTLE, in_units, weigh
from models.readings import Bytes, Floats

BLOCK: list[Any] = [
    ("rows", "i4"),  # readings in the present block
    ("held", "i4"),  # blocks kept, up to as many as the detector needs
    ("strange", "i4"),
    ("marks", "i4"),  # of the last judgement
    ("last", "i8"),
    ("pace", "i8"),
    ("clock", "f8"),  # seconds since the first reading
    ("taught", "f8"),
    ("seconds", "f8"),  # that the present block stands for
    ("mean", "f8"),  # of its readings
    ("when", "f8"),  # mean of their times, by `clock`
    ("judged", "f8"),  # seconds that sizes stood for
    ("rise", "f8"),  # usual size of what is positive
    ("fall", "f8"),  # and of what is negative
    ("rising", "f8"),  # seconds these were learned over
    ("falling", "f8"),
    ("told", "f8", (5,)),  # the last judgement, as rows of scores have it
    ("floor", "f4"),
]
P = TypeVar("P", bound=LearnedParameters)
_SETTLED = 0.5  # of the warm-up: what sizes of the first hours make of the next ones would long be remembered
_LEAST_REMEMBERED = 100.0  # blocks
_LEAST = 0.25  # the usual size on one side is at least so much of the other's


@inner
def take(state: Any, time: int) -> float:
    """Move on to a reading of the present block; its share of the block, 0 for the channel's first."""
    if state.last == NEVER:
        state.last = time
        return 0.0
    state.clock += (time - state.last) * NANO
    seconds = step_of(state, time) * NANO
    state.last = time
    state.taught += seconds
    state.seconds += seconds
    state.rows += 1
    return float(seconds / state.seconds)


@inner
def average(state: Any, value: float, share: float) -> None:
    """Draw the reading into the block's means."""
    state.mean += share * (value - state.mean)
    state.when += share * (state.clock - state.when)


@inner
def is_full(state: Any, length: float, fewest: int) -> bool:
    """Whether the block stands for `length` seconds and holds `fewest` readings."""
    return bool(state.seconds >= length and state.rows >= fewest)


@inner
def begin_block(state: Any) -> None:
    """The next reading begins a block."""
    state.rows = 0
    state.seconds = 0.0
    state.mean = 0.0
    state.when = 0.0


@kernel
def keep(values: Floats, value: float) -> None:
    """Add a value at the end; the first falls out."""
    for k in range(values.shape[0] - 1):
        values[k] = values[k + 1]
    values[values.shape[0] - 1] = value


@kernel
def middle_mean(values: Floats, cut: int, work: Floats) -> float:
    """Mean of the values without the `cut` smallest and the `cut` largest."""
    count = values.shape[0]
    work[:count] = values
    work[:count].sort()
    total = 0.0
    for k in range(cut, count - cut):
        total += work[k]
    return float(total / (count - 2 * cut))


@kernel
def usual_size(state: Any, rising: bool, floor: float) -> float:
    """Usual size on one side."""
    own, other = (state.rise, state.fall) if rising else (state.fall, state.rise)
    return float(max(own, _LEAST * other, floor))


@inner
def weight_of(state: Any) -> float:
    """Seconds the full block may teach; few in an episode of strangeness."""
    return float(LITTLE * state.seconds if state.strange else state.seconds)


@inner
def memory_of(state: Any, memory: float) -> float:
    """How long blocks are remembered: a slow channel's would else be too few to judge by."""
    return float(max(memory, _LEAST_REMEMBERED * state.seconds))


@inner
def age_of(side: float, judged: float, memory: float) -> float:
    """Seconds a usual size stands on; on a side that is rarely seen it does not jump to what comes first."""
    return min(memory, max(side, _LEAST * judged))


@kernel
def judge_block(state: Any, size: float, floor: float, sign: int, warmup: float, memory: float) -> None:
    """Judge the size a block led to, then learn it; the rows will say score and marks."""
    scale = usual_size(state, size > 0.0, floor)
    distance = in_units(sided(size, sign), scale)
    score, marks = judge(state, distance, bin_of(distance), warmup)
    state.told[0] = score
    state.marks = marks
    weight = weigh(state, score, state.seconds)
    state.judged += state.seconds
    bound = np.inf
    if state.judged >= _SETTLED * warmup:
        learn_distance(state, bin_of(distance), weight, memory)
        # Where sizes often lie far out, as the band tells, the usual one is too small to bound them by.
        bound = max(CLIP, np.float64(state.band)) * scale if scale > 0.0 else np.inf
    if size > 0.0:
        state.rising += weight
        state.rise += weight / age_of(state.rising, state.judged, memory) * (min(size, bound) - state.rise)
    elif size < 0.0:
        state.falling += weight
        state.fall += weight / age_of(state.falling, state.judged, memory) * (min(-size, bound) - state.fall)


@kernel
def explain_rows(state: Any, centre: float, down: float, up: float, sign: int, detail: float) -> None:
    """What the rows will say beside the score: a band once warm, on the sides that count, and the detail."""
    warm = not state.marks & WARMING
    state.told[1] = centre
    state.told[2] = centre - down if warm and sign <= 0 else np.nan
    state.told[3] = centre + up if warm and sign >= 0 else np.nan
    state.told[4] = detail


@kernel
def reach_of(state: Any, rising: bool, floor: float) -> float:
    """The size on one side whose surprise is 3."""
    return float(np.float64(state.band) * usual_size(state, rising, floor))


@inner
def repeat(state: Any, out: Floats, flags: Bytes, row: int) -> None:
    """The row says what the last block led to."""
    for k in range(5):
        out[k, row] = state.told[k]
    flags[row] = state.marks


class BlockBank(PackedBank[P]):
    """Banks whose record is BLOCK, SKETCH and the blocks kept."""

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        self.state["told"][:, 1:] = np.nan
        self.state["marks"] = JUDGED | WARMING


def told_of(judged: Judged, **more: float | None) -> dict[str, float | int | str | None]:
    """What a reason says: what all of these know, and what is the detector's own."""
    return {
        "value": number(judged.value),
        "expected": number(judged.expected),
        "lower": number(judged.lower),
        "upper": number(judged.upper),
        **more,
        "surprise": round(judged.score, 3),
        "extrapolated": int(judged.extrapolated),
    }
