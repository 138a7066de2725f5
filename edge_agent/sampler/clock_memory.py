"""What is remembered of time over a power cut: one small file in the state folder."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_agent.state import replace_file
from models.clock import EARLIEST_NS

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ClockMemory:
    """`floor_ns`: it is surely later than this (the last good time, or what passed since it without one).

    Of the boot it names: `untrusted_offset_ns`, wall minus monotonic time that readings were given while
    there was no time (None: they never were); `was_good`: whether the clock was kept by something.
    """

    floor_ns: int = EARLIEST_NS
    boot: str = ""
    untrusted_offset_ns: int | None = None
    was_good: bool = False

    def begin(self, boot: str) -> None:
        """Forget what was of another boot."""
        if self.boot != boot:
            self.boot, self.untrusted_offset_ns, self.was_good = boot, None, False


def load_memory(path: Path) -> ClockMemory:
    """What was remembered; nothing where there is no file or it cannot be read."""
    try:
        told = json.loads(path.read_text())
        memory = ClockMemory(
            max(EARLIEST_NS, int(told["floor_ns"])),
            str(told["boot"]),
            None if told["untrusted_offset_ns"] is None else int(told["untrusted_offset_ns"]),
            bool(told["was_good"]),
        )
    except FileNotFoundError:
        return ClockMemory()
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        log.error("%s cannot be read (%r): the last good time is forgotten", path.name, wrong)
        return ClockMemory()
    return memory


def save_memory(path: Path, memory: ClockMemory) -> None:
    """Keep it over a power cut. A full disk is no reason to stop: it is tried again with the next change."""
    try:
        replace_file(path, json.dumps(asdict(memory)).encode())
    except OSError as wrong:
        log.warning("%s cannot be written: %s", path.name, wrong)
