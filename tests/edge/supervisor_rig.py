"""What systemd does for a Type=notify service with WatchdogSec and Restart=always, where it is not in charge.

A socket for READY, WATCHDOG and STOPPING; SIGABRT, then SIGKILL, for who is late; and a new start.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Life:
    """One run of the program. Times are monotonic seconds; `why` it was ended from outside."""

    pid: int
    started: float
    ready: float = 0.0
    fed: float = 0.0
    feeds: int = 0
    ended: float = 0.0
    code: int | None = None
    why: str = ""
    said: list[str] = field(default_factory=list)


class ServiceManager:
    """Runs `command` for as long as the `with` block lasts; `lives` tells all that came of it."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        watchdog_s: float = 3.0,
        abort_s: float = 2.0,
        start_s: float = 60.0,
        pause_s: float = 0.2,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.lives: list[Life] = []
        self.log = folder / "service.log"
        self._command, self._environment = command, dict(environment or os.environ)
        self._watchdog_s, self._abort_s, self._start_s, self._pause_s = watchdog_s, abort_s, start_s, pause_s
        self._address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._address)
        self._socket.settimeout(0.05)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def ready(self, lives: int = 1) -> bool:
        """Whether the program has said that it is ready in its `lives`-th life or later."""
        return len(self.lives) >= lives and self.life.ready > 0

    def __enter__(self) -> ServiceManager:
        self._thread.start()
        while not self.lives:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(30)
        self._socket.close()
        Path(self._address).unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._live()
            self._ending.wait(self._pause_s)

    def _live(self) -> None:
        usec = str(round(self._watchdog_s * 1e6))
        told = {**self._environment, "NOTIFY_SOCKET": self._address, "WATCHDOG_USEC": usec}
        with self.log.open("ab") as log:
            wrapped = ["/bin/sh", "-c", 'WATCHDOG_PID=$$ exec "$@"', "sh", *self._command]
            process = self._process = subprocess.Popen(wrapped, stderr=log, stdout=log, env=told)
        life = Life(process.pid, time.monotonic())
        self.lives.append(life)
        deadline = life.started + self._start_s
        while process.poll() is None:
            if self._ending.is_set() and not life.why:
                self._end(process, life, signal.SIGTERM, "stopped")
                break
            heard = self._hear(life)
            deadline = max(deadline, heard)
            if life.why:
                continue
            if "WATCHDOG=trigger" in life.said:
                self._end(process, life, signal.SIGABRT, "trigger")
            elif life.ready and time.monotonic() - max(life.fed, life.ready) > self._watchdog_s:
                self._end(process, life, signal.SIGABRT, "watchdog")
            elif not life.ready and time.monotonic() > deadline:
                self._end(process, life, signal.SIGABRT, "start")
        life.code, life.ended = process.wait(), time.monotonic()
        while self._hear(life) >= 0:
            pass

    def _hear(self, life: Life) -> float:
        """Take one thing said; the time to which a start may take, where it said so; -1 when all is quiet."""
        try:
            raw, _ = self._socket.recvmsg(4096)[:2]
        except TimeoutError:
            return -1.0
        until = 0.0
        for line in raw.decode().splitlines():
            key, _, value = line.partition("=")
            if line == "READY=1":
                life.ready = time.monotonic()
            elif line == "WATCHDOG=1":
                life.fed, life.feeds = time.monotonic(), life.feeds + 1
            elif key == "EXTEND_TIMEOUT_USEC":
                until = time.monotonic() + int(value) / 1e6
            if line != "WATCHDOG=1":
                life.said.append(line)
        return until

    def _end(self, process: subprocess.Popen[bytes], life: Life, how: signal.Signals, why: str) -> None:
        life.why = why
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(self._abort_s if how == signal.SIGABRT else 20.0)
        except subprocess.TimeoutExpired:
            process.kill()
