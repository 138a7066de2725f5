"""Flat line: readings arrive but stand still, as from a stuck sensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, number
from models.detectors.parameters import Parameters, parameter
from models.detectors.rows import JUDGED, SECOND, clear, slot_of
from models.readings import Bytes, Floats

_FEWEST = 3  # two equal readings prove nothing, however far apart


class FlatLineParameters(Parameters):
    """How long is too long depends on the channel: calm real ones stand still for hours."""

    for_s: float = parameter(
        3600.0,
        title="Unchanged for",
        zh="不变时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="Readings that stay the same for this long are an alert.",
        text_zh="读数保持不变达到此时长即告警。",
    )
    tolerance: float = parameter(
        0.0,
        title="Tolerance",
        zh="容差",
        ge=0,
        text="A change up to this much counts as none. In the channel's unit.",
        text_zh="不超过此值的变化视为不变。单位与通道相同。",
    )


@kernel
def score_flat_line(
    states: NDArray[Any],
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    time: NDArray[np.int64],
    value: Floats,
    quality: Bytes,
    held: int,
    tolerance: float,
    out: Floats,
    flags: Bytes,
) -> None:
    """Score 10 where the value has stayed within `tolerance` of `reference` for `held` ns and 3 readings."""
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        slot = slot_of(slots, base, channel[row], value[row], quality[row])
        if slot < 0 or time[row] < states[slot].last:
            continue
        state = states[slot]
        flags[row] = JUDGED
        state.last = time[row]
        if state.seen == 0 or abs(value[row] - state.reference) > tolerance:
            state.reference = value[row]
            state.since = time[row]
            state.seen = 1
            continue
        if state.seen < _FEWEST:
            state.seen += 1
        age = time[row] - state.since
        out[4, row] = age / SECOND
        if age >= held and state.seen >= _FEWEST:
            out[0, row] = 10.0


class FlatLineBank(PackedBank[FlatLineParameters]):
    """Reference and start of the present run, 32 bytes a channel."""

    name = "flat_line"
    dtype = np.dtype([("last", "i8"), ("since", "i8"), ("reference", "f8"), ("seen", "i8")])
    times = ("last", "since")

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        held = round(self.parameters.for_s * SECOND)
        score_flat_line(
            self.state, self._slots, self._base, *columns, held, self.parameters.tolerance, table, flags
        )

    def _reason(self, judged: Judged) -> Reason:
        parameters = {"value": number(judged.value), "seconds": number(judged.detail)}
        return Reason(code="flat", parameters={**parameters, "limit": self.parameters.for_s})
