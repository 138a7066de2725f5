"""The road between a gateway and the broker: a relay that can be cut and that counts what passes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from typing import Any

from real_parts import free_port

_CHUNK = 1 << 16


class Link:
    """Relays one loopback port to another, in a thread of its own. Cut at first; `mend` opens it.

    `up_bytes`, `down_bytes`: what went to the broker and back, TLS included, TCP and IP headers not.
    `accepted`: wall time, ns, of every connection made.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.up_bytes = self.down_bytes = 0
        self.accepted: list[int] = []
        self._target, self._is_swallowing = target, False
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()

    def mend(self) -> None:
        """Let connections through."""
        self._do(self._mend())

    def swallow(self) -> None:
        """Let nothing through any more and close nothing: as when the plug is pulled."""
        self._is_swallowing = True

    def cut(self) -> None:
        """Break every connection with a reset and take no new one."""
        self._do(self._cut())

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port, backlog=1024)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted.append(time.time_ns())
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        up = asyncio.create_task(self._pump(reader, far_writer, is_up=True))
        down = asyncio.create_task(self._pump(far_reader, writer, is_up=False))
        await asyncio.wait({up, down})
        self._open -= ends

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._is_swallowing:
                    continue
                if is_up:
                    self.up_bytes += len(data)
                else:
                    self.down_bytes += len(data)
                writer.write(data)
                await writer.drain()
        if not self._is_swallowing:
            writer.close()
