"""Level shift: the mean of the recent window has left the mean of what came before."""

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
    middle_mean,
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

RECENT, BEFORE = 5, 15  # blocks
_SLOWLY = 0.5  # in an episode of strangeness, every other block joins what came before
_CUT = 2, 3  # of these, how many of the smallest and the largest are left out: a burst is no level


class LevelShiftParameters(LearnedParameters):
    """What came before is three windows long."""

    window_s: float = parameter(
        3600.0,
        title="Window",
        zh="窗口时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Time whose mean is held against that of the three windows before; five readings at least.",
        text_zh="将此时段的均值与之前三个窗口的均值比较；至少含五个读数。",
    )


@kernel
def close_level(
    state: Any, recent: Floats, before: Floats, work: Floats, sign: int, warmup: float, memory: float
) -> None:
    """Add the full block and judge; what leaves the recent window joins what came before."""
    if state.held >= RECENT:
        state.owed += _SLOWLY if state.strange else 1.0
        if state.owed >= 1.0:
            state.owed -= 1.0
            keep(before, recent[0])
    keep(recent, state.mean)
    state.held = min(state.held + 1, RECENT + BEFORE)
    if state.held == RECENT + BEFORE:
        centre = middle_mean(before, _CUT[1], work)
        size = middle_mean(recent, _CUT[0], work) - centre
        floor = np.float64(state.floor)
        down, up = reach_of(state, False, floor), reach_of(state, True, floor)
        judge_block(state, size, floor, sign, warmup, memory_of(state, memory))
        explain_rows(state, centre, down, up, sign, size)


@kernel
def score_level_shift(
    states: NDArray[Any],
    recent: Floats,
    before: Floats,
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
    """Surprise of the recent mean's distance from the mean before; the detail is that difference."""
    work = np.empty(BEFORE)
    for row in range(channel.shape[0]):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        state = states[slot]
        if not quality[row] & SUSPECT and time[row] > state.last:
            average(state, bounded(value[row]), take(state, time[row]))
            if is_full(state, length, 1):
                close_level(state, recent[slot], before[slot], work, sign, warmup, memory)
                begin_block(state)
        repeat(state, out, flags, row)


class LevelShiftBank(BlockBank[LevelShiftParameters]):
    """Twenty blocks and sketch of the tail."""

    name = "level_shift"
    dtype = np.dtype(
        [*BLOCK, *SKETCH, ("owed", "f8"), ("recent", "f8", (RECENT,)), ("before", "f8", (BEFORE,))]
    )

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = self.parameters
        rows = (self.state, self.state["recent"], self.state["before"], self._slots, self._base, *columns)
        length, warmup, memory = given.window_s / RECENT, given.warmup_s, given.memory_s
        score_level_shift(*rows, length, warmup, memory, given.sign, table, flags)

    def _reason(self, judged: Judged) -> Reason:
        told = told_of(judged, change=abs(judged.detail), seconds=self.parameters.window_s)
        if judged.detail < 0.0:
            return Reason(code="level_down", parameters=told)
        return Reason(code="level_up", parameters=told)
