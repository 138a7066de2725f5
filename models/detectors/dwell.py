"""Dwell: the value is beyond a limit, and stays there."""

from __future__ import annotations

from pydantic import model_validator

from models.alert import Reason
from models.detectors.bank import Judged, number
from models.detectors.held import HeldBank
from models.detectors.limit import LimitParameters, bounds, require_limits
from models.detectors.parameters import parameter


class DwellParameters(LimitParameters):
    """Limits, and how long the value may stay beyond one."""

    for_s: float = parameter(
        60.0,
        title="For",
        zh="持续时长",
        unit="s",
        gt=0,
        le=30 * 86400,
        text="The value must stay beyond the limit this long; the last value stands between readings.",
        text_zh="越限须持续此时长；两次读数之间以最近值为准。",
    )

    @model_validator(mode="after")
    def _limits_ordered(self) -> DwellParameters:
        require_limits(self.low, self.high)
        return self


class DwellBank(HeldBank[DwellParameters]):
    """Judged on whole seconds of event time, 40 bytes a channel."""

    name = "dwell"

    def _condition(self) -> tuple[float, float, bool]:
        low, high = bounds(self.parameters.low, self.parameters.high)
        return low, high, False

    def _held_s(self) -> float:
        return self.parameters.for_s

    def _reason(self, judged: Judged) -> Reason:
        low, high = self.parameters.low, self.parameters.high
        limit = low if low is not None and judged.value < low else high
        return Reason(
            code="dwelt",
            parameters={"value": number(judged.value), "limit": limit, "seconds": number(judged.detail)},
        )
