"""`serve`: web, ingest and scheduler as processes, kept running."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloud.app import check_web, migrate_databases, stop_at_signal
from cloud.settings import Settings
from models.clock import SECOND_NS, Clock

PROGRAMS = ("ingest", "web", "scheduler")
CONFIGURATION = 78
_BACK_OFF_S = (0.5, 30.0)
_STABLE_S = 60.0
_LOOK_S = 0.2
_END_S = 8.0


@dataclass
class Child:
    """One program: its process while it runs, and how long to wait before it is started again."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[str] | None = None
    started_at: int = 0
    start_after: int = 0
    wait_s: float = _BACK_OFF_S[0]
    output: threading.Thread | None = field(default=None, repr=False)


def after_end(child: Child, now: int) -> float:
    """How long to wait before `child`, which ended at `now` (monotonic ns), is started again.

    Doubled each time; back to the shortest once it had run for a minute.
    """
    ran_s = (now - child.started_at) / SECOND_NS
    wait_s = _BACK_OFF_S[0] if ran_s >= _STABLE_S else child.wait_s
    child.wait_s = min(2 * wait_s, _BACK_OFF_S[1])
    return wait_s


def command_for(program: str, state: Path, parent: int) -> list[str]:
    """How a program is started so that it ends when its supervisor is gone."""
    # -P: a folder named `cloud` where we were started (a state folder, often) must not hide the package.
    return [sys.executable, "-P", "-m", "cloud.cli", program, "--state", str(state), "--parent", str(parent)]


class Supervisor:
    """Starts, watches and ends the children. `run` returns an exit code."""

    def __init__(self, children: Sequence[Child], clock: Clock) -> None:
        self._children, self._clock = children, clock
        self._is_asked_to_stop = False

    def stop(self) -> None:
        """Make `run` end all children and return. For signal handlers, so it only leaves word."""
        self._is_asked_to_stop = True

    def run(self) -> int:
        """Keep them running until stopped; 78 at once when one says its configuration is wrong."""
        code = 0
        while not self._is_asked_to_stop and code == 0:
            for child in self._children:
                code = code or self._look_after(child)
            self._clock.sleep(_LOOK_S)
        self._end()
        return code

    def _look_after(self, child: Child) -> int:
        now = self._clock.monotonic_ns()
        if child.process is None:
            if now >= child.start_after:
                self._start(child, now)
            return 0
        ended = child.process.poll()
        if ended is None:
            return 0
        child.process = None
        if ended == CONFIGURATION:
            return CONFIGURATION
        wait_s = after_end(child, now)
        child.start_after = now + round(wait_s * SECOND_NS)
        _say(child.name, f"ended with {ended}; started again in {wait_s:g} s")
        return 0

    def _start(self, child: Child, now: int) -> None:
        child.process = subprocess.Popen(
            child.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        child.started_at = now
        child.output = threading.Thread(target=_forward, args=(child.name, child.process), daemon=True)
        child.output.start()

    def _end(self) -> None:
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        until = self._clock.monotonic_ns() + round(_END_S * SECOND_NS)
        for process in running:
            left_s = max(0.1, (until - self._clock.monotonic_ns()) / SECOND_NS)
            try:
                process.wait(left_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self._children:
            if child.output:
                child.output.join(1)


def serve(settings: Settings, clock: Clock, own_pid: int) -> int:
    """The whole cloud until SIGTERM or SIGINT."""
    check_web(settings)
    migrate_databases(settings)
    children = [Child(name, command_for(name, settings.state, own_pid)) for name in PROGRAMS]
    supervisor = Supervisor(children, clock)
    stop_at_signal(supervisor.stop)
    scheme = "https" if settings.web.has_tls else "http"
    _say("serve", f"pages at {scheme}://{settings.web.host}:{settings.web.port}")
    return supervisor.run()


def _forward(name: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        _say(name, line.rstrip("\n"))


def _say(name: str, line: str) -> None:
    print(f"{name:<9} | {line}", file=sys.stderr, flush=True)
