"""Virtual time: all that happens in a simulated world happens in one thread, in an order a seed fixes."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from models.clock import EARLIEST_NS, SECOND_NS

# What wall clocks show when a world begins.
DAWN_NS = EARLIEST_NS + 400 * 86_400 * SECOND_NS
# A story takes a thousand events or two: beyond this two parts keep each other busy for ever.
STORM = 20_000


class Killed(BaseException):
    """The process that ran this is no more. No code of ours catches it."""


class World:
    """A clock, a queue of what is to come, one source of chance, and a trace of what was."""

    def __init__(self, seed: int, *, keep_trace: bool = False) -> None:
        self.seed, self.now_ns = seed, 0
        self.chance = random.Random(seed)
        self.lines: list[str] = []
        self.violations: list[str] = []
        self._keep_trace = keep_trace
        self._order = itertools.count()
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        self.happened = 0
        self._hub = getcurrent()

    @property
    def wall_ns(self) -> int:
        """True UTC."""
        return DAWN_NS + self.now_ns

    @property
    def now_s(self) -> float:
        return self.now_ns / SECOND_NS

    def say(self, what: str, *details: Any) -> None:
        """A line of the trace."""
        if self._keep_trace:
            told = " ".join(str(detail) for detail in details)
            self.lines.append(f"{self.now_s:10.3f}  {what} {told}")

    def wrong(self, what: str) -> None:
        """An invariant does not hold."""
        self.say("VIOLATION", what)
        self.violations.append(what)

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Let `what` happen in a while."""
        heapq.heappush(self._coming, (self.now_ns + round(seconds * SECOND_NS), next(self._order), what))

    def run_until(self, seconds: float) -> None:
        """Let time pass up to a moment, with all that happens before it; in a storm, time alone."""
        until = round(seconds * SECOND_NS)
        while self._coming and self._coming[0][0] <= until and self.happened < STORM:
            at, _, what = heapq.heappop(self._coming)
            self.happened += 1
            self.now_ns = max(self.now_ns, at)
            what()
        self.now_ns = max(self.now_ns, until)

    def leave(self) -> Any:
        """From a task: let the world go on until the task is resumed."""
        return self._hub.switch()


class Task:
    """A program's own loop, run as it is: where it would wait, the world goes on."""

    def __init__(
        self, world: World, body: Callable[[], None], on_end: Callable[[BaseException | None], None]
    ) -> None:
        self._world, self._body, self._on_end = world, body, on_end
        self._greenlet = greenlet(self._run, parent=getcurrent())
        self._turn = 0
        self._is_waiting = False
        self.is_dead = False
        world.after(0, self._begin)

    def wait(self, seconds: float) -> None:
        """From inside: until woken, or the time is over."""
        self._turn += 1
        turn, self._is_waiting = self._turn, True
        self._world.after(seconds, lambda: self._resume(turn))
        self._world.leave()

    def wake(self) -> None:
        if self._is_waiting:
            turn = self._turn
            self._world.after(0, lambda: self._resume(turn))

    def kill(self) -> None:
        """As kill -9: what it was doing is never finished."""
        if not self.is_dead and self._is_waiting:
            self.is_dead, self._is_waiting = True, False
            self._greenlet.parent = getcurrent()  # where its end is waited for
            self._greenlet.throw(Killed())
        self.is_dead = True

    def _begin(self) -> None:
        if not self.is_dead:
            self._greenlet.switch()

    def _resume(self, turn: int) -> None:
        if self._is_waiting and turn == self._turn:
            self._is_waiting = False
            self._greenlet.switch()

    def _run(self) -> None:
        wrong: BaseException | None = None
        try:
            self._body()
        except Killed as killed:
            wrong = killed
        except Exception as bug:
            wrong = bug
        was_killed_from_outside, self.is_dead = self.is_dead, True
        if not was_killed_from_outside:
            self._on_end(wrong)


class WorldClock:
    """What one machine believes the time to be. Wall time may step; monotonic time begins with the boot."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name
        self._booted_ns = self._boots = 0
        self.wrong_ns = 0
        self.is_right = True  # as far as its kernel knows

    def reboot(self) -> None:
        self._boots += 1
        self._booted_ns = self._world.now_ns

    def wall_ns(self) -> int:
        return self._world.wall_ns + self.wrong_ns

    def monotonic_ns(self) -> int:
        return self._world.now_ns - self._booted_ns + SECOND_NS

    def boot(self) -> str:
        return f"{self._world.seed & 0xFFFFFFFF:08x}{self._boots:08x}{self._name.encode().hex():>016}"[:32]

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing sleeps in a simulated world")
