"""LoRaWAN devices behind ChirpStack 4: uplinks as its MQTT integration publishes them, in JSON."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic import Field

from edge_agent.drivers.json_paths import as_number, find
from edge_agent.drivers.mqtt import values_at
from edge_agent.drivers.mqtt_listener import BrokerOptions, Heard, MqttListener
from edge_agent.drivers.options import source_text
from edge_agent.drivers.stamps import parse_stamp
from edge_agent.mqtt_connection import Message
from models.clock import Clock
from models.configuration import DeviceConfig

_RADIO = ("rssi", "snr")
_STATUS = {"battery": "batteryLevel", "margin": "margin"}


class ChirpstackOptions(BrokerOptions):
    """Settings of a LoRaWAN device. Without an application any one's is taken; a DevEUI is unique."""

    dev_eui: str = Field(pattern=r"^[0-9a-fA-F]{16}$")
    application: str = "+"


class ChirpstackDriver(MqttListener):
    """A channel's source is a path in the uplink (`object.temperature`, as the codec names it), or `rssi`,
    `snr` (of the gateway that heard best), `battery`, `margin` (from status events).

    The frame counter is the cursor. It begins anew with each join, and then so does the device's address, so
    a counter is known under both.
    """

    options_model: ClassVar[type[BrokerOptions]] = ChirpstackOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        super().__init__(device, clock)
        self._sources = [source_text(device, i, "a path in the uplink") for i in range(len(device.channels))]

    def topics(self) -> list[str]:
        base = f"application/{self._options.application}/device/{self._options.dev_eui.lower()}/event"
        return [f"{base}/up", f"{base}/status"]

    def hear(self, message: Message) -> Heard | None:
        if message.retained:
            return None
        document = json.loads(message.payload)
        if not isinstance(document, dict):
            raise ValueError("not an event of ChirpStack 4")
        event = message.topic.rsplit("/", 1)[-1]
        return self._status(document) if event == "status" else self._uplink(document, message.topic)

    def _uplink(self, document: dict[str, Any], topic: str) -> Heard:
        if "object" not in document and any(source.startswith("object.") for source in self._sources):
            raise ValueError("the uplink has no object; give the device profile a codec in ChirpStack")
        channels, values = values_at(document, self._sources)
        for name in _RADIO:
            best = _best(document.get("rxInfo"), name)
            if name in self._sources and best is not None:
                channels.append(self._sources.index(name))
                values.append(best)
        counter = document.get("fCnt", 0)  # a zero may be left out
        if not isinstance(counter, int) or isinstance(counter, bool):
            raise ValueError(f"fCnt {counter!r} is no counter")
        key = f"{topic}#{document.get('devAddr', '')}"
        return Heard(channels, values, _times(document, len(channels)), counter, key)

    def _status(self, document: dict[str, Any]) -> Heard:
        fields = {name: field for name, field in _STATUS.items() if name in self._sources}
        if document.get("externalPowerSource") or document.get("batteryLevelUnavailable"):
            fields.pop("battery", None)
        found = [(self._sources.index(n), as_number(document.get(f, 0))) for n, f in fields.items()]
        return Heard([c for c, _ in found], [v for _, v in found], _times(document, len(found)))


def _best(receptions: Any, name: str) -> float | None:
    heard = [find(each, name) for each in receptions] if isinstance(receptions, list) else []
    numbers = [as_number(value) for value in heard if value is not None]
    return max(numbers) if numbers else None


def _times(document: dict[str, Any], count: int) -> list[int] | None:
    stamp = document.get("time")
    return None if stamp is None or not count else [parse_stamp(stamp)] * count
