"""How far this machine's wall clock can be believed, and what to tell until it can."""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.sampler.clock_memory import ClockMemory, load_memory, save_memory
from models.clock import EARLIEST_NS, SECOND_NS, STEP_NS, Clock, ClockState
from models.mending import RightTime
from models.wire.messages import ClockRecord

log = logging.getLogger(__name__)
_TIME_ERROR = 5  # adjtimex: the clock is not synchronised
_ASK_EVERY_NS = 10 * SECOND_NS
_SAVE_EVERY_NS = 600 * SECOND_NS
_TIMEX_BYTES = 512  # more than struct timex takes on any Linux
_RTC_FOLDER = Path("/sys/class/rtc")


def clock_state(
    wall_ns: int,
    *,
    synchronised: bool | None,
    floor_ns: int = EARLIEST_NS,
    has_rtc: bool | None = None,
    was_good: bool = False,
) -> ClockState:
    """How far `wall_ns` can be believed.

    Before the earliest date, or before `floor_ns` with nothing that keeps the clock, it has not been set. A
    synchronised one is trusted. One that nothing has kept since power-on, in a machine that has no clock with
    a battery (`has_rtc` false), goes on from some file's date. Else nobody knows.

    >>> clock_state(0, synchronised=None).name
    'UNTRUSTED'
    """
    if wall_ns < EARLIEST_NS:
        return ClockState.UNTRUSTED
    if synchronised:
        return ClockState.TRUSTED
    if wall_ns < floor_ns or (synchronised is False and has_rtc is False and not was_good):
        return ClockState.UNTRUSTED
    return ClockState.UNKNOWN


def is_synchronised() -> bool | None:
    """Whether the kernel says that something (NTP, a GPS) keeps its clock; None where it cannot tell."""
    adjust = _adjtimex()
    if adjust is None:
        return None
    answer = int(adjust(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return None if answer < 0 else answer != _TIME_ERROR


def has_rtc() -> bool | None:
    """Whether this machine has a clock that runs on while it is off; None where it cannot be seen."""
    try:
        return any(_RTC_FOLDER.iterdir())
    except OSError:
        return None


@functools.cache
def _adjtimex() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Stamp:
    """One moment: `wall_ns` is what readings without a time of their own are given."""

    wall_ns: int
    monotonic_ns: int
    state: ClockState

    @property
    def offset_ns(self) -> int:
        return self.wall_ns - self.monotonic_ns


class ClockWatch:
    """Stamps moments, notices when the clock is set or stepped, and remembers the last good time.

    A wall clock below its floor is not used: time then goes on from ten minutes after the floor, so that what
    one boot after another measures without a clock stands in its order, after what came before. The kernel is
    asked at most once in ten seconds. Any thread may stamp; `look` is called about once a second by one.
    """

    def __init__(
        self,
        clock: Clock,
        path: Path | None = None,
        *,
        synchronised: Callable[[], bool | None] = is_synchronised,
        rtc: Callable[[], bool | None] = has_rtc,
    ) -> None:
        self._clock, self._path = clock, path
        self._ask, self._rtc = synchronised, rtc()
        self._memory = load_memory(path) if path is not None else ClockMemory()
        self._memory.begin(clock.boot())
        self._lock = threading.Lock()
        self._asked_ns = self._saved_ns = -(10**18)
        self._synchronised: bool | None = None
        # Where the clock stood when last looked at; what was told without time before a restart counts.
        self._before: tuple[int, ClockState] | None = None
        if self._memory.untrusted_offset_ns is not None:
            self._before = (self._memory.untrusted_offset_ns, ClockState.UNTRUSTED)

    def read(self) -> ClockState:
        """How far the clock can be believed now."""
        return self.stamp().state

    def stamp(self) -> Stamp:
        """This moment."""
        with self._lock:
            return self._stamp()

    def right(self) -> RightTime | None:
        """What times told without a clock can be mended by; None while there is none."""
        now = self.stamp()
        if now.state is ClockState.UNTRUSTED:
            return None
        return RightTime(now.offset_ns, now.monotonic_ns, now.state)

    def look(self, boot: str) -> ClockRecord | None:
        """Notice a step since the last look, or that the clock was set; what to tell of it under the name
        `boot`. It is owed until `told` is called."""
        with self._lock:
            now = self._stamp()
            before, self._before = self._before, (now.offset_ns, now.state)
            self._remember(now)
        if before is None:
            return None
        was_set = before[1] is ClockState.UNTRUSTED and now.state is not ClockState.UNTRUSTED
        step = now.offset_ns - before[0]
        if not was_set and abs(step) <= STEP_NS:
            return None
        log.warning("the clock was %s by %+.3f s and is %s now", "set" if was_set else "stepped",
                    step / SECOND_NS, now.state.name.lower())  # fmt: skip
        return ClockRecord(
            boot=boot,
            monotonic_ns=now.monotonic_ns,
            before_offset_ns=before[0],
            offset_ns=now.offset_ns,
            clock=now.state,
            mends=was_set,
        )

    def told(self, record: ClockRecord) -> None:
        """The record is stored where it cannot be lost."""
        with self._lock:
            if record.mends:
                self._memory.untrusted_offset_ns = None
                self._save()

    def close(self) -> None:
        """Remember the time at the end, so that the next boot begins after it."""
        with self._lock:
            self._remember(self._stamp(), at_once=True)

    def _stamp(self) -> Stamp:
        wall, now = self._clock.wall_ns(), self._clock.monotonic_ns()
        if now - self._asked_ns > _ASK_EVERY_NS:
            self._asked_ns, self._synchronised = now, self._ask()
        memory = self._memory
        state = clock_state(
            wall,
            synchronised=self._synchronised,
            floor_ns=memory.floor_ns,
            has_rtc=self._rtc,
            was_good=memory.was_good,
        )
        if state is not ClockState.UNTRUSTED:
            return Stamp(wall, now, state)
        if memory.untrusted_offset_ns is None:
            # What was measured since the floor was last remembered comes before, too.
            memory.untrusted_offset_ns = max(wall, memory.floor_ns + _SAVE_EVERY_NS) - now
            log.warning("the clock is not set: readings are marked, and mended when it is")
            self._save()
        return Stamp(now + memory.untrusted_offset_ns, now, state)

    def _remember(self, now: Stamp, *, at_once: bool = False) -> None:
        """Raise the floor now and then; only what keeps the clock may lower it."""
        memory = self._memory
        is_first = now.state is ClockState.TRUSTED and not memory.was_good
        lowered = now.state is ClockState.TRUSTED and now.wall_ns < memory.floor_ns
        if lowered:
            log.warning("the time remembered lay ahead of a clock that is kept: it is forgotten")
        if now.state is ClockState.UNKNOWN:
            return
        due = at_once or now.monotonic_ns - self._saved_ns >= _SAVE_EVERY_NS
        if is_first or lowered or due:
            memory.was_good = memory.was_good or now.state is ClockState.TRUSTED
            memory.floor_ns = now.wall_ns if lowered else max(memory.floor_ns, now.wall_ns)
            self._saved_ns = now.monotonic_ns
            self._save()

    def _save(self) -> None:
        if self._path is not None:
            save_memory(self._path, self._memory)
