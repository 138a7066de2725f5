"""How far this machine's wall clock can be believed."""

from __future__ import annotations

import ctypes
import functools

from models.clock import EARLIEST_NS, ClockState

_TIME_ERROR = 5  # adjtimex: the clock is not synchronised
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
