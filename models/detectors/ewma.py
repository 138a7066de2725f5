"""EWMA: far from where the channel has lately been, measured on its own usual distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, Trait
from models.detectors.learned import (
    LEVEL,
    NANO,
    LearnedParameters,
    begin_learned,
    judge,
    learn_level,
    sided,
    step_of,
    tell,
    unexpected,
)
from models.detectors.parameters import parameter
from models.detectors.rows import JUDGED, NEVER, SUSPECT, WARMING, clear, slot_of
from models.detectors.surprise import SKETCH, bin_of, learn_distance
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
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0:
            clear(out, flags, row)
            continue
        state = states[slot]
        if state.last == NEVER:
            clear(out, flags, row)
            flags[row] = JUDGED | WARMING
            if not quality[row] & SUSPECT:
                state.mean = value[row]
                state.last = time[row]
            continue
        centre = state.mean
        residual = value[row] - centre
        scale = max(state.scale, np.float64(state.floor))
        distance = sided(residual, sign) / scale if scale > 0.0 else 0.0
        place = bin_of(distance)
        score, marks = judge(state, distance, place, warmup)
        tell(out, flags, row, score, marks, centre, state.band * scale, sign, distance)
        if quality[row] & SUSPECT or time[row] <= state.last:
            continue
        step = step_of(state, time[row])
        seconds = step * NANO
        settled = state.taught >= 0.25 * warmup
        if settled:
            learn_distance(state, place, seconds, memory)
        learn_level(state, residual, scale, step, seconds, tau, settled)
        state.taught += seconds
        state.last = time[row]


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
