"""What learned detectors share: a level that follows, a usual distance, the band, the reason."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import inner, kernel
from models.detectors.bank import Judged, Trait, number
from models.detectors.parameters import Parameters, parameter
from models.detectors.rows import EXTRAPOLATED, JUDGED, SECOND, WARMING
from models.detectors.surprise import surprise_of
from models.readings import Bytes, Floats

CLIP = 5.0  # a reading moves the level by at most so many usual distances
SCALE_GAIN = 0.125  # the scale remembers eight times as long as the mean
FILLED = 1.0 - math.exp(-1.0 / SCALE_GAIN)  # eight time constants, as the scale's average needs
NANO = 1e-9
LONGEST_PACES = 8  # after a silence, a reading stands for at most so many usual intervals
PACE_SHIFT = 3  # the pace moves by an eighth of the difference
LONGEST = 30 * 86400 * SECOND  # the first interval of all stands for at most that
ALIKE_SHIFT = 6  # steps that differ by less than a 64th share one gain: clocks jitter

LEVEL: list[Any] = [
    ("last", "i8"),
    ("mean", "f8"),
    ("scale", "f8"),  # usual distance from the mean
    ("weight", "f8"),  # how much of the exponential window is filled
    ("taught", "f8"),  # seconds learned, never forgotten
    ("rate", "f8"),  # 1 - exp(-step/tau)
    ("step", "i8"),  # ns, the step `rate` was worked out for
    ("pace", "i8"),  # usual ns between readings
    ("floor", "f4"),  # smallest scale, from the channel's resolution
]


class LearnedParameters(Parameters):
    """What all learned detectors share."""

    warmup_s: float = parameter(
        86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=0,
        le=90 * 86400,
        text="Time of readings to learn from before anything is scored.",
        text_zh="开始评分前需要学习的读数时长。",
    )
    memory_s: float = parameter(
        14 * 86400.0,
        title="Memory",
        zh="记忆时长",
        unit="s",
        gt=0,
        le=366 * 86400,
        text="How far back usual distances are remembered; older ones fade.",
        text_zh="对常见偏差的记忆时长；更早的逐渐淡忘。",
    )
    side: str = parameter(
        "both",
        title="Side",
        zh="方向",
        pattern="^(both|high|low)$",
        text="Which way counts as unusual: both, high or low.",
        text_zh="哪个方向视为异常：both 双向、high 偏高、low 偏低。",
    )

    @functools.cached_property
    def sign(self) -> int:
        """0 both, 1 high alone, -1 low alone."""
        return {"both": 0, "high": 1, "low": -1}[self.side]


@inner
def step_of(state: Any, time: int) -> int:
    """ns a reading stands for: since the last one, bounded by the usual pace; updates the pace."""
    step = min(time - state.last, LONGEST)
    pace = state.pace if state.pace > 0 else step
    step = min(step, LONGEST_PACES * pace)
    state.pace = pace + ((step - pace) >> PACE_SHIFT)
    return int(step)


@kernel
def sided(residual: float, sign: int) -> float:
    """Distance that counts: either way, or one way alone."""
    if sign == 0:
        return abs(residual)
    return max(0.0, residual * sign)


@inner
def learn_level(
    state: Any, residual: float, scale: float, step: int, seconds: float, tau: float, clip: bool
) -> None:
    """Move mean and scale towards the reading; an outlier moves them by a bounded step. `step` in ns.

    The scale remembers longer than the mean, or every calm spell would make the next ordinary move look
    strange.
    """
    if abs(step - state.step) > step >> ALIKE_SHIFT:
        state.rate = 1.0 - math.exp(-seconds / tau)
        state.step = step
    gain, slow = state.rate, state.rate * SCALE_GAIN
    if state.weight < 1.0:  # a filled window has long been taught enough: no division for it
        state.weight += state.rate * (1.0 - state.weight)
        gain /= state.weight
        if state.weight > FILLED:
            state.weight = 1.0
        if state.taught * SCALE_GAIN < tau:
            slow = max(slow, seconds / (state.taught + seconds))
    bound = CLIP * scale if clip else np.inf
    state.mean += gain * max(-bound, min(bound, residual))
    state.scale += slow * (min(bound, abs(residual)) - state.scale)


@kernel
def judge(state: Any, distance: float, place: int, warmup: float) -> tuple[float, int]:
    """Score and marks of a distance in the bin `place`; 0 while the channel is warming up."""
    if state.taught < warmup or state.known <= 0.0:
        return 0.0, JUDGED | WARMING
    score = surprise_of(state, distance, place)
    return score, JUDGED | EXTRAPOLATED if score > state.known else JUDGED


@kernel
def tell(
    out: Floats,
    flags: Bytes,
    row: int,
    score: float,
    marks: int,
    centre: float,
    reach: float,
    sign: int,
    detail: float,
) -> None:
    """Write a judgement; the band reaches `reach` from the centre on the sides that count, once warm."""
    warm = not marks & WARMING
    out[0, row] = score
    out[1, row] = centre
    out[2, row] = centre - reach if warm and sign <= 0 else np.nan
    out[3, row] = centre + reach if warm and sign >= 0 else np.nan
    out[4, row] = detail
    flags[row] = marks


def begin_learned(state: NDArray[Any], traits: Sequence[Trait]) -> None:
    """A channel cannot be calmer than half a step of its own resolution; the first refresh is set."""
    state["floor"] = [0.5 * trait.resolution for trait in traits]
    state["due"] = 16


def unexpected(judged: Judged) -> Reason:
    """The reason of learned detectors; `extrapolated` 1 says that nothing so rare was ever seen."""
    return Reason(
        code="unexpected",
        parameters={
            "value": number(judged.value),
            "expected": number(judged.expected),
            "lower": number(judged.lower),
            "upper": number(judged.upper),
            "surprise": round(judged.score, 3),
            "extrapolated": int(judged.extrapolated),
        },
    )
