"""A Zigbee device behind Zigbee2MQTT: its messages, what it exposes, and whether it can be reached."""

from __future__ import annotations

import json
import logging
from typing import Any, ClassVar

from pydantic import Field

from edge_agent.drivers.json_paths import as_number, find
from edge_agent.drivers.mqtt_listener import BrokerOptions, Heard, MqttListener
from edge_agent.drivers.options import source_text
from edge_agent.drivers.stamps import parse_stamp
from edge_agent.drivers.zigbee_exposes import Property, read_devices
from edge_agent.mqtt_connection import Message
from models.clock import Clock
from models.configuration import DeviceConfig

log = logging.getLogger(__name__)
AVAILABILITY = "availability"


class Zigbee2mqttOptions(BrokerOptions):
    """Settings of a Zigbee device."""

    device: str = Field(min_length=1, description="its friendly name")
    base: str = "zigbee2mqtt"


class Zigbee2mqttDriver(MqttListener):
    """A channel's source is a property (`temperature`), or `availability`: 1 online, 0 offline.

    A device that Zigbee2MQTT calls offline is down, unless a channel asks for its availability. Messages kept
    by the broker (retained) and those that are not newer by `last_seen` are from before, and left out.
    """

    options_model: ClassVar[type[BrokerOptions]] = Zigbee2mqttOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        self._sources = [source_text(device, i, "a property") for i in range(len(device.channels))]
        self._topic = f"{self._options.base}/{self._options.device}"
        self._properties: dict[str, Property] = {}
        self._latest = 0
        self._has_warned = False

    def topics(self) -> list[str]:
        return [self._topic, f"{self._topic}/{AVAILABILITY}", f"{self._options.base}/bridge/devices"]

    def hear(self, message: Message) -> Heard | None:
        if message.topic == f"{self._topic}/{AVAILABILITY}":
            return self._available(message.payload)
        document = json.loads(message.payload)
        if message.topic == f"{self._options.base}/bridge/devices":
            self._learn(document)
            return None
        if message.topic != self._topic or message.retained:
            return None
        return self._readings(document)

    def _readings(self, document: Any) -> Heard | None:
        stamp = find(document, "last_seen")
        time = None if stamp is None else parse_stamp(stamp)
        if time is not None and time <= self._latest:
            return None  # what Zigbee2MQTT remembers and says again, for instance when it starts
        self._latest = self._latest if time is None else time
        channels, values = [], []
        for place, path in enumerate(self._sources):
            value = find(document, path)
            if value is not None:
                known = self._properties.get(path)
                channels.append(place)
                values.append(as_number(value) if known is None else known.number(value))
        return Heard(channels, values, None if time is None else [time] * len(channels))

    def _available(self, payload: bytes) -> Heard | None:
        word = payload.decode("utf-8", errors="replace").strip()
        if word.startswith("{"):
            word = str(find(json.loads(word), "state"))
        if AVAILABILITY in self._sources:
            return Heard([self._sources.index(AVAILABILITY)], [as_number(word)])
        if word == "offline":
            self.complain(
                f"zigbee2mqtt calls {self._options.device} offline; check its battery or power, and whether "
                "a mains-powered device between it and the stick was unplugged"
            )
        return None

    def _learn(self, document: Any) -> None:
        """What the device exposes; says so when that is not what the channels ask for."""
        devices = {device.name: device for device in read_devices(document)}
        ours = devices.get(self._options.device)
        if ours is None:
            there = ", ".join(sorted(devices)) or "none"
            self.complain(f"zigbee2mqtt knows no device {self._options.device!r}; there are: {there}")
            return
        self._properties = ours.properties
        missing = [s for s in self._sources if s not in ours.properties and s != AVAILABILITY]
        if missing and ours.properties and not self._has_warned:
            self._has_warned = True
            there = ", ".join(sorted(ours.properties))
            log.warning(
                "device %s: %s exposes no %s; it has: %s",
                self._device.name,
                self._options.device,
                missing[0],
                there,
            )
