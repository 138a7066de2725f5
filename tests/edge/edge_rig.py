"""What the gateway's tests share: readings, an outbox and a spool in a folder, real servers on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from programs import find_program

from models.clock import EARLIEST_NS, SECOND_NS
from models.readings import ReadingBlock

BOOT = "ab" * 16
START = EARLIEST_NS + 10**9 * SECOND_NS // 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(claim: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """Whether `claim` came true within a generous ceiling."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.05)
    return claim()


def block(values: list[float], *, channel: int = 1, at_s: float = 0.0) -> ReadingBlock:
    """Readings of one channel a second apart, as a sampler would append them."""
    times = [START + round((at_s + i) * SECOND_NS) for i in range(len(values))]
    return ReadingBlock.of([channel] * len(values), times, values, monotonic_offset_ns=START)


class Broker:
    """A real mosquitto on a loopback port of its own, without TLS."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n"
        )

    def start(self) -> None:
        program = find_program("mosquitto") or "mosquitto"
        self._process = subprocess.Popen([program, "-c", str(self._folder / "mosquitto.conf")])
        assert wait_until(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class ModbusServer:
    """A real pymodbus server in a thread; `set` changes a register of the input table."""

    def __init__(self, registers: list[int], bits: list[bool] | None = None) -> None:
        from pymodbus.simulator import DataType, SimData, SimDevice

        self.port = free_port()
        self.offset = 0
        bits = bits or [False]
        words = [SimData(0, values=registers, datatype=DataType.REGISTERS)]
        flags = [SimData(0, values=bits, datatype=DataType.BITS)]
        self._device = SimDevice(1, simdata=(flags, flags, words, words), action=self._serve)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.requests: list[tuple[int, int, int]] = []

    async def _serve(self, code: int, start: int, address: int, count: int, now: list, new: object) -> None:
        self.requests.append((code, address, count))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)
        assert wait_until(self._answers)

    def stop(self) -> None:
        import asyncio

        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(5)
        self._thread.join(5)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _run(self) -> None:
        import asyncio

        from pymodbus.server import ModbusTcpServer

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._server = ModbusTcpServer(self._device, address=("127.0.0.1", self.port))
            self._ready.set()
            await self._server.serve_forever()

        asyncio.run(serve())


def edge(*arguments: str) -> list[str]:
    """The command line of lastmile-edge in this interpreter."""
    return [sys.executable, "-m", "edge_agent.cli", *arguments]
