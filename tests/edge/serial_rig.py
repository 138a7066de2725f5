"""A serial line without hardware: two pseudo terminals, and a thread that carries bytes between them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
import tty

from edge_rig import wait_until


class SerialLine:
    """`near` and `far` are the two ends, as device files; `cut` unplugs the wire, ends stay."""

    def __init__(self) -> None:
        (self._a, a), (self._b, b) = os.openpty(), os.openpty()
        for slave in (a, b):
            tty.setraw(slave)
        self.near, self.far = os.ttyname(a), os.ttyname(b)
        self._slaves = (a, b)
        self.is_cut = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        other = {self._a: self._b, self._b: self._a}
        while not self._ended.is_set():
            ready, _, _ = select.select([self._a, self._b], [], [], 0.1)
            for end in ready:
                with contextlib.suppress(OSError):
                    heard = os.read(end, 4096)
                    if not self.is_cut:
                        os.write(other[end], heard)

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5)
        for end in (self._a, self._b, *self._slaves):
            os.close(end)


class SerialModbus:
    """pymodbus's own serial server: units, each with registers in all tables, at one end of a line."""

    def __init__(self, port: str, units: dict[int, list[int]], parity: str = "N") -> None:
        from pymodbus.simulator import DataType, SimData, SimDevice

        def device(unit: int, registers: list[int]) -> SimDevice:
            words = [SimData(0, values=registers, datatype=DataType.REGISTERS)]
            flags = [SimData(0, values=[True], datatype=DataType.BITS)]

            async def note(code: int, start: int, address: int, count: int, now: list, new: object) -> None:
                self.requests.append((unit, code, address, count))

            return SimDevice(unit, simdata=(flags, flags, words, words), action=note)

        self.requests: list[tuple[int, int, int, int]] = []
        self._devices = [device(unit, registers) for unit, registers in units.items()]
        self._port, self._parity = port, parity
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._listening.wait(10)
        assert wait_until(lambda: self._server.transport is not None)

    def _run(self) -> None:
        from pymodbus.server import ModbusSerialServer
        from pymodbus.server.requesthandler import ServerRequestHandler

        units = {device.id for device in self._devices}

        class Listener(ServerRequestHandler):
            """A unit that was not asked keeps silent, as on a real line; pymodbus would answer for it."""

            async def handle_request(self) -> None:
                if self.last_pdu is not None and self.last_pdu.dev_id in units:
                    await super().handle_request()

        class Server(ModbusSerialServer):
            def callback_new_connection(self) -> Listener:
                return Listener(self, self.trace_packet, self.trace_pdu, self.trace_connect)

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._server = Server(self._devices, port=self._port, baudrate=19200, parity=self._parity)
            self._listening.set()
            await self._server.serve_forever()

        asyncio.run(serve())

    def stop(self) -> None:
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(5)
        self._thread.join(5)
