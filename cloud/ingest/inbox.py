"""Between paho's thread and a worker: bounded, never waiting on the side of paho."""

from __future__ import annotations

import itertools
import queue
from dataclasses import dataclass, field

from cloud.ingest.session import Received
from models.clock import Clock


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A message that waits for its worker; `received_at` ns UTC. The lowest rank is taken first."""

    rank: int
    order: int
    received: Received = field(compare=False)
    received_at: int = field(compare=False)


class Inbox:
    """Holds at most twice Receive Maximum: acknowledged kinds cannot exceed it, the rest is let go when full.

    What is let go (QoS 0, which no gateway of ours uses) is counted in `dropped`.
    """

    def __init__(self, receive_maximum: int, clock: Clock, first: str) -> None:
        self.dropped = 0
        self._limit, self._clock, self._first = receive_maximum, clock, first
        self._order = itertools.count()
        self._queue: queue.PriorityQueue[Waiting] = queue.PriorityQueue()

    def put(self, received: Received) -> None:
        """Called in paho's thread. Topics that end in `first` overtake all others."""
        if self._queue.qsize() >= (2 * self._limit if received.qos else self._limit):
            self.dropped += 1
            return
        rank = 0 if received.topic.endswith(self._first) else 1
        self._queue.put(Waiting(rank, next(self._order), received, self._clock.wall_ns()))

    def take(self, wait_s: float) -> Waiting | None:
        """The next message; None when none came within `wait_s`."""
        try:
            return self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return None

    def __len__(self) -> int:
        return self._queue.qsize()
