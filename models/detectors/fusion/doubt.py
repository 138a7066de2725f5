"""Doubt: which rows the default hears of its quantity, and how it goes on after a fault or a silence."""

from __future__ import annotations

import math
from typing import Any

from models.compile import kernel
from models.detectors.fusion.day import level_s
from models.detectors.fusion.frames import Singles, bridge, enter_frame, move_frames, recent_mean
from models.detectors.fusion.record import DAY, RING
from models.detectors.learned import NANO
from models.detectors.plausibility import DOUBTED, FAULTY, HELD, OK, RECOVERED, examine, is_regular
from models.detectors.plausibility.natures import UNKNOWN
from models.detectors.rows import SUSPECT, is_believed

_WARMUP_S = 86400.0  # time to learn how far the channel jumps and how long it rests
_MEMORY_S = 14 * 86400.0
_DRIFT_WINDOW_S = 86400.0
_ORDINARY = 3.0  # usual distances a reading may lie away and still say nothing


@kernel
def heed(doubt: Any, time: int, value: float, quality: int) -> int:
    """The verdict on a row; FAULTY for all that says nothing of the quantity, or not yet.

    Between the jumps of a loose contact a reading may be right or wrong: it is DOUBTED. Where nobody said
    what a channel measures, a spike may be what matters: it is scored at once, and learned.
    """
    verdict = examine(doubt, time, value, quality, _WARMUP_S, _MEMORY_S, _DRIFT_WINDOW_S)
    if verdict == FAULTY or not is_believed(value, quality):
        return FAULTY
    if doubt.nature & UNKNOWN:
        return OK if verdict == HELD else int(verdict)
    if verdict == HELD:
        return FAULTY
    unsure = quality & SUSPECT if verdict == RECOVERED else doubt.loose
    return DOUBTED if unsure else int(verdict)


@kernel
def eased(change: float, slack: float) -> float:
    """What of a change the slack does not explain; NaN stays NaN."""
    if slack > 0.0 and change > 0.0:
        return max(0.0, change - slack)
    if slack < 0.0 and change < 0.0:
        return min(0.0, change - slack)
    return change


@kernel
def tighten(state: Any, seconds: float, frame_ns: int) -> None:
    """Let the slack go as the level follows and the frames of before the silence leave."""
    if state.slack != 0.0:
        state.slack *= math.exp(-seconds / max(level_s(state), RING * NANO * frame_ns))


@kernel
def resume_at(
    state: Any,
    doubt: Any,
    frames: Singles,
    frame: int,
    frame_ns: int,
    usual: float,
    before: float,
    time: int,
    x: float,
    smooth: float,
    drifted: bool,
) -> None:
    """Go on at the first reading `x` after a fault or a silence.

    Meanwhile the channel is taken to have done what it usually does: `usual` and `before` are the values of
    this half hour and of the last one heard, NaN where not known. That it lies above or below may be its new
    level or a moment's excursion, one reading cannot tell: so there is slack that far, more the longer the
    silence was, and the level follows by itself. `smooth`, s, as ever. Where the channel had `drifted` and no
    longer does, the drift was undone, and the level is set in full.
    """
    seconds, paces = (time - state.last) * NANO, state.pace // frame_ns
    course = usual - before if not math.isnan(usual - before) else 0.0
    expected = usual + state.level if not math.isnan(usual) else recent_mean(state) + course
    if drifted and doubt.drift == 0:
        back = x - expected
        state.level += back
        state.slack = 0.0
        surely = max(0.0, abs(back) - _ORDINARY * state.usual[DAY])
        if back < 0.0:
            state.high = max(x, state.high - surely)  # it was never there in truth
        else:
            state.low = min(x, state.low + surely)
        move_frames(state, frames, back)
        enter_frame(state, frames, frame, paces)
    else:
        away = abs(x - expected) - _ORDINARY * max(state.usual[DAY], state.scatter)
        share = -math.expm1(-seconds / level_s(state))
        state.slack = math.copysign(share * max(0.0, away), x - expected)
        x = state.smooth + course if smooth > 0.0 else x
        if is_regular(doubt):
            bridge(state, frames, frame, paces, course)
        else:  # nothing was missed
            enter_frame(state, frames, frame, paces)
    state.smooth = x
    state.sum += x
    state.count += 1.0
    state.last = time
