"""Devices with ESPHome and its MQTT component: one topic a sensor, a number or a word as payload."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from edge_agent.drivers.json_paths import as_number
from edge_agent.drivers.mqtt_listener import BrokerOptions, Heard, MqttListener
from edge_agent.drivers.options import source_text
from edge_agent.drivers.seam import setting_fault
from edge_agent.mqtt_connection import Message
from models.clock import Clock
from models.configuration import DeviceConfig


class EsphomeOptions(BrokerOptions):
    """Settings of a node: its `topic_prefix`, which is its name where nobody changed it."""

    node: str = Field(min_length=1)


class EsphomeDriver(MqttListener):
    """A channel's source is component and object id (`sensor/kitchen_temperature`). NaN and words that are no
    number are marked invalid.

    ESPHome keeps every state at the broker (retained): such a copy is of unknown age and left out.
    """

    options_model: ClassVar[type[BrokerOptions]] = EsphomeOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        self._node = self._options.node
        self._places: dict[str, int] = {}
        for index in range(len(device.channels)):
            source = source_text(device, index, "component/object_id")
            if source.count("/") != 1:
                key = f"channels[{index}].source"
                raise setting_fault(device, key, f"cannot be {source!r}", "component/object_id")
            self._places[f"{self._node}/{source}/state"] = index

    def topics(self) -> list[str]:
        return [*self._places, f"{self._node}/status"]

    def hear(self, message: Message) -> Heard | None:
        word = message.payload.decode("utf-8", errors="replace").strip()
        if message.topic == f"{self._node}/status":
            if word == "offline":
                self.complain(f"ESPHome node {self._node} is offline by its last will; check power and Wi-Fi")
            return None
        if message.topic not in self._places or message.retained:
            return None
        return Heard([self._places[message.topic]], [as_number(word)])
