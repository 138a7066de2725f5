"""The agent's side of the guard: starts it, beats, passes orders, starts it again when it died."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from edge_agent.action_settings import ActionSettings
from models.clock import SECOND_NS, Clock

log = logging.getLogger(__name__)
_AGAIN_AFTER_S = 5.0
_END_WITHIN_S = 5.0


class Told(NamedTuple):
    """What the guard says: an output is on or off now, or could not be switched and why."""

    name: str
    on: bool
    problem: str


class Guard:
    """One guard process for all actions."""

    def __init__(self, actions: Sequence[ActionSettings], gateway: str, clock: Clock) -> None:
        self._actions = [{**one.model_dump(mode="json"), "gateway": gateway} for one in actions]
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._tried_ns: int | None = None
        self.starts = 0

    def beat(self) -> bool:
        """Once a second; False when the guard had to be started, everything off."""
        if self._process is not None and self._process.poll() is None and self._send({"name": ""}):
            return True
        return not self._start()

    def order(self, name: str, on: bool, for_s: float | None = None) -> bool:
        """Pass an order; False when nobody takes it."""
        return self._send({"name": name, "on": on, "for_s": for_s})

    def told(self) -> list[Told]:
        """What was said since the last call."""
        said = []
        while True:
            try:
                said.append(self._told.get_nowait())
            except queue.Empty:
                return said

    def stop(self) -> None:
        """Everything off, and end."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()

    def _start(self) -> bool:
        """Whether it is there again; not tried too often."""
        now = self._clock.monotonic_ns()
        if self._tried_ns is not None and now - self._tried_ns < _AGAIN_AFTER_S * SECOND_NS:
            return False
        if self._process is not None:
            log.error("the guard of the actions ended (%s); starting it again", self._process.poll())
        self._tried_ns = now
        self.starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge_agent.alone.guard"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._send(self._actions)
        threading.Thread(target=self._listen, args=(self._process,), name="guard", daemon=True).start()
        return True

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                self._told.put(Told(said["name"], said["on"], said["problem"]))

    def _send(self, order: Any) -> bool:
        if self._process is None or self._process.stdin is None:
            return False
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except OSError:
            return False
        return True
