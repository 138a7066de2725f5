"""A gateway's document in the written format: which devices it reads, and how it judges them."""

from __future__ import annotations

import fnmatch
from typing import Any

from firmware_sim.device_types import ChannelType, DeviceType
from firmware_sim.scenario import DeviceSpec, MonitorSpec

HEALTH_CHANNELS = (
    ("cpu-percent", "cpu_percent", "percent", "%", 0.1, 0, 100),
    ("load", "load_1m", "load", "", 0.01, 0, 10_000),
    ("memory-percent", "memory_percent", "percent", "%", 0.1, 0, 100),
    ("disk-percent", "disk_percent", "percent", "%", 0.1, 0, 100),
    ("uptime", "uptime_s", "uptime", "s", 1.0, 0, None),
)


def channel_name(device: str, channel: str) -> str:
    """Name of a channel in the gateway and in the store."""
    return f"{device}/{channel}"


def senml_base(device: str) -> str:
    """Base name in the SenML packs of a device."""
    return f"urn:dev:ops:street-{device}:"


def topic_of(protocol: str, device: str) -> str:
    """Where an MQTT device speaks on its gateway's local broker."""
    folder = {"zigbee": "zigbee2mqtt", "plain": "meters", "senml": "senml"}[protocol]
    return f"{folder}/{device}"


def device_entry(
    spec: DeviceSpec, type_: DeviceType, *, modbus: tuple[int, int], broker: int
) -> dict[str, Any]:
    """A `[[devices]]` entry. `modbus` is (port, unit), `broker` the port of the local broker."""
    if type_.protocol == "modbus":
        driver = "modbus_tcp"
        settings: dict[str, Any] = {"host": "127.0.0.1", "port": modbus[0], "unit": modbus[1]}
    else:
        driver = "senml" if type_.protocol == "senml" else "mqtt"
        settings = {
            "host": "127.0.0.1",
            "port": broker,
            "topic": topic_of(type_.protocol, spec.name),
            "qos": 1,
        }
        settings["client_id"] = f"edge-{spec.name}"
        settings |= _paths(type_.protocol)
    channels = [_counter_entry(spec.name, type_)]
    channels += [_channel_entry(spec.name, type_, channel) for channel in type_.channels]
    return {
        "name": spec.name,
        "driver": driver,
        "period_s": 1.0,
        "place": spec.place,
        "settings": settings,
        "channels": channels,
    }


def _paths(protocol: str) -> dict[str, str]:
    """Where the cursor and the device's own time stand; SenML has no cursor and always a time."""
    if protocol == "senml":
        return {}
    if protocol == "plain":
        return {"counter_path": "seq", "time_path": "time"}
    return {"counter_path": "counter"}


def _counter_entry(device: str, type_: DeviceType) -> dict[str, Any]:
    source: Any = {"register": 0, "type": "uint32", "table": "input", "word_order": "big"}
    if type_.protocol == "senml":
        source = senml_base(device) + "counter"
    elif type_.protocol != "modbus":
        source = _paths(type_.protocol)["counter_path"]
    return {
        "name": channel_name(device, "counter"),
        "kind": "counter",
        "unit": "",
        "source": source,
        "scale": 1.0,
        "resolution": 1.0,
    }


def _channel_entry(device: str, type_: DeviceType, channel: ChannelType) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": channel_name(device, channel.name),
        "kind": channel.kind,
        "unit": channel.unit,
        "source": _source(device, type_, channel),
        "scale": channel.scale,
        "resolution": channel.step,
    }
    limits = {"minimum": channel.minimum, "maximum": channel.maximum}
    return entry | {key: value for key, value in limits.items() if value is not None}


def _source(device: str, type_: DeviceType, channel: ChannelType) -> Any:
    if type_.protocol == "modbus":
        register = type_.registers()[channel.name]
        return {"register": register, "type": channel.type, "table": "input", "word_order": "big"}
    if type_.protocol == "senml":
        return senml_base(device) + channel.name
    return channel.path or channel.name


def health_entry(gateway: str, place: str) -> dict[str, Any]:
    """The gateway's own health as a device: this machine's real readings."""
    channels = [
        {
            "name": channel_name(gateway, name),
            "kind": kind,
            "unit": unit,
            "source": source,
            "scale": 1.0,
            "resolution": resolution,
            "minimum": low,
        }
        | ({} if high is None else {"maximum": high})
        for name, source, kind, unit, resolution, low, high in HEALTH_CHANNELS
    ]
    return {
        "name": f"{gateway}-health",
        "driver": "health",
        "period_s": 5.0,
        "place": place,
        "settings": {},
        "channels": channels,
    }


def monitor_entries(monitors: tuple[MonitorSpec, ...], channels: list[str]) -> list[dict[str, Any]]:
    """`[[monitors]]` of one gateway: those that watch a channel it has, patterns spelt out."""
    entries = []
    for monitor in monitors:
        watched = [c for c in channels if any(fnmatch.fnmatchcase(c, p) for p in monitor.channels)]
        if watched:
            entry = monitor.model_dump()
            entries.append(entry | {"channels": watched})
    return entries


def document(
    gateway: str, version: int, issued_at_ns: int, devices: list[Any], monitors: list[Any]
) -> dict[str, Any]:
    """A whole GatewayDocument, as `lastmile-cloud gateway desired` takes it."""
    return {
        "gateway": gateway,
        "version": version,
        "issued_at": issued_at_ns,
        "devices": devices,
        "monitors": monitors,
    }
