"""Doubt: which rows the default hears of its quantity, and how it goes on after a fault or a silence."""

from __future__ import annotations

import math
from typing import Any

from models.compile import kernel
from models.detectors.fusion.day import level_s
from models.detectors.fusion.frames import Singles, bridge, level_frames
from models.detectors.learned import NANO
from models.detectors.plausibility import FAULTY, HELD, OK, examine
from models.detectors.plausibility.natures import UNKNOWN
from models.detectors.rows import is_believed

_WARMUP_S = 86400.0  # time to learn how far the channel jumps and how long it rests
_MEMORY_S = 14 * 86400.0
_DRIFT_WINDOW_S = 86400.0


@kernel
def heed(doubt: Any, time: int, value: float, quality: int) -> int:
    """The verdict on a row; FAULTY for all that says nothing of the quantity, or not yet.

    Where nobody said what a channel measures, a spike may be what matters: it is scored at once, and learned.
    """
    verdict = examine(doubt, time, value, quality, _WARMUP_S, _MEMORY_S, _DRIFT_WINDOW_S)
    if not is_believed(value, quality):
        return FAULTY
    if verdict == HELD:
        return OK if doubt.nature & UNKNOWN else FAULTY
    return int(verdict)


@kernel
def resume_at(
    state: Any,
    frames: Singles,
    frame: int,
    paces: int,
    usual: float,
    time: int,
    x: float,
    undone: bool,
    smooth: float,
) -> None:
    """Set level and frames to where the channel is: in full where a drift was undone, else by the gap.

    What was missed is taken for a straight line, so that an outage of minutes makes no hazard look usual.
    `usual` is the half hour's value, NaN where it is not known; `smooth`, s, as for every reading.
    """
    seconds = (time - state.last) * NANO
    if smooth > 0.0 and not undone:
        x = state.smooth - math.expm1(-seconds / smooth) * (x - state.smooth)
    if not math.isnan(usual):
        share = 1.0 if undone else -math.expm1(-seconds / level_s(state))
        state.level += share * (x - usual - state.level)
    if undone:
        level_frames(state, frames, frame, x)
    else:
        bridge(state, frames, frame, paces, x)
    state.smooth = x
    state.sum += x
    state.count += 1.0
    state.last = time
