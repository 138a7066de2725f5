"""Absence: a channel that should speak is silent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import AdvanceScores, Columns, Judged, PackedBank, judgements, number
from models.detectors.held import whole_second
from models.detectors.parameters import Parameters, parameter
from models.detectors.rows import HISTORIC, JUDGED, NEVER, SECOND, clear, slot_of
from models.readings import Bytes, Floats


class AbsenceParameters(Parameters):
    """How long a channel may be silent."""

    after_s: float = parameter(
        90.0,
        title="Silent for",
        zh="静默时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="No believable reading for this long is an alert; choose several of the channel's periods.",
        text_zh="超过此时长没有可信读数即告警；应为采样周期的数倍。",
    )


@kernel
def score_absence(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    out: Floats,
    flags: Bytes,
) -> None:
    """A reading that can be believed ends the silence. Imported ones are no sign of life."""
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0 or quality[row] & HISTORIC:
            continue
        state = states[slot]
        flags[row] = JUDGED
        state.last = max(state.last, time[row])
        state.silent = 0


@kernel
def advance_absence(
    states: NDArray[Any], time: int, after: int, slot: NDArray[np.int64], at: NDArray[np.int64], out: Floats
) -> int:
    """Judge channels silent for `after` ns by `time`; one never heard is counted from the first advance."""
    found = 0
    for place in range(states.shape[0]):
        state = states[place]
        if time <= state.advanced:
            continue
        if state.last == NEVER:
            state.last = time
        if state.silent == 0 and time >= state.last + after:
            due = whole_second(state.last + after, state.advanced)
            if due <= time:
                state.silent = 1
                slot[found] = place
                at[found] = due
                out[:, found] = np.nan
                out[0, found] = 10.0
                out[4, found] = (due - state.last) / SECOND
                found += 1
        state.advanced = time
    return found


class AbsenceBank(PackedBank[AbsenceParameters]):
    """Judged on whole seconds of event time, 24 bytes a channel."""

    name = "absence"
    dtype = np.dtype([("last", "i8"), ("advanced", "i8"), ("silent", "i8")])
    times = ("last", "advanced")
    needs_time = True

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        score_absence(self.state, self._slots, self._base, *columns, table, flags)

    def advance(self, time_ns: int) -> AdvanceScores | None:
        n = len(self.state)
        slot, at, table = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((5, n))
        after = round(self.parameters.after_s * SECOND)
        found = advance_absence(self.state, time_ns, after, slot, at, table)
        return judgements(slot, at, table, found)

    def _reason(self, judged: Judged) -> Reason:
        return Reason(
            code="silent", parameters={"seconds": number(judged.detail), "limit": self.parameters.after_s}
        )
