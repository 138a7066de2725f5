"""Devices that publish SenML (RFC 8428), JSON or CBOR, to a local broker."""

from __future__ import annotations

from edge_agent.drivers.mqtt import MqttDriver


class SenmlDriver(MqttDriver):
    """As `mqtt`, but a payload is a SenML pack and a channel's source is a resolved SenML name.

    Only numbers and booleans become readings; several records of one name are several readings. SenML has
    no counter of its own; a repeated message is told by MQTT's flag and its bytes.
    """

    _source_words = "a resolved SenML name"

    def decode(self, payload: bytes) -> tuple[list[int], list[float], list[int] | None]:
        raise NotImplementedError

    def counter_of(self, payload: bytes) -> int | None:
        return None
