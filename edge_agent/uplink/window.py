"""Which message goes next: a window of its own, urgent before bulk, again when no receipt came.

A message is *in flight* until the broker acknowledges it, and *awaited* until the cloud's receipt frees
its row. Both are bounded, so nothing piles up in the broker or in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from models.clock import SECOND_NS
from models.identity import Stream

RESEND_AFTER_S = 30.0
RESEND_AT_MOST_S = 900.0
AWAITED_AT_MOST = {Stream.URGENT: 100, Stream.BULK: 200}


@dataclass(slots=True)
class _Awaited:
    attempts: int
    due_ns: int


@dataclass(slots=True)
class _Lane:
    """One stream's part of the window."""

    highest_sent: int = 0
    awaited: dict[int, _Awaited] = field(default_factory=dict)
    in_flight: set[int] = field(default_factory=set)


class SendWindow:
    """Bookkeeping for one uplink; `allowed` messages may be unacknowledged at once.

    >>> window = SendWindow(2)
    >>> window.sent(Stream.BULK, 1, now_ns=0), window.has_room()
    (None, True)
    """

    def __init__(self, allowed: int) -> None:
        self._allowed = max(1, allowed)
        self._lanes = {stream: _Lane() for stream in Stream}

    def restart(self, allowed: int) -> None:
        """A new connection: everything without a receipt is to be sent again, lowest number first."""
        self._allowed = max(1, allowed)
        self._lanes = {stream: _Lane() for stream in Stream}

    @property
    def in_flight(self) -> int:
        return sum(len(lane.in_flight) for lane in self._lanes.values())

    def has_room(self) -> bool:
        return self.in_flight < self._allowed

    def may_send_new(self, stream: Stream) -> bool:
        """Whether a message never sent on this connection may go."""
        return self.has_room() and len(self._lanes[stream].awaited) < AWAITED_AT_MOST[stream]

    def after(self, stream: Stream) -> int:
        """The highest number sent on this connection."""
        return self._lanes[stream].highest_sent

    def overdue(self, stream: Stream, now_ns: int) -> list[int]:
        """Numbers whose receipt is late, lowest first."""
        lane = self._lanes[stream]
        return sorted(n for n, w in lane.awaited.items() if w.due_ns <= now_ns and n not in lane.in_flight)

    def sent(self, stream: Stream, sequence: int, *, now_ns: int) -> None:
        """A message was handed to the connection; its next try is 30 s away, then twice as long."""
        lane = self._lanes[stream]
        attempts = lane.awaited[sequence].attempts + 1 if sequence in lane.awaited else 0
        wait_s = min(RESEND_AFTER_S * 2 ** min(attempts, 10), RESEND_AT_MOST_S)
        lane.awaited[sequence] = _Awaited(attempts, now_ns + round(wait_s * SECOND_NS))
        lane.in_flight.add(sequence)
        lane.highest_sent = max(lane.highest_sent, sequence)

    def acknowledged(self, stream: Stream, sequence: int) -> None:
        """The broker has it; the receipt is still to come."""
        self._lanes[stream].in_flight.discard(sequence)

    def forget(self, stream: Stream, sequence: int) -> None:
        """It needs no sending any more."""
        self._lanes[stream].awaited.pop(sequence, None)

    def received(self, stream: Stream, through: int, named: set[int]) -> None:
        """A receipt: these are not awaited any more."""
        lane = self._lanes[stream]
        for sequence in [n for n in lane.awaited if n <= through or n in named]:
            del lane.awaited[sequence]
