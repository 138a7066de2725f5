"""What gateway.toml says of local actions: what switches them on, through what, and how long at most."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from models.alert import MonitorName, Severity
from models.configuration import Strict


class ActionTrigger(Strict):
    """Which alerts switch an action on: all that are given must fit; or being `alone`, without the cloud."""

    hazards: tuple[str, ...] = ()
    monitors: tuple[MonitorName, ...] = ()
    severity: Severity | None = Field(default=None, description="this or worse")
    alone: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> ActionTrigger:
        by_alerts = bool(self.hazards or self.monitors or self.severity)
        if by_alerts == self.alone:
            raise ValueError("one of hazards, monitors, severity; or alone = true by itself")
        return self


class ActionSettings(Strict):
    """One relay, lamp or hook, and its interlock.

    Without `max_on_s` a lamp has no end. `chip` and `line` are for `gpio`, `led` for `led`, `url` for `http`.
    """

    name: MonitorName
    kind: Literal["gpio", "led", "http"]
    on: ActionTrigger
    only_alone: bool = Field(default=False, description="only while the cloud does not answer")
    max_on_s: float | None = Field(default=None, gt=0, le=3600, description="gpio, http: 60 where not given")
    min_pause_s: float = Field(default=30.0, ge=0, le=86400)
    per_day: int = Field(default=20, ge=1, le=1000, description="switched on at most so often in 24 h")
    chip: str = "/dev/gpiochip0"
    line: int | str = Field(default="", description="offset or name")
    active_low: bool = False
    led: str = Field(default="", description="a folder in /sys/class/leds, or a path to one")
    url: str = Field(default="", pattern=r"^(https?://.+)?$")
    timeout_s: float = Field(default=5.0, gt=0, le=60)

    @model_validator(mode="after")
    def _has_its_output(self) -> ActionSettings:
        needed = {"gpio": "line", "led": "led", "http": "url"}[self.kind]
        if getattr(self, needed) == "":
            raise ValueError(f"{self.kind} needs {needed}")
        return self

    @property
    def longest_s(self) -> float | None:
        """How long it may be on; None, for a lamp alone, is without end."""
        return self.max_on_s if self.max_on_s is not None or self.kind == "led" else 60.0


class AloneSettings(Strict):
    """When the gateway holds itself for alone, and its page on loopback."""

    after_s: float = Field(default=300.0, ge=5, le=86400, description="without a receipt for what is owed")
    page_port: int = Field(default=0, ge=0, le=65535, description="status page on 127.0.0.1; 0: none")
