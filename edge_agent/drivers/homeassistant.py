"""Whatever announces itself by Home Assistant's MQTT discovery: no topic need be written down."""

from __future__ import annotations

import logging
from typing import ClassVar

from edge_agent.drivers.ha_entities import Entity, read_config
from edge_agent.drivers.mqtt_listener import BrokerOptions, Heard, MqttListener
from edge_agent.drivers.options import source_text
from edge_agent.mqtt_connection import Message
from models.clock import Clock
from models.configuration import DeviceConfig

log = logging.getLogger(__name__)


class HomeassistantOptions(BrokerOptions):
    """Settings of announced entities."""

    prefix: str = "homeassistant"


class HomeassistantDriver(MqttListener):
    """A channel's source is an entity's `unique_id`. Its config message says where its state is.

    Templates that pick a value by a path are understood; such as compute are refused by name in the log.
    Copies of a state kept by the broker (retained) are of unknown age and left out. The device is down while
    all of its entities are called offline.
    """

    options_model: ClassVar[type[BrokerOptions]] = HomeassistantOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        ids = [source_text(device, i, "a unique_id") for i in range(len(device.channels))]
        self._places = {unique_id: place for place, unique_id in enumerate(ids)}
        self._entities: dict[str, Entity] = {}
        self._offline: dict[str, bool] = {}

    def open(self, cursor: str | None) -> None:
        self._offline.clear()
        super().open(cursor)

    def topics(self) -> list[str]:
        prefix = self._options.prefix
        known = {topic for entity in self._entities.values() for topic in _topics_of(entity)}
        return [f"{prefix}/+/+/config", f"{prefix}/+/+/+/config", *sorted(known)]

    def hear(self, message: Message) -> Heard | None:
        if message.topic.startswith(f"{self._options.prefix}/") and message.topic.endswith("/config"):
            self._learn(message)
            return None
        self._note_availability(message)
        if message.retained:
            return None
        heard = [
            (self._places[unique_id], entity.number(message.payload))
            for unique_id, entity in self._entities.items()
            if entity.state_topic == message.topic
        ]
        rows = [(place, value) for place, value in heard if value is not None]
        return Heard([row[0] for row in rows], [row[1] for row in rows]) if rows else None

    def _learn(self, message: Message) -> None:
        """Entities that channels ask for; listens to where they speak. Others' faults are not ours."""
        if not any(unique_id.encode() in message.payload for unique_id in self._places):
            return
        for entity in read_config(message.topic, message.payload, self._options.prefix):
            if entity.unique_id in self._places and self._entities.get(entity.unique_id) != entity:
                self._entities[entity.unique_id] = entity
                self.subscribe(_topics_of(entity))

    def _note_availability(self, message: Message) -> None:
        words = {
            entity.unavailable[message.topic]
            for entity in self._entities.values()
            if message.topic in entity.unavailable
        }
        if not words:
            return
        self._offline[message.topic] = message.payload.decode("utf-8", errors="replace").strip() in words
        if len(self._entities) == len(self._places) and all(map(self._is_offline, self._entities.values())):
            gone = ", ".join(sorted({e.device_name or e.name for e in self._entities.values()}))
            self.complain(f"{gone}: offline by its own availability topic; check power and radio")

    def _is_offline(self, entity: Entity) -> bool:
        return any(self._offline.get(topic, False) for topic in entity.unavailable)


def _topics_of(entity: Entity) -> list[str]:
    return [entity.state_topic, *entity.unavailable]
