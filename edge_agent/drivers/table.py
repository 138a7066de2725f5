"""The drivers, written out. A new driver is one file and one line here."""

from __future__ import annotations

import importlib

from edge_agent.drivers.seam import Driver, DriverMaker
from models.clock import Clock
from models.configuration import DeviceConfig
from models.errors import ConfigurationError

# name -> module and class; the module is imported when a device asks for it.
DRIVERS: dict[str, tuple[str, str]] = {
    "modbus_tcp": ("edge_agent.drivers.modbus_tcp", "ModbusTcpDriver"),
    "mqtt": ("edge_agent.drivers.mqtt", "MqttDriver"),
    "senml": ("edge_agent.drivers.senml", "SenmlDriver"),
    "recording": ("edge_agent.drivers.recording", "RecordingDriver"),
    "health": ("edge_agent.drivers.health", "HealthDriver"),
    "modbus_rtu": ("edge_agent.drivers.modbus_rtu", "ModbusRtuDriver"),
    "files": ("edge_agent.drivers.files", "FilesDriver"),
    "http": ("edge_agent.drivers.http", "HttpDriver"),
    "serial_line": ("edge_agent.drivers.serial_line", "SerialLineDriver"),
    "zigbee2mqtt": ("edge_agent.drivers.zigbee2mqtt", "Zigbee2mqttDriver"),
    "chirpstack": ("edge_agent.drivers.chirpstack", "ChirpstackDriver"),
    "tasmota": ("edge_agent.drivers.tasmota", "TasmotaDriver"),
    "esphome": ("edge_agent.drivers.esphome", "EsphomeDriver"),
    "homeassistant": ("edge_agent.drivers.homeassistant", "HomeassistantDriver"),
    "bacnet": ("edge_agent.drivers.bacnet", "BacnetDriver"),
}


def make_driver(device: DeviceConfig, clock: Clock) -> Driver:
    """The driver of `device`, not yet connected; ConfigurationError when it cannot be one."""
    if device.driver not in DRIVERS:
        raise ConfigurationError(
            f"device {device.name}: unknown driver {device.driver!r}",
            key="driver",
            expected="one of " + ", ".join(DRIVERS),
        )
    module, name = DRIVERS[device.driver]
    maker: DriverMaker = getattr(importlib.import_module(module), name)
    return maker(device, clock)
