"""Devices that publish JSON to a local broker, whatever their make."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic import Field

from edge_agent.drivers.json_paths import as_number, find
from edge_agent.drivers.mqtt_listener import BrokerOptions, Heard, MqttListener
from edge_agent.drivers.options import source_text
from edge_agent.drivers.stamps import parse_stamp
from edge_agent.mqtt_connection import Message
from models.clock import Clock
from models.configuration import DeviceConfig


class MqttOptions(BrokerOptions):
    """Settings of a device behind a broker."""

    topic: str = Field(min_length=1)
    time_path: str | None = None
    counter_path: str | None = None


class MqttDriver(MqttListener):
    """A channel's source is a JSON path. Time and counter stand where the settings say, if anywhere."""

    options_model: ClassVar[type[BrokerOptions]] = MqttOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        self._sources = [source_text(device, i, "a JSON path") for i in range(len(device.channels))]

    def topics(self) -> list[str]:
        return [self._options.topic]

    def hear(self, message: Message) -> Heard | None:
        document = json.loads(message.payload)
        channels, values = values_at(document, self._sources)
        options, times = self._options, None
        if options.time_path and channels:
            stamp = find(document, options.time_path)
            times = [parse_stamp(stamp)] * len(channels) if stamp is not None else None
        counter = find(document, options.counter_path) if options.counter_path else None
        return Heard(channels, values, times, whole_number(counter))


def values_at(document: Any, paths: list[str]) -> tuple[list[int], list[float]]:
    """Places and numbers of those paths where there is something."""
    present = [(i, find(document, path)) for i, path in enumerate(paths)]
    return (
        [i for i, value in present if value is not None],
        [as_number(value) for _, value in present if value is not None],
    )


def whole_number(value: Any) -> int | None:
    """A counter; None for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
