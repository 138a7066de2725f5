"""Ends programs when whoever started them is gone, however that ended.

A process of its own that reads `+PID` and `-PID` lines. When its input ends, the one that held the other end
of the pipe is dead, and every group still noted is asked to end, then made to. (The kernel's own signal on a
parent's death does not reach a program that gave up root meanwhile, as a broker does.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

PATIENCE_S = 8.0


class Keeper:
    """The end of the pipe we hold. Each program is noted as the leader of a process group."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "firmware_sim.demo.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._guard = threading.Lock()

    def note(self, pid: int) -> None:
        self._write(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        self._write(f"-{pid}\n")

    def close(self) -> None:
        """Everything was ended; nothing is left to keep."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(PATIENCE_S + 5)

    def _write(self, line: str) -> None:
        if self._process.stdin is not None:
            with self._guard, contextlib.suppress(BrokenPipeError, ValueError):
                self._process.stdin.write(line)
                self._process.stdin.flush()


def keep(lines: Iterable[str]) -> list[int]:
    """Groups still noted when the lines end.

    >>> keep(["+10\\n", "+11\\n", "-10\\n"])
    [11]
    """
    noted: list[int] = []
    for line in lines:
        sign, pid = line[:1], int(line[1:])
        if sign == "+":
            noted.append(pid)
        elif pid in noted:
            noted.remove(pid)
    return noted


def end_groups(groups: list[int], patience_s: float = PATIENCE_S) -> None:
    """Ask the groups to end, the last noted first; make them after `patience_s`."""
    for group in reversed(groups):
        _signal(group, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while any(_signal(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.1)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Whether there was such a group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    end_groups(keep(sys.stdin))
