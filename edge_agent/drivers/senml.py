"""Devices that publish SenML (RFC 8428), JSON or CBOR, to a local broker."""

from __future__ import annotations

from edge_agent.drivers.mqtt import MqttDriver
from edge_agent.drivers.seam import setting_fault
from models.clock import SECOND_NS, Clock
from models.configuration import DeviceConfig


class SenmlDriver(MqttDriver):
    """As `mqtt`, but a payload is a SenML pack and a channel's source is a resolved SenML name.

    Only numbers and booleans become readings; several records of one name are several readings. SenML has
    no counter of its own: a repeated message is told by MQTT's flag and its bytes.
    """

    _source_words = "a resolved SenML name"

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        self._places = {name: place for place, name in enumerate(self._sources)}
        for key in ("time_path", "counter_path"):
            if getattr(self._options, key):
                raise setting_fault(device, f"settings.{key}", "SenML carries its own times", "no such key")

    def decode(self, payload: bytes) -> tuple[list[int], list[float], list[int] | None]:
        from models.wire.senml import senml_columns

        content = "json" if payload[:1].strip() in (b"", b"[", b"{") else "cbor"
        names, times, values = senml_columns(payload, content, self._clock.wall_ns() / SECOND_NS)
        rows = [
            (self._places[n], v, t) for n, v, t in zip(names, values, times, strict=True) if n in self._places
        ]
        return [row[0] for row in rows], [float(row[1]) for row in rows], [int(row[2]) for row in rows]

    def counter_of(self, payload: bytes) -> int | None:
        return None
