"""Robust: far from where most of the recent readings are, in units that neither bursts nor tails move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait, number
from models.detectors.learned import CLIP, NANO, LearnedParameters, begin_learned, judge, sided, step_of, tell
from models.detectors.parameters import parameter
from models.detectors.robust_kernels import POINTS, finest_step, half_spread, put_point
from models.detectors.rows import JUDGED, SUSPECT, WARMING, clear, slot_of
from models.detectors.surprise import SKETCH, bin_of, learn_distance
from models.detectors.wary import bounded, in_units, weigh
from models.readings import Bytes, Floats

_CALMEST = 0.25  # a window counts as at most four times calmer than windows usually are


class RobustParameters(LearnedParameters):
    """The window holds 63 points, spread evenly over its time; a slower channel's 63 readings take longer."""

    window_s: float = parameter(
        86400.0,
        title="Window",
        zh="窗口时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Time whose median is the centre; what lasts less than half of it does not move it.",
        text_zh="以此时段内读数的中位数为中心；持续时间不足其一半的变化不影响中心。",
    )


WINDOW: list[Any] = [
    ("middle", "f8"),  # median of the points
    ("half", "f8"),  # their median distance from it, as far as it is believed
    ("last", "i8"),
    ("pace", "i8"),
    ("taught", "f8"),
    ("owed", "f8"),  # seconds since the last point, as far as they count
    ("usual", "f8"),  # median distance of windows in general
    ("points", "i4"),
    ("place", "i4"),  # where the next point goes
    ("strange", "i4"),
    ("unused", "i4"),
    ("floor", "f4"),
]


@kernel
def settle_window(state: Any, ordered: Floats, gain: float) -> None:
    """Work out the middle and the spread anew; `gain`: how much this window says about windows in general.

    Readings that mostly stand still between steps have no median distance: half a step is taken. A window
    that stood still all along says nothing about distances.
    """
    count, usual, floor = state.points, state.usual, np.float64(state.floor)
    state.middle = ordered[count // 2]
    spread = half_spread(ordered, count)
    if spread == 0.0:
        spread = 0.5 * finest_step(ordered, count)
    if spread == 0.0:
        state.half = max(usual, floor)
        return
    clipped = min(spread, CLIP * usual) if usual > 0.0 else spread
    state.usual = usual + gain * (clipped - usual) if usual > 0.0 else spread
    state.half = max(spread, _CALMEST * state.usual, floor)


@kernel
def score_robust(
    states: NDArray[Any],
    rings: Floats,
    orders: Floats,
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    window: float,
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the distance from the median, in median distances; the detail is that distance.

    Suspect and late readings are scored, not learned.
    """
    for row in range(channel.shape[0]):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        state, x = states[slot], bounded(value[row])
        learns = not quality[row] & SUSPECT and time[row] > state.last
        if state.points == 0:
            clear(out, flags, row)
            flags[row] = JUDGED | WARMING
            if learns:
                put_point(state, rings[slot], orders[slot], x)
                settle_window(state, orders[slot], 1.0)
                state.last = time[row]
            continue
        distance = in_units(sided(x - state.middle, sign), state.half)
        score, marks = judge(state, distance, bin_of(distance), warmup)
        reach = np.float64(state.band) * state.half
        tell(out, flags, row, score, marks, state.middle, reach, sign, distance)
        if not learns:
            continue
        seconds = step_of(state, time[row]) * NANO
        weight = weigh(state, score, seconds)
        if state.taught >= 0.25 * warmup:
            learn_distance(state, bin_of(distance), weight, memory)
        state.taught += seconds
        state.owed += seconds
        state.last = time[row]
        apart = min(window, state.taught) / POINTS
        if state.owed >= apart:
            put_point(state, rings[slot], orders[slot], x)
            settle_window(state, orders[slot], state.owed / min(memory, state.taught))
            state.owed = min(apart, state.owed - apart)


class RobustBank(PackedBank[RobustParameters]):
    """A window of 63 points, once in order of arrival and once of size, and sketch of the tail."""

    name = "robust"
    dtype = np.dtype([*WINDOW, *SKETCH, ("ring", "f8", (POINTS,)), ("ordered", "f8", (POINTS,))])

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        self._views = (self.state["ring"], self.state["ordered"])
        given = self.parameters
        self._given = (given.window_s, given.warmup_s, given.memory_s, given.sign)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        window, warmup, memory, sign = self._given
        kept = (self.state, *self._views, self._slots, self._base)
        score_robust(*kept, *columns, window, warmup, memory, sign, table, flags)

    def _reason(self, judged: Judged) -> Reason:
        return Reason(
            code="outlying",
            parameters={
                "value": number(judged.value),
                "expected": number(judged.expected),
                "lower": number(judged.lower),
                "upper": number(judged.upper),
                "distance": number(judged.detail),
                "surprise": round(judged.score, 3),
                "extrapolated": int(judged.extrapolated),
            },
        )
