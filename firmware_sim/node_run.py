"""A microcontroller node by itself: on a pseudo terminal of its own, or on a real serial port."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import termios
import threading
import time
import tty
from pathlib import Path
from typing import BinaryIO

from firmware_sim.errors import ScenarioError
from firmware_sim.plan import Plan
from firmware_sim.serial_node import SerialNode


class _Wire:
    """Bytes that nobody takes are lost, as on a wire; a pseudo terminal would make the node wait."""

    def __init__(self, handle: int) -> None:
        os.set_blocking(handle, False)
        self._handle = handle

    def write(self, whole: bytes) -> int:
        with contextlib.suppress(BlockingIOError):
            return os.write(self._handle, whole)
        return 0


def run_node(
    plan: Plan, device: str, *, port: str | None, node: int, copies: int, period_s: float, describe_s: float
) -> None:
    """Measure and send once a period until SIGTERM or SIGINT. Says the port as a JSON line.

    The boot number is drawn from the clock: a node that cannot remember may draw it.
    """
    plan, street = plan.begin(time.time_ns())
    found = [d for gateway in plan.scenario.gateways for d in street.devices(gateway.id) if d.name == device]
    if not found:
        raise ScenarioError(f"no device {device!r} in this plan")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    handle, shown = _open(port)
    wire: BinaryIO = _Wire(handle)  # type: ignore[assignment]
    wire.write(b"\0")
    firmware = SerialNode(
        found[0],
        wire,
        node=node,
        boot=time.time_ns() & 0xFF,
        now_s=time.time,
        copies=copies,
        describe_every_s=describe_s,
    )
    print(json.dumps({"event": "serving", "port": shown, "node": node}), flush=True)
    while not ended.is_set():
        firmware.step()
        ended.wait(period_s)
    os.close(handle)


def _open(port: str | None) -> tuple[int, str]:
    """A handle to write to, and the port at which it is heard (115200 8N1)."""
    if port is None:
        ours, theirs = os.openpty()  # the other end stays open, so that a reader may come and go
        tty.setraw(theirs)
        return ours, os.ttyname(theirs)
    try:
        handle = os.open(Path(port), os.O_RDWR | os.O_NOCTTY)
        tty.setraw(handle)
        settings = termios.tcgetattr(handle)
        settings[4] = settings[5] = termios.B115200
        termios.tcsetattr(handle, termios.TCSANOW, settings)
    except (OSError, termios.error) as wrong:
        raise ScenarioError(f"{port}: {wrong}") from wrong
    return handle, port
