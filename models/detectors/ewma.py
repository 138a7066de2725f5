"""EWMA: far from where the channel has lately been, measured on its own usual distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import inner, kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait
from models.detectors.learned import (
    LEVEL,
    NANO,
    LearnedParameters,
    begin_learned,
    learn_level,
    step_of,
    unexpected,
)
from models.detectors.parameters import parameter
from models.detectors.passes import STRETCH, divide, draw, judge_rows, leave_out, place, trace
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, slot_of
from models.detectors.surprise import SKETCH
from models.readings import Bytes, Floats


class EwmaParameters(LearnedParameters):
    """Time constants are in seconds, so irregular sampling is no matter."""

    tau_s: float = parameter(
        600.0,
        title="Time constant",
        zh="时间常数",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="How long the level remembers; longer is steadier, shorter follows sooner.",
        text_zh="基准水平的记忆时长；越长越稳，越短跟随越快。",
    )


@inner
def follow_ewma(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    tau: float,
    warmup: float,
    out: Floats,
    flags: Bytes,
    begin: int,
    end: int,
) -> None:
    """First pass: residuals, and the levels moved by them. Suspect and late rows are not learned."""
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
        residual = value[row] - state.mean
        scale = max(state.scale, np.float64(state.floor))
        taught = state.taught
        trace(out, flags, row, state.mean, scale, residual, taught >= warmup)
        if suspect or time[row] <= state.last:
            continue
        step = step_of(state, time[row])
        seconds = step * NANO
        settled = taught >= 0.25 * warmup
        if settled:
            out[0, row] = seconds
        learn_level(state, residual, scale, step, seconds, tau, settled)
        state.taught = taught + seconds
        state.last = time[row]


@kernel
def score_ewma(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    tau: float,
    warmup: float,
    memory: float,
    sign: int,
    out: Floats,
    flags: Bytes,
) -> None:
    """Surprise of |value - mean| / scale, then learn. Suspect and late readings are scored, not learned."""
    for begin in range(0, channel.shape[0], STRETCH):
        end = min(begin + STRETCH, channel.shape[0])
        follow_ewma(states, slots, base, channel, time, value, quality, tau, warmup, out, flags, begin, end)
        divide(sign, out, begin, end)
        place(out, begin, end)
        judge_rows(states, slots, base, channel, memory, 0.0, out, flags, begin, end)
        draw(sign, out, begin, end)


class EwmaBank(PackedBank[EwmaParameters]):
    """Level, usual distance and sketch of the tail: 496 bytes a channel."""

    name = "ewma"
    dtype = np.dtype(LEVEL + SKETCH)

    def _begin(self, traits: Sequence[Trait]) -> None:
        begin_learned(self.state, traits)
        given = self.parameters
        self._given = (given.tau_s, given.warmup_s, given.memory_s, given.sign)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        tau, warmup, memory, sign = self._given
        out = (table, flags)
        score_ewma(self.state, self._slots, self._base, *columns, tau, warmup, memory, sign, *out)

    def _reason(self, judged: Judged) -> Reason:
        return unexpected(judged)
