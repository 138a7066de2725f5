"""Programs we started: each with a log file, each ended by us, also when we are killed ourselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.demo.keeper import Keeper
from firmware_sim.errors import SimError

_TAIL_LINES = 12


@dataclass
class Child:
    """A running program."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def tail(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_TAIL_LINES:])


class Children:
    """All programs of one demo; commands may be run from several threads at once."""

    def __init__(self, logs: Path, environment: dict[str, str] | None = None) -> None:
        self._logs, self._environment = logs, environment
        self._keeper = Keeper()
        self._running: list[Child] = []
        self._passing: list[Child] = []

    def start(self, name: str, command: list[str], *, speaks: bool = False) -> Child:
        """Start a program that stays; with `speaks` its standard output is ours to read."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as stream:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if speaks else stream,
                stderr=stream,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._keeper.note(process.pid)
        self._running.append(child)
        return child

    def run(self, name: str, command: list[str], given: str = "") -> str:
        """Run a command to its end; its standard output. SimError with what it said when it fails."""
        with (self._logs / f"{name}.log").open("a+") as stream:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
            child = Child(name, process, Path(stream.name))
            self._keeper.note(process.pid)
            self._passing.append(child)
            output, _ = process.communicate(given)
        self._keeper.forget(process.pid)
        if child in self._passing:
            self._passing.remove(child)
        if process.returncode != 0:
            raise SimError(f"{' '.join(command[:3])} ended with {process.returncode}:\n{child.tail()}")
        return output

    def check(self) -> None:
        """SimError when one that should stay has ended."""
        for child in self._running:
            if child.process.poll() is not None:
                raise SimError(f"{child.name} ended with {child.process.returncode}:\n{child.tail()}")

    def end(self, child: Child, wait_s: float = 15.0) -> None:
        """Ask one to end, and insist after `wait_s`."""
        if child in self._running:
            self._running.remove(child)
        _ask(child)
        _insist(child, time.monotonic() + wait_s)
        self._keeper.forget(child.process.pid)

    def end_all(self, wait_s: float = 20.0) -> None:
        """End all, the last started first, so that each can still say goodbye to those it spoke to; insist
        when time is over."""
        ending, self._running = [*self._passing, *self._running[::-1]], []
        deadline = time.monotonic() + wait_s
        for child in ending:
            _ask(child)
            _insist(child, deadline)
            self._keeper.forget(child.process.pid)
        self._keeper.close()


def _ask(child: Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.process.terminate()


def _insist(child: Child, deadline: float) -> None:
    try:
        child.process.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        # It leads a group of its own, so this ends what it started too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait(5)
