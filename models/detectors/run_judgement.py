"""The judgement of a run: as `passes`, but on the desk, where rows stand side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.compile import inner
from models.detectors.passes import FIRST_BIN, bin_bits, leave_out, share_of
from models.detectors.rows import EXTRAPOLATED, JUDGED, WARMING
from models.detectors.surprise import BINS, CAP, refresh, surprise_of
from models.readings import Bytes, Floats


@inner
def measure(sign: int, count: int, desk: Any) -> None:
    """Distances from residuals, on the sides that count, in usual distances; as `divide`."""
    if sign == 0:
        for k in range(np.uint64(count)):
            distance = abs(desk.residuals[k]) / desk.scales[k]
            desk.distances[k] = distance if desk.scales[k] > 0.0 else 0.0
        return
    for k in range(np.uint64(count)):
        distance = desk.residuals[k] * sign / desk.scales[k]
        desk.distances[k] = 0.0 if distance < 0.0 or desk.scales[k] <= 0.0 else distance


@inner
def judge_run(states: NDArray[Any], slot: int, memory: float, count: int, desk: Any) -> None:
    """Score and count a run's distances; the channels' sketches stand from `slot` on."""
    for k in range(np.uint64(count)):
        distance = desk.distances[k]
        bits = bin_bits(distance)
        desk.bins[k] = (bits >> np.uint64(50)) - FIRST_BIN
        desk.shares[k] = share_of(distance, bits)
    due: Any = 0
    for k in range(np.uint64(count)):
        state, bin_ = states[np.uint64(slot) + k], np.uint64(desk.bins[k])
        desk.known[k], desk.band[k] = state.known, state.band
        desk.low[k] = state.edges[bin_]
        desk.high[k] = state.edges[min(bin_ + np.uint64(1), np.uint64(BINS - 1))]
        state.counts[bin_] += desk.seconds[k]
        fresh = state.fresh + 1
        state.fresh = fresh
        due |= np.int64(fresh >= state.due) | np.int64(bin_ == np.uint64(BINS - 1))
    for k in range(np.uint64(count)):
        low = np.float64(desk.low[k])
        desk.scores[k] = min(CAP, low + desk.shares[k] * (np.float64(desk.high[k]) - low))
    if due:
        for k in range(np.uint64(count)):
            state = states[np.uint64(slot) + k]
            if desk.bins[k] == BINS - 1 and np.isfinite(state.spread):
                desk.scores[k] = surprise_of(state, desk.distances[k], BINS - 1)
            if state.fresh >= state.due:
                refresh(state, memory)


@inner
def tell_run(
    sign: int, reach: float, begin: int, end: int, count: int, out: Floats, flags: Bytes, desk: Any
) -> None:
    """Write a run's judgements to the table, all five columns; other rows in between are left out."""
    for k in range(np.uint64(count)):
        known = np.float64(desk.known[k])
        score = desk.scores[k] if known > 0.0 else 0.0
        wide = reach if reach > 0.0 else np.float64(desk.band[k])
        band = wide * desk.scales[k] if known > 0.0 else np.nan
        mark = EXTRAPOLATED if score > known else 0
        desk.marks[k] = JUDGED | mark if known > 0.0 else JUDGED | WARMING
        desk.scores[k] = score
        desk.lowers[k] = desk.centres[k] - band if sign <= 0 else np.nan
        desk.uppers[k] = desk.centres[k] + band if sign >= 0 else np.nan
    if end - begin > count:
        for row in range(np.uint64(begin), np.uint64(end)):
            leave_out(out, flags, row, 0)
            out[2, row] = np.nan
            out[3, row] = np.nan
        for k in range(np.uint64(count)):
            at = np.uint64(desk.rows[k])
            out[0, at] = desk.scores[k]
            out[1, at] = desk.centres[k]
            out[2, at] = desk.lowers[k]
            out[3, at] = desk.uppers[k]
            out[4, at] = desk.distances[k]
            flags[at] = desk.marks[k]
        return
    first = np.uint64(begin)
    for k in range(np.uint64(count)):
        out[0, first + k] = desk.scores[k]
    for k in range(np.uint64(count)):
        out[1, first + k] = desk.centres[k]
    for k in range(np.uint64(count)):
        out[2, first + k] = desk.lowers[k]
    for k in range(np.uint64(count)):
        out[3, first + k] = desk.uppers[k]
    for k in range(np.uint64(count)):
        out[4, first + k] = desk.distances[k]
    for k in range(np.uint64(count)):
        flags[first + k] = desk.marks[k]
