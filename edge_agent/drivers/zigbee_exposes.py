"""What Zigbee2MQTT says of its devices in `bridge/devices`: which properties each has, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edge_agent.drivers.json_paths import as_number, as_object


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `path` is where it stands in the device's messages; on and off those of a binary one."""

    path: str
    type: str
    unit: str = ""
    on: Any = None
    off: Any = None
    minimum: float | None = None
    maximum: float | None = None
    is_measured: bool = True

    def number(self, value: Any) -> float:
        """The value as a number: 1 and 0 for what the device calls on and off.

        >>> Property("lock", "binary", on="LOCK", off="UNLOCK").number("UNLOCK")
        0.0
        """
        if self.type == "binary" and value in (self.on, self.off):
            return 1.0 if value == self.on else 0.0
        return as_number(value)


@dataclass(frozen=True, slots=True)
class ZigbeeDevice:
    """A device of the Zigbee network."""

    name: str
    address: str
    model: str
    properties: dict[str, Property]


def read_devices(document: Any) -> list[ZigbeeDevice]:
    """All devices in a `bridge/devices` message but the coordinator; ValueError when it is none."""
    if not isinstance(document, list):
        raise ValueError("bridge/devices is not a list")
    devices = []
    for entry in document:
        if not isinstance(entry, dict) or entry.get("type") == "Coordinator":
            continue
        definition = as_object(entry.get("definition"))
        properties = {p.path: p for p in _properties(definition.get("exposes"), "")}
        devices.append(
            ZigbeeDevice(
                str(entry.get("friendly_name", "")),
                str(entry.get("ieee_address", "")),
                f"{definition.get('vendor', '')} {definition.get('model', '')}".strip(),
                properties,
            )
        )
    return devices


_PUBLISHED = 1  # bit of `access`: found in the device's messages
_SET = 2  # bit of `access`: may be set, so rather a wish than a measurement


def _properties(exposes: Any, under: str) -> Iterator[Property]:
    for expose in exposes if isinstance(exposes, list) else ():
        if not isinstance(expose, dict):
            continue
        name = expose.get("property")
        if isinstance(expose.get("features"), list):
            inside = f"{under}{name}." if expose.get("type") == "composite" and name else under
            yield from _properties(expose["features"], inside)
        elif name and _access(expose) & _PUBLISHED:
            yield Property(
                f"{under}{name}",
                str(expose.get("type", "")),
                str(expose.get("unit") or ""),
                expose.get("value_on"),
                expose.get("value_off"),
                _limit(expose.get("value_min")),
                _limit(expose.get("value_max")),
                not _access(expose) & _SET,
            )


def _access(expose: dict[str, Any]) -> int:
    bits = expose.get("access", _PUBLISHED)
    return bits if isinstance(bits, int) else _PUBLISHED


def _limit(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
