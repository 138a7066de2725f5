"""Variance: a channel that begins to rattle, or goes dead quiet, wherever its level and its trend may be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import inner, kernel
from models.detectors.bank import Columns, Judged
from models.detectors.blocks import (
    BLOCK,
    BlockBank,
    average,
    begin_block,
    explain_rows,
    is_full,
    judge_block,
    keep,
    memory_of,
    middle_mean,
    repeat,
    take,
    told_of,
    weight_of,
)
from models.detectors.learned import LearnedParameters
from models.detectors.parameters import parameter
from models.detectors.rows import SUSPECT, clear, slot_of
from models.detectors.surprise import SKETCH
from models.detectors.wary import bounded
from models.readings import Bytes, Floats

BLOCKS = 8
_CUT = 2  # of the blocks, so many of the calmest and the wildest are left out: a jump or a burst is no rattle
_FEWEST = 4  # readings, for a line through them leaves two to vary
_CLIP = 25.0  # a block teaches at most so many usual variances
_STILL = 0.01  # of the usual variance: nothing is told apart below it
_LEAST = 1e-280
_SMALLEST = 0.1  # a log ratio; less is nothing to anybody
_BAND = 3.0  # deviations


class VarianceParameters(LearnedParameters):
    """High: begins to vary; low: goes still."""

    window_s: float = parameter(
        3600.0,
        title="Window",
        zh="窗口时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Time over which the present variance is taken; 32 readings at least.",
        text_zh="计算当前方差的时段；至少含三十二个读数。",
    )


PRODUCTS: list[Any] = [
    ("xx", "f8"),  # of the present block, about its means
    ("xt", "f8"),
    ("tt", "f8"),
    ("usual", "f8"),  # variance of blocks in general
    ("centre", "f8"),  # what the window's log variance usually is
]


@inner
def multiply(state: Any, value: float, share: float) -> None:
    """Draw the reading into the block's products, and then into its means."""
    x, t = value - state.mean, state.clock - state.when
    left = share * state.seconds * (1.0 - share)
    state.xx += left * x * x
    state.xt += left * x * t
    state.tt += left * t * t
    average(state, value, share)


@kernel
def variance_about_line(state: Any) -> float:
    """Variance of the full block's readings about a straight line through them."""
    line = state.xt / state.tt * state.xt if state.tt > 0.0 else 0.0
    return float(max(0.0, state.xx - line) / state.seconds * state.rows / (state.rows - 2))


@kernel
def close_variance(state: Any, logs: Floats, work: Floats, sign: int, warmup: float, memory: float) -> None:
    """Add the full block's log variance and judge how far the window's lies from what it usually is."""
    variance, floor = variance_about_line(state), np.float64(state.floor)
    memory = memory_of(state, memory)
    # Rounding alone makes a variance of a twelfth of a step squared, and the floor is half a step.
    least = max(_LEAST, floor * floor / 3.0 + _STILL * state.usual)
    keep(logs, math.log(variance + least))
    state.held = min(state.held + 1, BLOCKS)
    if state.held == BLOCKS:
        present = middle_mean(logs, _CUT, work)
        if state.judged == 0.0:
            state.centre = present
        size = present - state.centre
        judge_block(state, size, _SMALLEST, sign, warmup, memory)
        reach = _BAND * math.exp(0.5 * state.centre)
        explain_rows(state, state.mean, reach, reach, 0, math.exp(0.5 * size))
        state.centre += weight_of(state) / min(memory, state.judged) * size
    bound = _CLIP * state.usual if state.taught >= 0.25 * warmup and state.usual > 0.0 else np.inf
    state.usual += weight_of(state) / min(memory, state.taught) * (min(variance, bound) - state.usual)
    state.xx = 0.0
    state.xt = 0.0
    state.tt = 0.0


@kernel
def score_variance(
    states: NDArray[Any],
    logs: Floats,
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    length: float,
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the log ratio of present to usual variance; the detail is the ratio of the spreads."""
    work = np.empty(BLOCKS)
    for row in range(channel.shape[0]):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        state = states[slot]
        if not quality[row] & SUSPECT and time[row] > state.last:
            multiply(state, bounded(value[row]), take(state, time[row]))
            if is_full(state, length, _FEWEST):
                close_variance(state, logs[slot], work, sign, warmup, memory)
                begin_block(state)
        repeat(state, out, flags, row)


class VarianceBank(BlockBank[VarianceParameters]):
    """Log variances of eight blocks and sketch of the tail."""

    name = "variance"
    dtype = np.dtype([*BLOCK, *SKETCH, *PRODUCTS, ("logs", "f8", (BLOCKS,))])

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = self.parameters
        rows = (self.state, self.state["logs"], self._slots, self._base, *columns)
        length, warmup, memory = given.window_s / BLOCKS, given.warmup_s, given.memory_s
        score_variance(*rows, length, warmup, memory, given.sign, table, flags)

    def _reason(self, judged: Judged) -> Reason:
        if judged.detail < 1.0:
            return Reason(code="gone_still", parameters=told_of(judged, times=1.0 / judged.detail))
        return Reason(code="restless", parameters=told_of(judged, times=judged.detail))
