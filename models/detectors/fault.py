"""Fault: the equipment speaks, not nature. The detector of maintenance monitors."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import AdvanceScores, Columns, Judged, PackedBank, Trait, judgements, number
from models.detectors.held import whole_second
from models.detectors.parameters import Parameters, parameter
from models.detectors.plausibility import (
    DRIFTING,
    DROPOUT,
    ERRATIC,
    EVIDENCE,
    FAULTY,
    HELD,
    NO_FAULT,
    PLAUSIBILITY,
    PLAUSIBILITY_TIMES,
    SILENT,
    SPIKE,
    STUCK,
    UNIT,
    begin_plausibility,
    examine,
    fall_silent,
    silent_after,
)
from models.detectors.plausibility.conversions import CONVERSIONS
from models.detectors.rows import HISTORIC, JUDGED, NEVER, SECOND, WARMING, clear, heard_slot
from models.readings import Bytes, Floats

_CODES = ("", "spike", "dropout", "out_of_range", "unit_jump", "stuck", "erratic", "silent", "drift")
_NANO = 1e-9


class FaultParameters(Parameters):
    """What a fault is, is learned; these say how long that takes."""

    warmup_s: float = parameter(
        86400.0,
        title="Warm-up",
        zh="预热时长",
        unit="s",
        ge=0,
        le=90 * 86400,
        text="Time to learn how far the channel jumps and how long it rests; one day of ordinary life.",
        text_zh="学习该通道正常跳变幅度与静止时长所需的时间，一天的正常读数即可。",
    )
    memory_s: float = parameter(
        14 * 86400.0,
        title="Memory",
        zh="记忆时长",
        unit="s",
        gt=0,
        le=366 * 86400,
        text="How fast the tallest step and the range of the channel fade.",
        text_zh="最大跳变与取值范围的记忆时长，逐渐淡忘。",
    )
    silence_s: float = parameter(
        3600.0,
        title="Silent for, at first",
        zh="初始静默时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Silence that is a fault while the channel's pace is not known yet; later 2.5 periods.",
        text_zh="尚未掌握采样周期时，静默超过此时长即为故障；之后为 2.5 个周期。",
    )
    drift_window_s: float = parameter(
        86400.0,
        title="Drift compares",
        zh="漂移比较时段",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Length of the windows whose means must keep going one way; a day, or its cycle would count.",
        text_zh="比较各时段均值是否持续单向变化；取一天，以免日周期被误判。",
    )


@kernel
def packed(code: int, first: float, second: float) -> float:
    """A fault's code and two numbers of its reason, each to five digits, as one whole number below 2^52."""
    one = np.int64(np.float32(first).view(np.int32)) + 128 >> 8 & 0xFFFFFF
    two = np.int64(np.float32(second).view(np.int32)) + 128 >> 8 & 0xFFFFFF
    return float(np.int64(code) | one << 4 | two << 28)


def unpacked(detail: float) -> tuple[int, float, float]:
    """The inverse of `packed`.

    >>> unpacked(packed(5, 900.0, -127.0))
    (5, 900.0, -127.0)
    """
    whole = int(detail)
    first, second = (
        struct.unpack("<f", struct.pack("<I", (whole >> shift & 0xFFFFFF) << 8))[0] for shift in (4, 28)
    )
    return whole & 15, float(f"{first:.5g}"), float(f"{second:.5g}")


@kernel
def _told(state: Any) -> float:
    """Code and numbers of the fault a channel has now; 0 when it has none."""
    if state.fault == NO_FAULT:
        return packed(DRIFTING, state.start, state.way_s) if state.drift else 0.0
    if state.fault == STUCK:
        return packed(STUCK, state.still * _NANO, state.longest * _NANO)
    if state.fault == UNIT:
        return packed(UNIT, state.told, float(state.unit))
    if state.fault == SILENT:
        return packed(SILENT, state.told, state.period * _NANO)
    return packed(state.fault, state.told, float(state.bad))


@kernel
def score_fault(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    warmup: float,
    memory: float,
    window: float,
    out: Floats,
    flags: Bytes,
) -> None:
    """Score 10 on every row of an episode of a fault, and while the channel drifts.

    Rows that are INVALID, OUT_OF_RANGE or no number are evidence about the equipment and judged; they teach
    nothing of the quantity. Rows with a wrong time, and late ones, are left out.
    """
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = heard_slot(slots, base, channel[row], quality[row])
        if slot < 0:
            continue
        state = states[slot]
        if time[row] <= state.seen:
            continue
        before = state.level
        verdict = examine(state, time[row], value[row], quality[row], warmup, memory, window)
        flags[row] = JUDGED if state.taught >= warmup else JUDGED | WARMING
        if state.fault != NO_FAULT or state.drift != 0:
            out[0, row] = 10.0
            out[4, row] = _told(state)
            if verdict in (FAULTY, HELD):
                out[1, row] = before
        if not quality[row] & HISTORIC:
            state.heard = time[row]
            state.silent = 0


@kernel
def advance_fault(
    states: NDArray[Any], time: int, unknown: int, slot: NDArray[np.int64], at: NDArray[np.int64], out: Floats
) -> int:
    """Judge channels silent for too long by `time`; one never heard is counted from the first call."""
    found = 0
    for place in range(states.shape[0]):
        state = states[place]
        if time <= state.advanced:
            continue
        if state.heard == NEVER:
            state.heard = time
        after = silent_after(state, unknown)
        if state.silent == 0 and time >= state.heard + after:
            due = whole_second(state.heard + after, state.advanced)
            if due <= time:
                state.silent = 1
                fall_silent(state, due, (due - state.heard) * _NANO)
                slot[found] = place
                at[found] = due
                out[:, found] = np.nan
                out[0, found] = 10.0
                out[4, found] = _told(state)
                found += 1
        state.advanced = time
    return found


class FaultBank(PackedBank[FaultParameters]):
    """What `plausibility` learns of a channel, and its silence: 252 bytes."""

    name = "fault"
    dtype = np.dtype([("heard", "i8"), ("advanced", "i8"), ("silent", "u1"), *PLAUSIBILITY])
    times = (*PLAUSIBILITY_TIMES, "heard", "advanced")
    needs_time = True
    evidence = ("heard", "silent", *EVIDENCE)

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_plausibility(self.state, traits)
        given = self.parameters
        self._given = (given.warmup_s, given.memory_s, given.drift_window_s)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        warmup, memory, window = self._given
        out = (table, flags)
        score_fault(self.state, self._slots, self._base, *columns, warmup, memory, window, *out)

    def advance(self, time_ns: int) -> AdvanceScores | None:
        n = len(self.state)
        slot, at, table = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((5, n))
        unknown = round(self.parameters.silence_s * SECOND)
        found = advance_fault(self.state, time_ns, unknown, slot, at, table)
        return judgements(slot, at, table, found)

    def _reason(self, judged: Judged) -> Reason:
        code, first, second = unpacked(judged.detail)
        return Reason(code=_CODES[code], parameters=_numbers(code, first, second, judged))


def _numbers(code: int, first: float, second: float, judged: Judged) -> dict[str, float | int | str | None]:
    """What a fault's reason says beside its code."""
    expected = number(judged.expected)
    if code == STUCK:
        return {"value": number(judged.value), "seconds": first, "longest": second}
    if code == SILENT:
        return {"seconds": first, "period": second}
    if code == DRIFTING:
        return {"value": number(judged.value), "start": first, "seconds": second}
    if code == UNIT:
        conversion = CONVERSIONS[int(second)]
        return {
            "value": number(first),
            "expected": expected,
            "factor": conversion.factor,
            "looks_like": conversion.name,
        }
    if code in (SPIKE, ERRATIC, DROPOUT):
        return {"value": number(first), "expected": expected, "rows": int(second)}
    return {"value": number(first), "expected": expected}
