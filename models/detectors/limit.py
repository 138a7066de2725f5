"""Limit: the value itself is too low or too high."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from models.alert import Reason
from models.compile import kernel
from models.detectors.bank import Columns, Judged, PackedBank, number
from models.detectors.parameters import Parameters, parameter
from models.detectors.rows import JUDGED, clear, slot_of
from models.readings import Bytes, Floats


class LimitParameters(Parameters):
    """At least one of the two; `low` below `high`."""

    low: float | None = parameter(
        None,
        title="Lower limit",
        zh="下限",
        text="A value below it is an alert. In the channel's unit.",
        text_zh="低于此值即告警。单位与通道相同。",
    )
    high: float | None = parameter(
        None,
        title="Upper limit",
        zh="上限",
        text="A value above it is an alert. In the channel's unit.",
        text_zh="高于此值即告警。单位与通道相同。",
    )

    @model_validator(mode="after")
    def _ordered(self) -> LimitParameters:
        require_limits(self.low, self.high)
        return self


def require_limits(low: float | None, high: float | None) -> None:
    """ValueError unless there is a limit, and low lies below high."""
    if low is None and high is None:
        raise ValueError("give low, high or both")
    if low is not None and high is not None and low >= high:
        raise ValueError(f"low ({low}) must be below high ({high})")


def bounds(low: float | None, high: float | None) -> tuple[float, float]:
    """Limits as numbers for a kernel: a missing one is infinite."""
    return (-np.inf if low is None else low), (np.inf if high is None else high)


@kernel
def score_limit(
    slots: NDArray[np.int32],
    base: int,
    channel: NDArray[np.int32],
    value: Floats,
    quality: Bytes,
    low: float,
    high: float,
    out: Floats,
    flags: Bytes,
) -> None:
    """Score 10 outside low..high, else 0. A limit itself is still inside."""
    lower = low if np.isfinite(low) else np.nan
    upper = high if np.isfinite(high) else np.nan
    for row in range(channel.shape[0]):
        clear(out, flags, row)
        if slot_of(slots, base, channel[row], value[row], quality[row]) < 0:
            continue
        flags[row] = JUDGED
        out[2, row] = lower
        out[3, row] = upper
        if value[row] < low or value[row] > high:
            out[0, row] = 10.0


class LimitBank(PackedBank[LimitParameters]):
    """Stateless but for its place in the snapshot.

    >>> from models.readings import ReadingBlock
    >>> bank = LimitBank(LimitParameters(high=60), [1])
    >>> bank.score(ReadingBlock.of([1, 1], [0, 1], [60.0, 60.1])).score.tolist()
    [0.0, 10.0]
    """

    name = "limit"
    dtype = np.dtype([("last", "i8")])

    def _run(self, columns: Columns, table: Floats, flags: Bytes) -> None:
        channel, _, value, quality = columns
        low, high = bounds(self.parameters.low, self.parameters.high)
        score_limit(self._slots, self._base, channel, value, quality, low, high, table, flags)

    def _reason(self, judged: Judged) -> Reason:
        return limit_reason(judged.value, judged.lower, judged.upper)


def limit_reason(value: float, lower: float, upper: float) -> Reason:
    """`above_limit` or `below_limit`, with value and limit."""
    if value < lower:
        return Reason(code="below_limit", parameters={"value": number(value), "limit": number(lower)})
    return Reason(code="above_limit", parameters={"value": number(value), "limit": number(upper)})
