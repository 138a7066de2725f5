"""Which message goes next: lanes in the order they matter, a window of their own, again without a receipt.

A message is *in flight* until the broker acknowledges it, and *awaited* until the cloud's receipt frees
its row. Both are bounded, so nothing piles up in the broker or in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.clock import SECOND_NS
from models.identity import Stream

RESEND_AFTER_S = 30.0
RESEND_AT_MOST_S = 900.0
# So that an alert stands behind little on a slow link; a single message may be larger.
IN_FLIGHT_BYTES = 256 << 10
# Evidence may be large, so that few of the urgent backlog lie in the broker.
AWAITED_AT_MOST = {
    (Stream.URGENT, True): 50, (Stream.URGENT, False): 20,
    (Stream.BULK, True): 50, (Stream.BULK, False): 100,
}  # fmt: skip
# A live lane so far behind is a backlog itself.
BEHIND_AT_MOST = 50


@dataclass(slots=True)
class _Awaited:
    attempts: int
    due_ns: int


@dataclass(slots=True)
class Lane:
    """One half of a stream: `is_live`: what was made since the connection began; else what waited then.

    `after`: everything of this lane up to it was sent on this connection.
    """

    stream: Stream
    is_live: bool
    after: int = 0
    idle_until_ns: int = 0
    awaited: dict[int, _Awaited] = field(default_factory=dict)

    def overdue(self, now_ns: int) -> list[int]:
        """Numbers whose receipt is late, lowest first."""
        return sorted(number for number, waiting in self.awaited.items() if waiting.due_ns <= now_ns)


@dataclass(frozen=True, slots=True)
class _Flight:
    lane: Lane | None  # None: a number of an epoch that is over
    sequence: int
    size: int


class SendWindow:
    """Bookkeeping of one connection; `allowed` messages may be unacknowledged at once."""

    def __init__(self) -> None:
        self._allowed = 1
        self._flights: dict[int, _Flight] = {}
        self._in_flight: set[tuple[Stream, int]] = set()
        self._boundary: dict[Stream, int] = {}
        self.lanes: tuple[Lane, ...] = ()
        self.restart(1, dict.fromkeys(Stream, 0))

    def restart(self, allowed: int, assigned: Mapping[Stream, int]) -> None:
        """A new connection: everything without a receipt is sent again. Up to `assigned` is backlog."""
        self._allowed = max(1, allowed)
        self._flights.clear()
        self.renumber(assigned)

    def renumber(self, assigned: Mapping[Stream, int]) -> None:
        """A new epoch on the same connection: what is in flight still fills the window."""
        self._flights = {ticket: _Flight(None, 0, flight.size) for ticket, flight in self._flights.items()}
        self._in_flight.clear()
        self._boundary = dict(assigned)
        self.lanes = tuple(
            Lane(stream, is_live, assigned[stream] if is_live else 0)
            for stream in (Stream.URGENT, Stream.BULK)
            for is_live in (True, False)
        )

    # ---- what may go

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    @property
    def bytes_in_flight(self) -> int:
        return sum(flight.size for flight in self._flights.values())

    @property
    def is_awaiting(self) -> bool:
        """Whether a receipt is to come."""
        return any(lane.awaited for lane in self.lanes)

    def room(self, lane: Lane) -> int:
        """How many messages never sent before may go in this lane."""
        if self.bytes_in_flight >= IN_FLIGHT_BYTES:
            return 0
        cap = AWAITED_AT_MOST[lane.stream, lane.is_live] - len(lane.awaited)
        return max(0, min(self._allowed - self.in_flight, cap))

    def has_room(self) -> bool:
        return self.in_flight < self._allowed and self.bytes_in_flight < IN_FLIGHT_BYTES

    def has_more(self, lane: Lane, assigned: int) -> bool:
        """Whether something may wait in this lane that was not sent."""
        return lane.after < (assigned if lane.is_live else self._boundary[lane.stream])

    def is_known(self, stream: Stream, sequence: int) -> bool:
        """Whether this message was sent on this connection, and no receipt came."""
        return any(sequence in lane.awaited for lane in self.lanes if lane.stream is stream)

    def is_in_flight(self, stream: Stream, sequence: int) -> bool:
        return (stream, sequence) in self._in_flight

    def belongs(self, lane: Lane, sequence: int) -> bool:
        """Whether a number is of this lane."""
        return (sequence > self._boundary[lane.stream]) is lane.is_live

    def finish(self, lane: Lane) -> None:
        """Nothing more waits in this lane: what follows in the stream is live."""
        lane.after = max(lane.after, self._boundary[lane.stream])

    # ---- what happened

    def sent(self, ticket: int, lane: Lane, sequence: int, *, size: int, now_ns: int) -> None:
        """A message was handed to the connection; its next try is 30 s away, then twice as long."""
        before = lane.awaited.get(sequence)
        attempts = before.attempts + 1 if before else 0
        wait_s = min(RESEND_AFTER_S * 2 ** min(attempts, 10), RESEND_AT_MOST_S)
        lane.awaited[sequence] = _Awaited(attempts, now_ns + round(wait_s * SECOND_NS))
        lane.after = max(lane.after, sequence)
        self._flights[ticket] = _Flight(lane, sequence, size)
        self._in_flight.add((lane.stream, sequence))

    def acknowledged(self, ticket: int) -> bool:
        """The broker has it; the receipt is still to come. False when it was no message of the window."""
        flight = self._flights.pop(ticket, None)
        if flight is not None and flight.lane is not None:
            self._in_flight.discard((flight.lane.stream, flight.sequence))
        return flight is not None

    def stream_of(self, ticket: int) -> Stream | None:
        """Whose message is in flight under this ticket; None when nobody's of this epoch."""
        flight = self._flights.get(ticket)
        return flight.lane.stream if flight is not None and flight.lane is not None else None

    def hurry(self, ticket: int) -> None:
        """The broker has nobody to hand it to: no receipt can come, so it is due again at once."""
        flight = self._flights.get(ticket)
        if flight is not None and flight.lane is not None and flight.sequence in flight.lane.awaited:
            flight.lane.awaited[flight.sequence] = _Awaited(-1, 0)

    def received(self, stream: Stream, through: int, named: set[int]) -> None:
        """A receipt: these are not awaited any more."""
        for lane in self.lanes:
            if lane.stream is stream:
                for sequence in [n for n in lane.awaited if n <= through or n in named]:
                    del lane.awaited[sequence]

    def rewind(self, stream: Stream, lowest: int) -> None:
        """Something at `lowest` waits that was thought to be done: a restored cloud lacks it again."""
        live, backlog = self._pair(stream)
        if lowest <= live.after:
            self._merge(stream, live.after)
            backlog.after, backlog.idle_until_ns = min(backlog.after, lowest - 1), 0

    def fall_behind(self, stream: Stream, assigned: int) -> None:
        """What is live grew faster than it went: it is backlog from here on, and what comes now is live."""
        if assigned - self._pair(stream)[0].after > BEHIND_AT_MOST:
            self._merge(stream, assigned)

    def _pair(self, stream: Stream) -> tuple[Lane, Lane]:
        live, backlog = (lane for lane in self.lanes if lane.stream is stream)
        return live, backlog

    def _merge(self, stream: Stream, boundary: int) -> None:
        """Everything up to `boundary` is backlog now; what of it was sent is known there."""
        live, backlog = self._pair(stream)
        self._boundary[stream] = max(boundary, self._boundary[stream])
        backlog.awaited.update(live.awaited)
        backlog.idle_until_ns = 0
        live.awaited = {}
        live.after = max(live.after, self._boundary[stream])
