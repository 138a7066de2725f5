"""Modbus RTU on a serial line, shared with whatever other units the gateway reads on it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from edge_agent.drivers.modbus_plan import RegisterSource, Request
from edge_agent.drivers.modbus_reading import RegisterReader
from edge_agent.drivers.options import read_options, read_source
from edge_agent.drivers.seam import Batch, DriverError
from edge_agent.drivers.serial_bus import BUSES, SerialBus
from edge_agent.drivers.serial_port import LineOptions
from models.clock import Clock
from models.configuration import DeviceConfig


class ModbusRtuOptions(LineOptions):
    """Settings of a unit on a serial line."""

    unit: int = Field(default=1, ge=1, le=247)
    timeout_s: float = Field(default=1.0, gt=0, le=60)

    @property
    def line(self) -> LineOptions:
        return LineOptions(port=self.port, baud=self.baud, parity=self.parity, stop_bits=self.stop_bits)


class ModbusRtuDriver:
    """Reads all channels of one unit each time it is asked; requests are planned as for Modbus TCP."""

    is_polled = True
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._options, self._clock = read_options(device, ModbusRtuOptions), clock
        sources = [read_source(device, i, RegisterSource) for i in range(len(device.channels))]
        self._reader = RegisterReader(sources, self._options.unit)
        self._bus: SerialBus | None = None

    def open(self, cursor: str | None) -> None:
        self._bus = BUSES.join(self._options.line, self._options.timeout_s, self._clock)

    def read(self, wait_s: float) -> Batch | None:
        return self._reader.read(self._ask)

    def taken(self, batch: Batch) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        if self._bus is not None:
            BUSES.leave(self._bus)
            self._bus = None

    def _ask(self, request: Request) -> Any:
        if self._bus is None:
            raise DriverError("not connected")
        return self._bus.ask(request, self._options.unit, self._options.timeout_s)
