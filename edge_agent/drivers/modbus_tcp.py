"""Modbus TCP through pymodbus: adjacent registers in one request, one connection kept open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import Field

from edge_agent.drivers.modbus_plan import RegisterSource, Request
from edge_agent.drivers.modbus_reading import RegisterReader, send
from edge_agent.drivers.options import read_options, read_source
from edge_agent.drivers.seam import Batch, DriverError
from models.clock import Clock
from models.configuration import DeviceConfig, Strict

if TYPE_CHECKING:
    from pymodbus.client import ModbusTcpClient


class ModbusOptions(Strict):
    """Settings of a Modbus TCP device."""

    host: str
    port: int = Field(default=502, ge=1, le=65535)
    unit: int = Field(default=1, ge=0, le=255)
    timeout_s: float = Field(default=2.0, gt=0, le=60)


class ModbusTcpDriver:
    """Reads all channels of one unit each time it is asked."""

    is_polled = True
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._options = read_options(device, ModbusOptions)
        sources = [read_source(device, i, RegisterSource) for i in range(len(device.channels))]
        self._reader = RegisterReader(sources, self._options.unit)
        self._client: ModbusTcpClient | None = None

    def open(self, cursor: str | None) -> None:
        from pymodbus.client import ModbusTcpClient

        # The sampler says once what is wrong; the library would say it on each try.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        options = self._options
        client = ModbusTcpClient(options.host, port=options.port, timeout=options.timeout_s, retries=0)
        if not client.connect():
            client.close()
            raise DriverError(f"no Modbus TCP at {options.host}:{options.port}; check power, cable, address")
        self._client = client

    def read(self, wait_s: float) -> Batch | None:
        return self._reader.read(self._ask)

    def taken(self, batch: Batch) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, request: Request) -> Any:
        from pymodbus.exceptions import ModbusException

        if self._client is None:
            raise DriverError("not connected")
        try:
            return send(self._client, request, self._options.unit)
        except (ModbusException, OSError) as wrong:
            where = f"unit {self._options.unit} at {self._options.host}:{self._options.port}"
            raise DriverError(f"no answer from {where}: {wrong}") from wrong
