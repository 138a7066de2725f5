"""Rate of change: the value rises or falls faster than it should."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, number
from models.detectors.parameters import Parameters, parameter
from models.detectors.rows import JUDGED, SECOND, clear, slot_of
from models.readings import Bytes, Floats

_ANCHORS = 6


class RateParameters(Parameters):
    """At least one of `rise_per_s` and `fall_per_s`."""

    rise_per_s: float | None = parameter(
        None,
        title="Fastest rise",
        zh="最大上升速度",
        unit="1/s",
        gt=0,
        text="A faster rise is an alert. The channel's unit per second.",
        text_zh="上升更快即告警。通道单位每秒。",
    )
    fall_per_s: float | None = parameter(
        None,
        title="Fastest fall",
        zh="最大下降速度",
        unit="1/s",
        gt=0,
        text="A faster fall is an alert, given as a positive number.",
        text_zh="下降更快即告警，以正数给出。",
    )
    window_s: float = parameter(
        60.0,
        title="Measured over",
        zh="计算时长",
        unit="s",
        gt=0,
        le=86400,
        text="The change is taken against a reading at least this old, at most a quarter older.",
        text_zh="与至少早于此时长的读数比较，最多再早四分之一。",
    )

    @model_validator(mode="after")
    def _one_given(self) -> RateParameters:
        if self.rise_per_s is None and self.fall_per_s is None:
            raise ValueError("give rise_per_s, fall_per_s or both")
        return self


@kernel
def _drop_old(state: Any, time: int, window: int) -> None:
    """Keep as oldest anchor the newest one that is at least `window` old."""
    while state.count >= 2:
        second = (state.head + 1) % _ANCHORS
        if time - state.at[second] < window and state.count < _ANCHORS:
            break
        state.head = second
        state.count -= 1


@kernel
def score_rate(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    rise: float,
    fall: float,
    window: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Score 10 where the change per second since the oldest anchor exceeds `rise` or `fall`.

    Anchors are readings at least a quarter window apart. With readings further apart than the window the
    rate is over the last interval. A reading older than the last is not judged.
    """
    spacing = window // 4
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0 or time[row] < states[slot].last:
            continue
        state = states[slot]
        flags[row] = JUDGED
        _drop_old(state, time[row], window)
        if state.count > 0:
            age = time[row] - state.at[state.head]
            if age >= window:
                anchor = state.value[state.head]
                seconds = age / SECOND
                per_s = (value[row] - anchor) / seconds
                out[2, row] = anchor - fall * seconds if np.isfinite(fall) else np.nan
                out[3, row] = anchor + rise * seconds if np.isfinite(rise) else np.nan
                out[4, row] = per_s
                if per_s > rise or -per_s > fall:
                    out[0, row] = 10.0
        newest = (state.head + state.count - 1) % _ANCHORS
        if state.count == 0 or time[row] - state.at[newest] >= spacing:
            _drop_old(state, time[row], window)
            place = (state.head + state.count) % _ANCHORS
            state.at[place] = time[row]
            state.value[place] = value[row]
            state.count += 1
        state.last = time[row]


class RateBank(PackedBank[RateParameters]):
    """Six anchors a channel, 112 bytes."""

    name = "rate"
    dtype = np.dtype(
        [
            ("last", "i8"),
            ("head", "i4"),
            ("count", "i4"),
            ("at", "i8", (_ANCHORS,)),
            ("value", "f8", (_ANCHORS,)),
        ]
    )
    times = ("last", "at")

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = self.parameters
        rise = np.inf if given.rise_per_s is None else given.rise_per_s
        fall = np.inf if given.fall_per_s is None else given.fall_per_s
        window = round(given.window_s * SECOND)
        score_rate(self.state, self._slots, self._base, *columns, rise, fall, window, table, flags)

    def _reason(self, judged: Judged) -> Reason:
        given = self.parameters
        limit = given.rise_per_s if judged.detail > 0 else given.fall_per_s
        return Reason(
            code="rate",
            parameters={"per_s": number(judged.detail), "limit": limit, "window_s": given.window_s},
        )
