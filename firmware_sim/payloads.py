"""What MQTT devices print: Zigbee2MQTT-shaped JSON, plain JSON with paths, SenML (RFC 8428)."""

from __future__ import annotations

import json
from typing import Any

from firmware_sim.device import Sample
from firmware_sim.device_types import DeviceType
from firmware_sim.document import senml_base


def payload(device: str, type_: DeviceType, sample: Sample, at_s: float) -> bytes:
    """The bytes a device of this protocol publishes for a sample measured at `at_s` (UTC seconds)."""
    document = {"zigbee": _zigbee, "plain": _plain, "senml": _senml}[type_.protocol](
        device, type_, sample, at_s
    )
    return json.dumps(document, separators=(",", ":")).encode()


def _told(type_: DeviceType, sample: Sample) -> dict[str, Any]:
    flags = {channel.name for channel in type_.channels if channel.flag}
    return {name: bool(raw) if name in flags else _short(raw) for name, raw in sample.raw.items()}


def _short(raw: float) -> float | int:
    return int(raw) if raw == int(raw) else raw


def _zigbee(device: str, type_: DeviceType, sample: Sample, at_s: float) -> Any:
    return _told(type_, sample) | {"counter": sample.counter}


def _plain(device: str, type_: DeviceType, sample: Sample, at_s: float) -> Any:
    document: dict[str, Any] = {"id": device, "seq": sample.counter, "time": round(at_s * 1000)}
    told = _told(type_, sample)
    for channel in type_.channels:
        *folders, leaf = (channel.path or channel.name).split(".")
        at = document
        for folder in folders:
            at = at.setdefault(folder, {})
        at[leaf] = told[channel.name]
    return document


def _senml(device: str, type_: DeviceType, sample: Sample, at_s: float) -> Any:
    told = _told(type_, sample)
    records: list[dict[str, Any]] = [
        {"n": channel.name, "u": channel.unit, "v": told[channel.name]} for channel in type_.channels
    ]
    records.append({"n": "counter", "v": sample.counter})
    records[0] = {"bn": senml_base(device), "bt": round(at_s, 3)} | records[0]
    return records
