"""Devices that publish SenML (RFC 8428), JSON or CBOR, to a local broker."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from edge_agent.drivers.mqtt_listener import BrokerOptions, Heard, MqttListener
from edge_agent.drivers.options import source_text
from edge_agent.mqtt_connection import Message
from models.clock import SECOND_NS, Clock
from models.configuration import DeviceConfig


class SenmlOptions(BrokerOptions):
    """Settings of a device that publishes packs; they carry their own times."""

    topic: str = Field(min_length=1)


class SenmlDriver(MqttListener):
    """A payload is a SenML pack, and a channel's source is a resolved SenML name.

    Only numbers and booleans become readings; several records of one name are several readings. SenML has
    no counter of its own: a repeated message is told by MQTT's flag and its bytes.
    """

    options_model: ClassVar[type[BrokerOptions]] = SenmlOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        names = [source_text(device, i, "a resolved SenML name") for i in range(len(device.channels))]
        self._places = {name: place for place, name in enumerate(names)}

    def topics(self) -> list[str]:
        return [self._options.topic]

    def hear(self, message: Message) -> Heard | None:
        from models.wire.senml import senml_columns

        payload = message.payload
        content = "json" if payload[:1].strip() in (b"", b"[", b"{") else "cbor"
        names, times, values = senml_columns(payload, content, self._clock.wall_ns() / SECOND_NS)
        rows = [
            (self._places[n], v, t) for n, v, t in zip(names, values, times, strict=True) if n in self._places
        ]
        return Heard([row[0] for row in rows], [float(row[1]) for row in rows], [int(row[2]) for row in rows])
