"""How far this machine's wall clock can be believed."""

from __future__ import annotations

import ctypes
import functools

from models.clock import EARLIEST_NS, SECOND_NS, Clock, ClockState

_TIME_ERROR = 5  # adjtimex: the clock is not synchronised
_ASK_EVERY_NS = 10 * SECOND_NS
_TIMEX_BYTES = 512  # more than struct timex takes on any Linux


def clock_state(wall_ns: int, *, synchronised: bool | None) -> ClockState:
    """Below the earliest date the clock has not been set; a synchronised one is trusted; else unknown.

    >>> clock_state(0, synchronised=None).name
    'UNTRUSTED'
    """
    if wall_ns < EARLIEST_NS:
        return ClockState.UNTRUSTED
    return ClockState.TRUSTED if synchronised else ClockState.UNKNOWN


def is_synchronised() -> bool | None:
    """Whether the kernel says that something (NTP, a GPS) keeps its clock; None where it cannot tell."""
    adjust = _adjtimex()
    if adjust is None:
        return None
    answer = int(adjust(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return None if answer < 0 else answer != _TIME_ERROR


@functools.cache
def _adjtimex() -> ctypes._NamedFuncPointer | None:
    try:
        return ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None


class ClockWatch:
    """The clock's state, asked of the kernel at most once in ten seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_ns = -(10**18)
        self._synchronised: bool | None = None

    def read(self) -> ClockState:
        now = self._clock.monotonic_ns()
        if now - self._asked_ns > _ASK_EVERY_NS:
            self._asked_ns, self._synchronised = now, is_synchronised()
        return clock_state(self._clock.wall_ns(), synchronised=self._synchronised)
