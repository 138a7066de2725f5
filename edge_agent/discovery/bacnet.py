"""Asks who is there on a BACnet network, and what objects each has."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import Any

from edge_agent.discovery.kinds import quantity_of
from edge_agent.discovery.proposal import ProposedChannel, ProposedDevice
from edge_agent.drivers.bacnet_client import BacnetClient, Found
from edge_agent.drivers.seam import DriverError

_READABLE = (
    "analog-input",
    "analog-value",
    "analog-output",
    "binary-input",
    "binary-value",
    "multi-state-input",
)
_MAX_OBJECTS = 200
_UNITS = {
    "degrees-celsius": "°C", "degrees-fahrenheit": "°F", "percent-relative-humidity": "%", "percent": "%",
    "pascals": "Pa", "kilopascals": "kPa", "hectopascals": "hPa", "bars": "bar", "parts-per-million": "ppm",
    "watts": "W", "kilowatts": "kW", "kilowatt-hours": "kWh", "volts": "V", "amperes": "A", "luxes": "lx",
    "liters-per-minute": "L/min", "cubic-meters-per-hour": "m³/h", "hertz": "Hz",
}  # fmt: skip
_WORDS = {
    "°C": "temperature", "°F": "temperature", "ppm": "co2", "W": "power", "kW": "power", "kWh": "energy",
    "V": "voltage", "A": "current", "lx": "light", "L/min": "flow", "m³/h": "flow", "bar": "pressure",
    "Pa": "pressure", "hPa": "pressure", "kPa": "pressure",
}  # fmt: skip


def scan_bacnet(address: str | None, local: str | None, wait_s: float) -> list[ProposedDevice]:
    """Devices that answer who-is, each with its objects. Without an address all on our network are asked."""
    if local is None:
        local = "0.0.0.0:0" if address else own_network()
    if not address and "/" not in local:
        raise DriverError(f"{local} says not how large the network is; such as 192.168.1.5/24:47808")
    client = BacnetClient(local, timeout_s=3.0)
    client.open()
    try:
        return [_device(client, found) for found in client.who_is(address, wait_s)]
    finally:
        client.close()


def own_network() -> str:
    """This machine's address on the network that leads outside, as BACnet wants it.

    Port 47808, since that is where answers to all come.
    """
    import psutil

    outside = _address_to_outside()
    found = [
        each
        for _, addresses in sorted(psutil.net_if_addrs().items())
        for each in addresses
        if each.family == socket.AF_INET and each.netmask and not each.address.startswith("127.")
    ]
    if not found:
        raise DriverError("this machine has no network; name one with --bacnet-local")
    chosen = min(found, key=lambda each: each.address != outside)
    bits = ipaddress.ip_network(f"0.0.0.0/{chosen.netmask}").prefixlen
    return f"{chosen.address}/{bits}:47808"


def _address_to_outside() -> str:
    """Ours on the default route; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("198.51.100.1", 9))
        return str(probe.getsockname()[0])
    return ""


def _device(client: BacnetClient, found: Found) -> ProposedDevice:
    here = f"device,{found.instance}"
    host, _, port = found.address.partition(":")
    settings: dict[str, Any] = {"host": host} | ({"port": int(port)} if port else {})
    try:
        listed = client.property(found.address, here, "object-list")
        name = str(client.property(found.address, here, "object-name"))
        objects = [f"{kind},{number}" for kind, number in listed if str(kind) in _READABLE][:_MAX_OBJECTS]
        channels = tuple(_channel(client, found.address, object_) for object_ in objects)
    except (DriverError, TypeError) as silent:
        return ProposedDevice(f"bacnet-{found.instance}", "bacnet", settings, (), f"would not list: {silent}")
    return ProposedDevice(name, "bacnet", settings, channels, f"BACnet device {found.instance}")


def _channel(client: BacnetClient, address: str, object_: str) -> ProposedChannel:
    name = str(client.property(address, object_, "object-name"))
    value = client.property(address, object_, "present-value")
    if not object_.startswith("analog"):
        quantity = quantity_of(name, is_binary=True)
        return ProposedChannel(name, quantity, object_, f"said {value}")
    unit = _UNITS.get(str(client.property(address, object_, "units")), "")
    word = "humidity" if unit == "%" and "humid" in name.lower() else _WORDS.get(unit, name)
    return ProposedChannel(name, quantity_of(word, unit), object_, f"said {value}")
