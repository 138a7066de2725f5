"""A small process that holds the outputs, so that none stays on when the agent dies.

It is told on standard input, one JSON object a line, and tells on standard output what became of it. The
first line is the list of actions. Everything goes off when the input ends (the agent is gone, however), when
no line came for some seconds (it hangs), and when an output's time is over, whoever forgot it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.alone.outputs import Output, make_output
from models.clock import SECOND_NS, Clock, SystemClock

BEAT_WITHIN_S = 10.0
_LOOK_S = 0.2


class Worker:
    """One output in a thread of its own: a hook that hangs holds up no relay."""

    def __init__(
        self, name: str, output: Output, clock: Clock, tell: Callable[[str, bool, str], None]
    ) -> None:
        self._name, self._output, self._clock, self._tell = name, output, clock, tell
        self._orders: queue.Queue[tuple[bool, float | None] | None] = queue.Queue()
        self._off_ns: int | None = None
        self._is_on = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self.order(False)

    def order(self, on: bool, for_s: float | None = None) -> None:
        """Switch; on for `for_s` at most, None: until told."""
        self._orders.put((on, for_s))

    def end(self, limit_s: float) -> None:
        """Off, and given up."""
        self._orders.put((False, None))
        self._orders.put(None)
        self._thread.join(limit_s)

    def _run(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._off_ns is not None and self._clock.monotonic_ns() >= self._off_ns:
                    self._switch(False, None)
                continue
            if order is None:
                break
            self._switch(*order)
        with contextlib.suppress(OSError):
            self._output.close()

    def _switch(self, on: bool, for_s: float | None) -> None:
        """A failed off is tried again at the next look, until it is off."""
        until = None if for_s is None else self._clock.monotonic_ns() + round(for_s * SECOND_NS)
        try:
            self._output.switch(on)
        except Exception as wrong:  # whatever a library raises: the thread must live to switch off
            self._tell(self._name, self._is_on, str(wrong) or repr(wrong))
            if not on and self._is_on:
                self._off_ns = self._clock.monotonic_ns() + SECOND_NS
            return
        self._off_ns = until if on else None
        if on != self._is_on:
            self._is_on = on
            self._tell(self._name, on, "")


def main() -> int:
    """Serve until the input ends."""
    for ignored in (signal.SIGINT, signal.SIGTERM):  # the agent is asked to stop; this follows its pipe
        signal.signal(ignored, signal.SIG_IGN)
    clock, told = SystemClock(), threading.Lock()

    def tell(name: str, on: bool, problem: str) -> None:
        with told, contextlib.suppress(OSError):
            print(json.dumps({"name": name, "on": on, "problem": problem}), flush=True)

    actions = json.loads(sys.stdin.readline() or "[]")
    workers = {one["name"]: Worker(one["name"], make_output(one), clock, tell) for one in actions}
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    _serve(workers, lines)
    for worker in workers.values():
        worker.end(3.0)
    return 0


def _read(lines: queue.Queue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put("")


def _serve(workers: Mapping[str, Worker], lines: queue.Queue[str]) -> None:
    while True:
        try:
            line = lines.get(timeout=BEAT_WITHIN_S)
        except queue.Empty:
            for one in workers.values():
                one.order(False)
            continue
        if not line:
            return
        order: Any = json.loads(line)
        worker = workers.get(order.get("name", ""))
        if worker is not None:
            worker.order(order["on"], order.get("for_s"))


if __name__ == "__main__":
    sys.exit(main())
