"""Which channels answer, and how long their pauses are."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection

import numpy as np

from edge_agent.sampler.device_loop import Journal
from models.clock import SECOND_NS, Clock
from models.readings import NOT_BELIEVED, ReadingBlock

BEFORE_S = 90.0
_MARKS = 128
_APART_NS = SECOND_NS
_FEWEST = 3


class Pulse:
    """Marks, at most one a second and channel, of believable readings during the last minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._began_ns = clock.monotonic_ns()
        self._marks: dict[int, deque[int]] = {}
        self._last: dict[int, int] = {}

    def heard(self, block: ReadingBlock) -> None:
        """A block was stored."""
        now = self._clock.monotonic_ns()
        believed = block.channel[(block.quality & NOT_BELIEVED) == 0]
        with self._lock:
            for channel in np.unique(believed).tolist():
                self._last[channel] = now
                marks = self._marks.setdefault(channel, deque(maxlen=_MARKS))
                if not marks or now - marks[-1] >= _APART_NS:
                    marks.append(now)

    def gaps(self) -> dict[int, float]:
        """The longest pause, s, of each channel that answered now and again in the last 90 s.

        The time before its first and since its last reading counts: a burst is no regular answer.
        """
        now = self._clock.monotonic_ns()
        start = max(self._began_ns, now - round(BEFORE_S * SECOND_NS))
        with self._lock:
            marks = {channel: [t for t in times if t >= start] for channel, times in self._marks.items()}
        return {
            channel: float(np.diff([start, *times, now]).max()) / SECOND_NS
            for channel, times in marks.items()
            if len(times) >= _FEWEST
        }

    def quiet(self, channels: Collection[int], since_ns: int) -> dict[int, float]:
        """How long, s, each channel has given nothing, counted from monotonic `since_ns` at the earliest."""
        now = self._clock.monotonic_ns()
        with self._lock:
            return {c: (now - max(since_ns, self._last.get(c, 0))) / SECOND_NS for c in channels}


class HeardJournal:
    """A journal whose stored blocks are marked in a pulse."""

    def __init__(self, journal: Journal, pulse: Pulse) -> None:
        self._journal, self._pulse = journal, pulse

    def append(self, block: ReadingBlock, device: str, cursor: str | None) -> None:
        self._journal.append(block, device, cursor)
        self._pulse.heard(block)
