"""Modbus TCP through pymodbus: adjacent registers in one request, one connection kept open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import Field

from edge_agent.drivers.modbus_plan import RegisterSource, Request, plan_requests, value_of
from edge_agent.drivers.options import read_options, read_source
from edge_agent.drivers.seam import Batch, DriverError
from models.clock import Clock
from models.configuration import DeviceConfig, Strict

if TYPE_CHECKING:
    from pymodbus.client import ModbusTcpClient

_ILLEGAL_ADDRESS = 2


class ModbusOptions(Strict):
    """Settings of a Modbus TCP device."""

    host: str
    port: int = Field(default=502, ge=1, le=65535)
    unit: int = Field(default=1, ge=0, le=255)
    timeout_s: float = Field(default=2.0, gt=0, le=60)


class ModbusTcpDriver:
    """Reads all channels of one unit each time it is asked.

    No retry here: asking the same connection again tells the device that the answer before has arrived.
    """

    is_polled = True
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._options = read_options(device, ModbusOptions)
        self._sources = [read_source(device, i, RegisterSource) for i in range(len(device.channels))]
        self._requests = plan_requests(self._sources)
        self._bridges = True
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
        values = [float("nan")] * len(self._sources)
        for request in self._requests:
            words = self._ask(request)
            if words is None:
                return None
            for index in request.members:
                at = self._sources[index].register_ - request.start
                values[index] = value_of(self._sources[index], words[at : at + self._sources[index].size])
        return Batch.of(list(range(len(values))), values)

    def taken(self, batch: Batch) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, request: Request) -> list[int] | None:
        """The words of a request; None when requests were planned anew: poll again."""
        from pymodbus.exceptions import ModbusException

        if self._client is None:
            raise DriverError("not connected")
        try:
            answer = self._send(self._client, request)
        except (ModbusException, OSError) as wrong:
            raise DriverError(f"no answer from {self._options.host}:{self._options.port}: {wrong}") from wrong
        if answer.isError():
            return self._refused(request, answer)
        words = list(answer.bits if request.table in ("discrete", "coil") else answer.registers)
        if len(words) < request.count:
            raise DriverError(f"asked for {request.count} values from {request.start}, got {len(words)}")
        return words

    def _refused(self, request: Request, answer: Any) -> list[int] | None:
        code = getattr(answer, "exception_code", 0)
        if code == _ILLEGAL_ADDRESS and self._bridges:
            # Addresses between our channels may not exist; ask for exactly ours from now on.
            self._bridges = False
            self._requests = plan_requests(self._sources, gap=0)
            return None
        raise DriverError(
            f"unit {self._options.unit} refused {request.table} {request.start}+{request.count} (code {code})"
        )

    def _send(self, client: ModbusTcpClient, request: Request) -> Any:
        ask = {
            "input": client.read_input_registers,
            "holding": client.read_holding_registers,
            "discrete": client.read_discrete_inputs,
            "coil": client.read_coils,
        }[request.table]
        return ask(request.start, count=request.count, device_id=self._options.unit)
