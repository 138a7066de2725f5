"""How far a channel goes in a step, where it has lately been, and what is no value of it."""

from __future__ import annotations

from typing import Any

from models.compile import kernel
from models.detectors.plausibility.conversions import conversion_of
from models.detectors.plausibility.natures import NEVER_ZERO, TEMPERATURE, UPWARD
from models.detectors.plausibility.record import NEAR, SENTINELS, SENTINELS_C, WARY_REACH


@kernel
def reach_of(state: Any) -> float:
    """How far one step may go; no further than the tallest ordinary one while the contact is loose."""
    if state.loose:
        return float(WARY_REACH * state.tall + 0.5 * state.floor)
    return float(state.reach * state.tall + state.floor)


@kernel
def nearness(state: Any) -> float:
    """How far the channel goes in a few rows when nothing happens."""
    return float(min(state.tall, NEAR * state.usual) + state.floor)


@kernel
def is_in_band(state: Any, value: float, share: float) -> bool:
    """Whether the channel has lately been about there."""
    margin = share * (state.high - state.low) + state.floor
    return bool(state.low - margin <= value <= state.high + margin)


@kernel
def is_sentinel(nature: int, value: float) -> bool:
    """Whether the value is what dead sensors and their drivers send instead of one."""
    if value == 0.0:
        return nature & NEVER_ZERO != 0
    for k in range(SENTINELS.shape[0]):
        if value == SENTINELS[k]:
            return True
    return nature & TEMPERATURE != 0 and (value == SENTINELS_C[0] or value == SENTINELS_C[1])


@kernel
def unit_of(state: Any, value: float) -> int:
    """The conversion that explains the jump; none where a rise is what the sensor is there to tell."""
    if state.loose or (state.nature & UPWARD and value > state.level):
        return 0
    return conversion_of(state.level, value, nearness(state), state.nature)
