"""CUSUM: small deviations that all go one way and add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import inner, kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait, number
from models.detectors.learned import (
    LEVEL,
    NANO,
    LearnedParameters,
    begin_learned,
    learn_level,
    step_of,
)
from models.detectors.parameters import parameter
from models.detectors.passes import STRETCH, draw, judge_rows, leave_out, place, trace
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, slot_of
from models.detectors.surprise import SKETCH
from models.readings import Bytes, Floats

_LARGEST = 60.0  # the sum goes no higher, so that it can come down again
_REACH = 4.0  # one reading counts for at most so many usual distances


class CusumParameters(LearnedParameters):
    """Sums run over time, not over readings, so the sampling rate is no matter."""

    tau_s: float = parameter(
        21600.0,
        title="Time constant",
        zh="时间常数",
        unit="s",
        gt=0,
        le=90 * 86400,
        text="How long the level remembers; must be much longer than the shifts looked for.",
        text_zh="基准水平的记忆时长；应远长于要发现的偏移。",
    )
    unit_s: float = parameter(
        60.0,
        title="Time unit",
        zh="累计单位时间",
        unit="s",
        gt=0,
        le=86400,
        text="A deviation of one usual distance adds one in this time; a reading adds at most that.",
        text_zh="偏差为一个常见偏差时，每经过此时间累计增加一；单个读数不超过此量。",
    )
    slack: float = parameter(
        0.75,
        title="Slack",
        zh="允许偏差",
        gt=0,
        le=5,
        text="Deviations up to this many usual distances do not add up.",
        text_zh="不超过若干倍常见偏差的偏差不计入累计。",
    )


@inner
def add_up(state: Any, deviation: float, share: float, slack: float) -> None:
    """Add a deviation, in usual distances, to the sums of both ways."""
    bounded = max(-_REACH, min(_REACH, deviation))
    state.up = min(_LARGEST, max(0.0, state.up + share * (bounded - slack)))
    state.down = min(_LARGEST, max(0.0, state.down + share * (-bounded - slack)))


@inner
def follow_cusum(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    tau: float,
    per_unit: float,
    slack: float,
    warmup: float,
    sign: int,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> None:
    """First pass: levels and sums moved by the rows; a row's distance is the sum with the row in it."""
    for row in range(np.uint64(begin), np.uint64(end)):
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            leave_out(out, flags, row, 0)
            continue
        state = states[slot]
        suspect = quality[row] & SUSPECT
        if state.last == NEVER:
            leave_out(out, flags, row, JUDGED | WARMING)
            if not suspect:
                state.mean = value[row]
                state.last = time[row]
            continue
        centre, taught = state.mean, state.taught
        residual = value[row] - centre
        scale = max(state.scale, np.float64(state.floor))
        seconds = 0.0
        if not suspect and time[row] > state.last:
            settled = taught >= 0.25 * warmup
            step = step_of(state, time[row])
            seconds = step * NANO
            if settled and scale > 0.0:
                add_up(state, residual / scale, min(1.0, seconds * per_unit), slack)
            learn_level(state, residual, scale, step, seconds, tau, settled)
            state.taught = taught + seconds
            state.last = time[row]
            seconds = seconds if settled else 0.0
        up = state.up if sign >= 0 else 0.0
        down = state.down if sign <= 0 else 0.0
        trace(out, flags, row, centre, scale, max(up, down), taught >= warmup)
        out[0, row] = seconds


@kernel
def score_cusum(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    tau: float,
    unit: float,
    slack: float,
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of the sum with this reading in it; lower..upper is the slack around the level."""
    rows = (channel, time, value, quality)
    for begin in range(0, channel.shape[0], STRETCH):
        end = min(begin + STRETCH, channel.shape[0])
        follow_cusum(states, slots, base, *rows, tau, 1.0 / unit, slack, warmup, sign, out, flags, begin, end)
        place(out, begin, end)
        judge_rows(states, slots, base, channel, memory, slack, out, flags, begin, end)
        draw(sign, out, begin, end)


class CusumBank(PackedBank[CusumParameters]):
    """Level, two sums and sketch of the tail: 512 bytes a channel."""

    name = "cusum"
    dtype = np.dtype([("up", "f8"), ("down", "f8"), *LEVEL, *SKETCH])

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        levels = (given.tau_s, given.unit_s, given.slack)
        self._given = (*levels, given.warmup_s, given.memory_s, given.sign)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        tau, unit, slack, warmup, memory, sign = self._given
        score_cusum(
            self.state,
            self._slots,
            self._base,
            *columns,
            tau,
            unit,
            slack,
            warmup,
            memory,
            sign,
            table,
            flags,
        )

    def _reason(self, judged: Judged) -> Reason:
        return Reason(
            code="shifted",
            parameters={
                "value": number(judged.value),
                "expected": number(judged.expected),
                "sum": number(judged.detail),
                "surprise": round(judged.score, 3),
                "extrapolated": int(judged.extrapolated),
            },
        )
