"""EWMA: far from where the channel has lately been, measured on its own usual distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank
from models.detectors.learned import (
    LEVEL,
    NANO,
    LearnedParameters,
    band,
    begin_floor,
    judge,
    learn_level,
    sided,
    step_of,
    unexpected,
)
from models.detectors.parameters import parameter
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, clear, slot_of
from models.detectors.surprise import SKETCH, learn_distance
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
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            continue
        state = states[slot]
        flags[row] = JUDGED
        if state.last == NEVER:
            flags[row] = JUDGED | WARMING
            if not quality[row] & SUSPECT:
                state.mean = value[row]
                state.last = time[row]
            continue
        residual = value[row] - state.mean
        scale = max(state.scale, state.floor)
        distance = sided(residual, sign) / scale if scale > 0.0 else 0.0
        out[1, row] = state.mean
        if judge(state, distance, warmup, out, flags, row):
            band(state, state.mean, scale, sign, out, row)
        if quality[row] & SUSPECT or time[row] <= state.last:
            continue
        step = step_of(state, time[row])
        settled = state.taught >= 0.25 * warmup
        if settled:
            learn_distance(state, distance, step * NANO, memory)
        learn_level(state, residual, scale, step, tau, settled)
        state.taught += step * NANO
        state.last = time[row]


class EwmaBank(PackedBank[EwmaParameters]):
    """Level, usual distance and sketch of the tail: 496 bytes a channel."""

    name = "ewma"
    dtype = np.dtype(LEVEL + SKETCH)

    def _begin(self, resolutions: Floats) -> None:
        begin_floor(self.state, resolutions)

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        given = self.parameters
        score_ewma(
            self.state,
            self._slots,
            self._base,
            *columns,
            given.tau_s,
            given.warmup_s,
            given.memory_s,
            given.sign,
            table,
            flags,
        )

    def explain(self, judged: Judged) -> Reason:
        return unexpected(judged)
