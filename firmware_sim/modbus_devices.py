"""Devices as Modbus TCP servers: several units behind one port, as behind a serial-to-Ethernet converter.

A request that covers the counter's registers begins a new sample; any other reads on in the sample before.
A sample is *sure* once the same connection asks again under another transaction id: a client that repeats a
transaction has not had its answer, and after a broken connection nobody knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from firmware_sim.device import Device
from firmware_sim.device_types import COUNTER_WIDTH
from firmware_sim.ledger import Ledger

READS = frozenset({3, 4})
# An answer later than this may have been given up by whoever asked; it never becomes sure.
PATIENCE_S = 0.5


@dataclass
class _Open:
    """A sample told on a connection and not yet sure."""

    transaction: int
    device: str
    number: int


class _Connection(ServerRequestHandler):
    """One client's connection; knows which samples were told on it."""

    def __init__(self, owner: Any, *rest: Any) -> None:
        super().__init__(owner, *rest)
        self._open: list[_Open] = []

    async def handle_request(self) -> None:
        pdu = self.last_pdu
        if pdu is None:
            return
        self._settle(pdu.transaction_id)
        unit = self.server.units.get(pdu.dev_id)
        if unit is not None and unit.is_silent():
            return
        self.server.speaking = (self, pdu.transaction_id)
        await super().handle_request()

    def told(self, transaction: int, device: str, number: int) -> None:
        self._open.append(_Open(transaction, device, number))

    def _settle(self, transaction: int) -> None:
        late = self.server.is_late()
        for sample in self._open:
            if sample.transaction != transaction and not late:
                self.server.ledger.confirm(sample.device, sample.number)
        self._open.clear()


class _Unit:
    """One device as registers."""

    def __init__(self, device: Device, number: int, server: Callable[[], Any], now_s: Callable[[], float]):
        self._device, self._server, self._now_s = device, server, now_s
        self._words = [0] * device.type.register_count()
        self.simulated = SimDevice(
            id=number,
            simdata=[SimData(0, count=len(self._words), values=0, datatype=DataType.REGISTERS)],
            action=self._asked,
        )

    def is_silent(self) -> bool:
        return self._device.is_silent(self._now_s())

    async def _asked(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: Any
    ) -> ExcCodes | None:
        """Called by pymodbus before it answers; puts the words to serve into `registers`."""
        if values is not None or function not in READS:
            return ExcCodes.ILLEGAL_FUNCTION
        if address < COUNTER_WIDTH:
            self._measure()
        registers[: len(self._words)] = self._words
        return None

    def _measure(self) -> None:
        now_s = self._now_s()
        sample = self._device.sample(now_s)
        first = self._device.type.registers()
        self._words[:COUNTER_WIDTH] = [sample.counter >> 16 & 0xFFFF, sample.counter & 0xFFFF]
        for name, words in sample.words.items():
            self._words[first[name] : first[name] + len(words)] = words
        server = self._server()
        server.ledger.tell(self._device.name, sample.counter, round(now_s * 1e9), sample.raw)
        connection, transaction = server.speaking
        connection.told(transaction, self._device.name, sample.counter)


class _Server(ModbusTcpServer):
    """pymodbus's server with our connections."""

    def __init__(self, units: dict[int, _Unit], ledger: Ledger, port: int) -> None:
        super().__init__([unit.simulated for unit in units.values()], address=("127.0.0.1", port))
        self.units, self.ledger = units, ledger
        self.speaking: tuple[_Connection, int] | None = None
        self._beat_at = self.loop.time()
        self._late_at = -1e9
        self._beats = self.loop.create_task(self._beat())

    def callback_new_connection(self) -> _Connection:
        return _Connection(self, self.trace_packet, self.trace_pdu, self.trace_connect)

    def is_late(self) -> bool:
        """Whether this program was held up lately, so that an answer may have come too late."""
        now = self.loop.time()
        return now - self._beat_at > PATIENCE_S or now - self._late_at < 4.0

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            now = self.loop.time()
            if now - self._beat_at > PATIENCE_S:
                self._late_at = now
            self._beat_at = now

    async def end(self) -> None:
        self._beats.cancel()
        await self.shutdown()


class ModbusDevices:
    """All Modbus devices of a gateway behind one port.

    `now_s` tells UTC seconds. Use inside a running event loop; `start` listens, `stop` closes.
    """

    def __init__(
        self,
        devices: Iterable[Device],
        units: dict[str, int],
        port: int,
        ledger: Ledger,
        now_s: Callable[[], float],
    ) -> None:
        self._units = {
            units[device.name]: _Unit(device, units[device.name], lambda: self._server, now_s)
            for device in devices
        }
        self._ledger, self._port = ledger, port
        self._server: _Server | None = None

    async def start(self) -> None:
        self._server = _Server(self._units, self._ledger, self._port)
        await self._server.serve_forever(background=True)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.end()
