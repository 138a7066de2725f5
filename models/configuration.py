"""The document that says what a gateway reads and how it judges; signed by the cloud, obeyed at the edge."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.alert import AlertKind, ChannelName, MonitorName, Nanoseconds, Severity

DeviceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class Strict(BaseModel):
    """A part of a file: immutable, typed, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ThinConfig(Strict):
    """How telemetry of a channel may be thinned: each value is told within `error` of what was measured.

    What is judged, and what goes up with an alert, is never thinned.
    """

    error: float = Field(gt=0, description="in the channel's unit; of use from half its resolution on")


class ChannelConfig(Strict):
    """One measured quantity.

    `source` says where the driver finds it: a register for Modbus, a JSON path for MQTT, a column for a
    recording, a quantity's name for gateway health. value = raw * scale + offset, then rounded to
    `resolution` (0: as is).
    """

    name: ChannelName
    kind: str = Field(max_length=40, description="temperature, smoke, gas, water_level, door, ...")
    unit: str = Field(default="", max_length=16)
    source: str | int | dict[str, Any]
    scale: float = 1.0
    offset: float = 0.0
    resolution: float = Field(default=0.01, ge=0)
    minimum: float | None = Field(default=None, description="below it no reading can be true; none: physics")
    maximum: float | None = Field(default=None, description="above it no reading can be true; none: physics")
    place: str = Field(default="", max_length=64, description="where it is, if not where its device is")
    # Left out where there is none, so that gateways of before understand a document that does without.
    thin: ThinConfig | None = Field(
        default=None,
        exclude_if=lambda thin: thin is None,
        description="none: every value is sent as it was measured",
    )


class DeviceConfig(Strict):
    """An addressable node and the driver that speaks to it."""

    name: DeviceName
    driver: str = Field(description="name in the table of drivers: modbus_tcp, mqtt, recording, health")
    period_s: float = Field(default=1.0, gt=0, le=86400)
    settings: dict[str, Any] = Field(default_factory=dict)
    place: str = Field(default="", max_length=64)
    # Left out where there is none, so that gateways of before understand a document that does without.
    reorder_s: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        exclude_if=lambda wait: not wait,
        description="readings with times of the device's own wait so long and are put in order, each once",
    )
    channels: tuple[ChannelConfig, ...]


class TriggerConfig(Strict):
    """When a score becomes an alert. `off` below `on` is the hysteresis.

    With an alarm budget the threshold follows each channel, but never below `on`; `off` keeps its ratio.
    """

    on: float = Field(default=3.0, ge=0, le=10)
    off: float | None = Field(default=None, ge=0, le=10, description="none: 0.7 of `on`")
    on_delay_s: float = Field(default=0.0, ge=0)
    off_delay_s: float = Field(default=0.0, ge=0)
    on_readings: int = Field(
        default=1,
        ge=1,
        le=1000,
        exclude_if=lambda wanted: wanted == 1,
        description="so many readings in a row must reach `on`, beside the delay",
    )
    # Left out where there is none, so that gateways of before understand a document that does without.
    budget_per_week: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        exclude_if=lambda wished: wished is None,
        description="alarm budget: wished alert onsets per channel and week",
    )

    @model_validator(mode="after")
    def _off_not_above_on(self) -> TriggerConfig:
        if self.off is not None and self.off > self.on:
            raise ValueError(f"off ({self.off}) must not be above on ({self.on})")
        return self

    @property
    def off_threshold(self) -> float:
        return self.on * 0.7 if self.off is None else self.off


class MonitorConfig(Strict):
    """A detector and a trigger on one channel or a few; each channel is judged by itself."""

    name: MonitorName
    detector: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    channels: tuple[ChannelName, ...] = Field(min_length=1)
    trigger: TriggerConfig = TriggerConfig()
    kind: AlertKind = AlertKind.HAZARD
    hazard: str = Field(max_length=64)
    severity: Severity = Severity.MODERATE
    trial: bool = False


class GatewayDocument(Strict):
    """Everything a gateway is told about what to read and how to judge."""

    gateway: str
    version: int = Field(ge=1, lt=1 << 63)
    issued_at: Nanoseconds
    expires_at: Nanoseconds | None = None
    devices: tuple[DeviceConfig, ...] = ()
    monitors: tuple[MonitorConfig, ...] = ()

    @model_validator(mode="after")
    def _names_fit(self) -> GatewayDocument:
        names = [channel.name for device in self.devices for channel in device.channels]
        _refuse_twice("channel", names)
        _refuse_twice("device", [device.name for device in self.devices])
        _refuse_twice("monitor", [monitor.name for monitor in self.monitors])
        known = set(names)
        for monitor in self.monitors:
            if missing := sorted(set(monitor.channels) - known):
                raise ValueError(f"monitor {monitor.name} watches unknown channels {missing}")
        return self

    def channel_names(self) -> list[str]:
        """Names of all channels, in the order they are written."""
        return [channel.name for device in self.devices for channel in device.channels]


def _refuse_twice(what: str, names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{what} named twice: {twice}")
