"""Time as an argument: the only place that reads the machine's clocks.

Three things are told apart: wall time (UTC, may be wrong or step), monotonic time (never steps, starts
anew with the machine) and the boot (which names the run of the monotonic clock).
"""

from __future__ import annotations

import enum
import time
import uuid
from pathlib import Path
from typing import Protocol

SECOND_NS = 1_000_000_000
# Wall and monotonic time are slewed alike; moved apart by more than this, the wall clock was stepped.
STEP_NS = SECOND_NS // 2
_BOOT_FILE = Path("/proc/sys/kernel/random/boot_id")
# Nothing was ever measured before this: a wall clock below it has not been set since power-on.
EARLIEST_NS = 1_735_689_600 * SECOND_NS  # 2025-01-01T00:00:00Z


class ClockState(enum.IntEnum):
    """How far the wall clock can be believed; travels in every block's header."""

    UNKNOWN = 0
    TRUSTED = 1
    UNTRUSTED = 2


class Clock(Protocol):
    """What programs ask for the time. Real and virtual ones keep the same promises."""

    def wall_ns(self) -> int:
        """UTC in nanoseconds since 1970; may step either way."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds since some start of this boot; never steps, never goes back."""
        ...

    def boot(self) -> str:
        """32 hexadecimal digits naming this run of the monotonic clock."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def __init__(self) -> None:
        try:
            self._boot = _BOOT_FILE.read_text().strip().replace("-", "")
        except OSError:
            self._boot = uuid.uuid4().hex

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def boot(self) -> str:
        return self._boot

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class VirtualClock:
    """A clock that stands still until told otherwise; stories and replays run on it.

    >>> clock = VirtualClock(wall_ns=EARLIEST_NS)
    >>> clock.sleep(2.5)
    >>> (clock.wall_ns() - EARLIEST_NS) // SECOND_NS
    2
    """

    def __init__(self, wall_ns: int, boot: str = "0" * 32) -> None:
        self._wall_ns, self._monotonic_ns, self._boot = wall_ns, 0, boot

    def wall_ns(self) -> int:
        return self._wall_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def boot(self) -> str:
        return self._boot

    def sleep(self, seconds: float) -> None:
        passed = round(seconds * SECOND_NS)
        self._wall_ns += passed
        self._monotonic_ns += passed

    def step(self, seconds: float) -> None:
        """Move the wall clock alone, as NTP or a person does."""
        self._wall_ns += round(seconds * SECOND_NS)

    def reboot(self, boot: str) -> None:
        """Begin a new boot: monotonic time starts at zero."""
        self._monotonic_ns, self._boot = 0, boot
