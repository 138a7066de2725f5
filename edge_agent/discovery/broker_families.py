"""Devices recognised in what a broker says: pure functions of the messages heard, last one a topic."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from edge_agent.discovery.kinds import quantity_of
from edge_agent.discovery.proposal import ProposedChannel, ProposedDevice, decimals_of
from edge_agent.drivers.ha_entities import Entity, read_config
from edge_agent.drivers.json_paths import as_number, as_object, find
from edge_agent.drivers.zigbee_exposes import ZigbeeDevice, read_devices
from models.errors import WireError

Heard = Mapping[str, bytes]
Broker = dict[str, Any]
_UPLINK = re.compile(r"^application/([^/]+)/device/([0-9a-f]{16})/event/up$")
_SENSOR = re.compile(r"^tele/(.+)/SENSOR$")
_COUNTERS = ("counter", "seq", "fcnt", "msg_id")
_TIMES = ("time", "timestamp", "ts", "at")
_MAX_PATHS = 40


def propose_from_broker(heard: Heard, broker: Broker) -> list[ProposedDevice]:
    """Zigbee2MQTT, ChirpStack, Tasmota, what announces itself, SenML, and plain JSON last."""
    claimed: set[str] = set()
    devices = [
        *_zigbee(heard, broker, claimed),
        *_chirpstack(heard, broker, claimed),
        *_tasmota(heard, broker, claimed),
        *_announced(heard, broker, claimed),
    ]
    rest = {t: p for t, p in heard.items() if t not in claimed and not t.startswith(("$", "homeassistant/"))}
    return [*devices, *_packs(rest, broker, claimed), *_plain(rest, broker, claimed)]


def _zigbee(heard: Heard, broker: Broker, claimed: set[str]) -> Iterator[ProposedDevice]:
    for topic in [topic for topic in heard if topic.endswith("/bridge/devices")]:
        base = topic.removesuffix("/bridge/devices")
        claimed |= {name for name in heard if name.startswith(f"{base}/")}
        document = _json(heard[topic])
        for device in read_devices(document) if isinstance(document, list) else ():
            state = _json(heard.get(f"{base}/{device.name}", b"")) or {}
            settings = {**broker, "device": device.name} | ({} if base == "zigbee2mqtt" else {"base": base})
            yield ProposedDevice(
                device.name, "zigbee2mqtt", settings, tuple(_exposed(device, state)), device.model
            )


def _exposed(device: ZigbeeDevice, state: Any) -> Iterator[ProposedChannel]:
    """What is measured; what can be set, and words, are no channels."""
    for path, known in device.properties.items():
        is_state = path == "state" and known.type == "binary"
        if known.type not in ("numeric", "binary") or not (known.is_measured or is_state):
            continue
        quantity = quantity_of(path, known.unit, is_binary=known.type == "binary")
        if known.minimum is not None and known.maximum is not None and quantity.scale == 1:
            quantity = replace(quantity, minimum=known.minimum, maximum=known.maximum)
        value = find(state, path)
        yield ProposedChannel(path, quantity, path, "" if value is None else f"said {value}")


def _chirpstack(heard: Heard, broker: Broker, claimed: set[str]) -> Iterator[ProposedDevice]:
    for topic, payload in heard.items():
        fits, document = _UPLINK.match(topic), _json(payload)
        if fits is None or not isinstance(document, dict):
            continue
        claimed.add(topic)
        about = as_object(document.get("deviceInfo"))
        channels = [
            _measured(path.rsplit(".", 1)[-1], f"object.{path}", value)
            for path, value in _numbers(document.get("object"))
        ]
        channels += [ProposedChannel("rssi", quantity_of("rssi", "dBm"), "rssi")]
        name = str(about.get("deviceName") or fits[2])
        profile = str(about.get("deviceProfileName", ""))
        missing = () if document.get("object") else ("no decoded object: give its device profile a codec",)
        yield ProposedDevice(
            name, "chirpstack", {**broker, "dev_eui": fits[2]}, tuple(channels), profile, comments=missing
        )


def _tasmota(heard: Heard, broker: Broker, claimed: set[str]) -> Iterator[ProposedDevice]:
    for topic, payload in heard.items():
        fits, document = _SENSOR.match(topic), _json(payload)
        if fits is None or not isinstance(document, dict):
            continue
        claimed |= {name for name in heard if name.startswith(f"tele/{fits[1]}/")}
        unit = str(document.get("TempUnit", "C"))
        channels = []
        for path, value in _numbers(document):
            word = path.rsplit(".", 1)[-1]
            if word not in ("Id", "Period") and not word.endswith("StartTime"):
                channels.append(_measured(word, path, value, unit if word == "Temperature" else ""))
        yield ProposedDevice(fits[1], "tasmota", {**broker, "device": fits[1]}, tuple(channels), "Tasmota")


def _announced(heard: Heard, broker: Broker, claimed: set[str]) -> Iterator[ProposedDevice]:
    """By Home Assistant's discovery, unless its state is one that was recognised already."""
    groups: dict[str, list[Entity]] = defaultdict(list)
    for topic, payload in heard.items():
        if not re.match(r"^homeassistant/.+/config$", topic):
            continue
        try:
            entities = read_config(topic, payload)
        except (ValueError, RecursionError):
            continue
        for entity in entities:
            if entity.state_topic not in claimed:
                groups[entity.device_id or entity.unique_id].append(entity)
    for entities in groups.values():
        claimed |= {entity.state_topic for entity in entities}
        channels = [
            ProposedChannel(
                entity.name or entity.device_class or entity.unique_id,
                quantity_of(
                    entity.device_class or entity.name, entity.unit, is_binary=entity.component != "sensor"
                ),
                entity.unique_id,
            )
            for entity in entities
        ]
        name = entities[0].device_name or entities[0].name or entities[0].unique_id
        yield ProposedDevice(name, "homeassistant", dict(broker), tuple(channels), "announces itself")


def _packs(heard: Heard, broker: Broker, claimed: set[str]) -> Iterator[ProposedDevice]:
    from models.wire.senml import senml_columns

    for topic, payload in heard.items():
        if not payload[:1].strip().startswith(b"["):
            continue
        try:
            names, _, values = senml_columns(payload, "json", 0.0)
        except (ValueError, WireError):
            continue
        claimed.add(topic)
        seen = dict(zip(names, values, strict=True))
        channels = tuple(_measured(re.split(r"[:/]", n)[-1], n, float(v)) for n, v in seen.items())
        yield ProposedDevice(topic, "senml", {**broker, "topic": topic}, channels, "SenML")


def _plain(heard: Heard, broker: Broker, claimed: set[str]) -> Iterator[ProposedDevice]:
    for topic, payload in heard.items():
        document = _json(payload)
        if topic in claimed or not isinstance(document, dict):
            continue
        numbers = dict(_numbers(document))
        counter = next((path for path in numbers if path.lower() in _COUNTERS), None)
        time = next((path for path in _TIMES if path in document), None)
        settings = {**broker, "topic": topic}
        settings |= ({"counter_path": counter} if counter else {}) | ({"time_path": time} if time else {})
        channels = tuple(
            _measured(path.rsplit(".", 1)[-1], path, value)
            for path, value in numbers.items()
            if path not in (counter, time)
        )
        yield ProposedDevice(topic, "mqtt", settings, channels, "JSON; check kinds and units")


def _measured(word: str, source: str, value: Any, unit: str = "") -> ProposedChannel:
    is_binary = isinstance(value, bool | str)
    quantity = quantity_of(word, unit, is_binary=is_binary)
    if not is_binary and not quantity.resolution:
        quantity = replace(quantity, resolution=decimals_of(value))
    return ProposedChannel(source.removeprefix("object."), quantity, source, f"said {value}")


def _numbers(document: Any, under: str = "") -> list[tuple[str, Any]]:
    """Paths at which a number, a truth, or a word for on or off stands."""
    found: list[tuple[str, Any]] = []
    for key, value in document.items() if isinstance(document, dict) else ():
        path = f"{under}{key}"
        if not key:
            continue
        if isinstance(value, dict):
            found += _numbers(value, f"{path}.")
        elif isinstance(value, bool | int | float) or (
            isinstance(value, str) and not value[:1].isdigit() and as_number(value) in (0.0, 1.0)
        ):
            found.append((path, value))
    return found[:_MAX_PATHS]


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
