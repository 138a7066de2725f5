"""Devices with Tasmota: their telemetry, and their last will."""

from __future__ import annotations

import json
from typing import ClassVar

from pydantic import Field, field_validator

from edge_agent.drivers.mqtt import values_at
from edge_agent.drivers.mqtt_listener import BrokerOptions, Heard, MqttListener
from edge_agent.drivers.options import source_text
from edge_agent.mqtt_connection import Message
from models.clock import Clock
from models.configuration import DeviceConfig

_STATE = "STATE."


class TasmotaOptions(BrokerOptions):
    """Settings of a device: its `Topic` and `FullTopic`, as its web page shows them."""

    device: str = Field(min_length=1)
    full_topic: str = "%prefix%/%topic%/"

    @field_validator("full_topic")
    @classmethod
    def _names_both(cls, pattern: str) -> str:
        if "%prefix%" not in pattern or "%topic%" not in pattern:
            raise ValueError("%prefix% and %topic% in it, as Tasmota's FullTopic")
        return pattern if pattern.endswith("/") else pattern + "/"


class TasmotaDriver(MqttListener):
    """A channel's source is a path in SENSOR (`BME280.Temperature`, `ENERGY.Power`), or in STATE with that
    word before it (`STATE.Wifi.Signal`).

    The `Time` in a message is the device's local time without a zone, so the gateway's is taken.
    """

    options_model: ClassVar[type[BrokerOptions]] = TasmotaOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        sources = [source_text(device, i, "a path in SENSOR or STATE") for i in range(len(device.channels))]
        self._paths = {
            "SENSOR": ["" if source.startswith(_STATE) else source for source in sources],
            "STATE": [s.removeprefix(_STATE) if s.startswith(_STATE) else "" for s in sources],
        }
        pattern = self._options.full_topic.replace("%prefix%", "tele")
        self._base = pattern.replace("%topic%", self._options.device)

    def topics(self) -> list[str]:
        return [self._base + name for name in (*self._paths, "LWT")]

    def hear(self, message: Message) -> Heard | None:
        name = message.topic.removeprefix(self._base)
        if name == "LWT":
            self._will(message.payload)
            return None
        if name not in self._paths or message.retained:
            return None
        return Heard(*values_at(json.loads(message.payload), self._paths[name]))

    def _will(self, payload: bytes) -> None:
        if payload.strip().lower() == b"offline":
            self.complain(f"Tasmota {self._options.device} is offline by its last will; check power, Wi-Fi")
