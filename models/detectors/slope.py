"""Slope: rises or falls over the window as this channel does not; a slow leak, a freezer that warms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
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
    reach_of,
    repeat,
    take,
    told_of,
)
from models.detectors.learned import LearnedParameters
from models.detectors.parameters import parameter
from models.detectors.rows import SUSPECT, clear, slot_of
from models.detectors.surprise import SKETCH
from models.detectors.wary import bounded
from models.readings import Bytes, Floats

BLOCKS = 8
PAIRS = BLOCKS * (BLOCKS - 1) // 2


class SlopeParameters(LearnedParameters):
    """Times are the readings' own, so irregular sampling is no matter."""

    window_s: float = parameter(
        10800.0,
        title="Window",
        zh="窗口时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Time over which the trend is taken; eight readings at least.",
        text_zh="计算趋势的时段；至少含八个读数。",
    )


@kernel
def median_slope(means: Floats, whens: Floats, work: Floats) -> float:
    """Median of the slopes of all pairs of blocks, per second: a burst in two of them makes no trend."""
    count = 0
    for later in range(1, BLOCKS):
        for earlier in range(later):
            work[count] = (means[later] - means[earlier]) / (whens[later] - whens[earlier])
            count += 1
    work.sort()
    return float(0.5 * work[PAIRS // 2 - 1] + 0.5 * work[PAIRS // 2])


@kernel
def median_of(values: Floats, work: Floats) -> float:
    """Median of the blocks' means."""
    work[:BLOCKS] = values
    work[:BLOCKS].sort()
    return float(0.5 * work[BLOCKS // 2 - 1] + 0.5 * work[BLOCKS // 2])


@kernel
def close_slope(
    state: Any,
    means: Floats,
    whens: Floats,
    work: Floats,
    window: float,
    sign: int,
    warmup: float,
    memory: float,
) -> None:
    """Add the full block and judge the window's trend.

    Expected is where the channel was in the middle of the window, and the band where usual slopes lead from
    there.
    """
    keep(means, state.mean)
    keep(whens, state.when)
    state.held = min(state.held + 1, BLOCKS)
    if state.held == BLOCKS:
        size, floor = median_slope(means, whens, work), state.floor / window
        since = state.clock - 0.5 * (whens[0] + whens[BLOCKS - 1])
        down, up = reach_of(state, False, floor), reach_of(state, True, floor)
        judge_block(state, size, floor, sign, warmup, memory_of(state, memory))
        explain_rows(state, median_of(means, work), down * since, up * since, sign, size)


@kernel
def score_slope(
    states: NDArray[Any],
    means: Floats,
    whens: Floats,
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
    """Surprise of the window's trend, which is the detail, per second."""
    work, length = np.empty(PAIRS), window / BLOCKS
    for row in range(channel.shape[0]):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        state = states[slot]
        if not quality[row] & SUSPECT and time[row] > state.last:
            average(state, bounded(value[row]), take(state, time[row]))
            if is_full(state, length, 1):
                close_slope(state, means[slot], whens[slot], work, window, sign, warmup, memory)
                begin_block(state)
        repeat(state, out, flags, row)


class SlopeBank(BlockBank[SlopeParameters]):
    """Means and times of eight blocks and sketch of the tail."""

    name = "slope"
    dtype = np.dtype([*BLOCK, *SKETCH, ("means", "f8", (BLOCKS,)), ("whens", "f8", (BLOCKS,))])

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = self.parameters
        rows = (self.state, self.state["means"], self.state["whens"], self._slots, self._base, *columns)
        window, warmup, memory = given.window_s, given.warmup_s, given.memory_s
        score_slope(*rows, window, warmup, memory, given.sign, table, flags)

    def _reason(self, judged: Judged) -> Reason:
        window = self.parameters.window_s
        told = told_of(judged, change=abs(judged.detail) * window, seconds=window)
        if judged.detail < 0.0:
            return Reason(code="trend_down", parameters=told)
        return Reason(code="trend_up", parameters=told)
