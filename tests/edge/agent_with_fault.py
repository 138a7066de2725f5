"""Starts the real agent with one fault planted: `agent_with_fault.py FAULT MARKER COMMAND...`.

A fault strikes once, after the file MARKER.armed is there; MARKER says that it has, so a restarted agent is
sound.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edge_agent.watchdog.parts as parts
from edge_agent.cli import main
from edge_agent.judge.judge import Judge
from edge_agent.mqtt_connection import MqttConnection
from edge_agent.sampler.device_loop import DeviceLoop
from edge_agent.uplink.uplink import Uplink


def strikes_once(what: Callable[[], None], marker: Path) -> Callable[[Any, str], None]:
    """Put before a method: the fault happens in a call of it, in this run alone."""
    armed = marker.with_suffix(".armed")

    def plant(owner: Any, name: str) -> None:
        sound = getattr(owner, name)

        def faulty(self: Any, *given: Any, **named: Any) -> Any:
            if armed.exists() and not marker.exists():
                marker.write_text(str(time.monotonic()))
                what()
            return sound(self, *given, **named)

        setattr(owner, name, faulty)

    return plant


def hang() -> None:
    while True:
        time.sleep(3600)


def end_thread() -> None:
    raise SystemExit


def fail() -> None:
    raise RuntimeError("a planted bug")


FAULTS: dict[str, tuple[Callable[[], None], Any, str]] = {
    "judge hangs": (hang, Judge, "_judge"),
    "judge's thread dies": (end_thread, Judge, "_judge"),
    "device hangs": (hang, DeviceLoop, "_take"),
    "device's thread dies": (end_thread, DeviceLoop, "_take"),
    "uplink hangs": (hang, Uplink, "_step"),
    "uplink's thread dies": (end_thread, Uplink, "_next_event"),
    "exception in a callback": (fail, MqttConnection, "_on_publish"),
    "exception in the callback of receipts": (fail, MqttConnection, "_on_message"),
    "library's thread dies": (end_thread, MqttConnection, "_on_publish"),
}

if __name__ == "__main__":
    fault, marker = sys.argv[1], Path(sys.argv[2])
    # Short limits: the story is the same, and told in seconds.
    parts.JUDGE_LIMIT_S = parts.DEVICE_LIMIT_S = parts.UPLINK_LIMIT_S = float(sys.argv[3])
    if fault in FAULTS:
        what, owner, name = FAULTS[fault]
        strikes_once(what, marker)(owner, name)
    sys.exit(main(sys.argv[4:]))
