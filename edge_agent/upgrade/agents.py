"""Agents that run on this machine, by the release whose interpreter they were started with.

Their service manager starts them again, from `current`; here they are only ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

_PROC = Path("/proc")
STOP_LIMIT_S = 25.0


def agents_of(release: Path, state: Path) -> list[int]:
    """Process ids of `lastmile-edge run` of this release over this state."""
    found = []
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            is_of = words[0].startswith(f"{release}/bin/python") and "run" in words
            is_here = str(state) in words or "--state" not in words
            if is_of and is_here and entry.name != str(os.getpid()):
                found.append(int(entry.name))
    return found


def end(pids: Sequence[int], limit_s: float = STOP_LIMIT_S) -> None:
    """Ask them to stop; who has not after `limit_s` is killed: what was spooled stays."""
    _signal(pids, signal.SIGTERM)
    until = time.monotonic() + limit_s
    while any(_lives(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.1)
    _signal([pid for pid in pids if _lives(pid)], signal.SIGKILL)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _lives(pid: int) -> bool:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
