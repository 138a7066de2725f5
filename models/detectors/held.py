"""A condition that must last: the kernel and bank behind dwell and state duration."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.compile import kernel
from models.detectors.bank import AdvanceScores, Columns, PackedBank, judgements
from models.detectors.parameters import Parameters
from models.detectors.rows import HISTORIC, JUDGED, RUN, SECOND, clear, slot_of
from models.readings import Bytes, Floats

P = TypeVar("P", bound=Parameters)


@kernel
def whole_second(time: int, after: int) -> int:
    """The first whole second at or after `time` that is also after `after`."""
    return max(-(-time // SECOND) * SECOND, (after // SECOND + 1) * SECOND)


@kernel
def score_held(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    low: float,
    high: float,
    inside: bool,
    out: Floats,
    flags: Bytes,
) -> None:
    """Keep since when the condition holds; score 10 once `advance` has judged it, until it ends.

    The condition: low <= value <= high when `inside`, else value < low or value > high. Between readings
    the last value stands. Imported and late readings are left out.
    """
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0 or quality[row] & HISTORIC or time[row] < states[slot].last:
            continue
        state = states[slot]
        state.last = time[row]
        state.value = value[row]
        flags[row] = JUDGED
        if (low <= value[row] <= high) != inside:
            state.holds = 0
            state.judged = 0
            continue
        if state.holds == 0:
            state.holds = 1
            state.since = time[row]
        flags[row] = JUDGED | RUN
        out[4, row] = (time[row] - state.since) / SECOND
        if state.judged == 1:
            out[0, row] = 10.0


@kernel
def advance_held(
    states: NDArray[Any], time: int, held: int, slot: NDArray[np.int64], at: NDArray[np.int64], out: Floats
) -> int:
    """Judge the runs that have lasted `held` ns by `time`; returns how many, written to slot, at, out."""
    found = 0
    for place in range(states.shape[0]):
        state = states[place]
        if time <= state.advanced:
            continue
        if state.holds == 1 and state.judged == 0 and time >= state.since + held:
            due = whole_second(state.since + held, state.advanced)
            if due <= time:
                state.judged = 1
                slot[found] = place
                at[found] = due
                out[:, found] = np.nan
                out[0, found] = 10.0
                out[4, found] = (due - state.since) / SECOND
                found += 1
        state.advanced = time
    return found


class HeldBank(PackedBank[P]):
    """Banks whose condition is judged by `advance`; subclasses give the condition and how long."""

    dtype = np.dtype(
        [
            ("last", "i8"),
            ("since", "i8"),
            ("advanced", "i8"),
            ("value", "f8"),
            ("holds", "i4"),
            ("judged", "i4"),
        ]
    )
    times = ("last", "since", "advanced")
    needs_time = True

    def _condition(self) -> tuple[float, float, bool]:
        raise NotImplementedError

    def _held_s(self) -> float:
        raise NotImplementedError

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        score_held(self.state, self._slots, self._base, *columns, *self._condition(), table, flags)

    def advance(self, time_ns: int) -> AdvanceScores | None:
        n = len(self.state)
        slot, at, table = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((5, n))
        found = advance_held(self.state, time_ns, round(self._held_s() * SECOND), slot, at, table)
        return judgements(slot, at, table, found)
