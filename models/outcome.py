"""What a person found at the door; the word everything else is measured by."""

from __future__ import annotations

import enum

from pydantic import BaseModel, ConfigDict, Field


class Verdict(enum.StrEnum):
    """The product's words for an outcome."""

    REAL = "real"
    FALSE_ALARM = "false_alarm"
    SENSOR_FAULT = "sensor_fault"
    NO_ACCESS = "no_access"
    DRILL = "drill"


class OutcomeReport(BaseModel):
    """An answer to a verification task. `key` makes sending it twice harmless."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str = Field(min_length=8, max_length=64, description="made by the sender, the same on every retry")
    verdict: Verdict
    cause: str = Field(default="", max_length=64, description="short code or words: cooking, leak, battery")
    note: str = Field(default="", max_length=2000)
    measured_value: float | None = None
    measured_unit: str = Field(default="", max_length=16)
