"""What the outbox holds, lane by lane into the window: alerts, then what is live, then the backlog, paced."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.outbox.outbox import Outbox
from edge_agent.uplink.actions import Publish
from edge_agent.uplink.pace import TokenBucket
from edge_agent.uplink.window import Lane, SendWindow
from models.clock import SECOND_NS
from models.identity import Stream
from models.wire.messages import Receipt
from models.wire.topics import Up

LOOK_NS = SECOND_NS
# MQTT 5: taken, and there was no subscriber. Ingest is not back yet, and its session is gone.
NOBODY_THERE = 0x10
PROBE_NS = 2 * SECOND_NS
_BURST_S = 0.25
_FETCH = 32


class Sender:
    """Decides what is published next. `ticket` gives each message a number of its own; times monotonic ns."""

    def __init__(self, outbox: Outbox, backlog_per_s: float, ticket: Callable[[], int]) -> None:
        self.window = SendWindow()
        self._outbox, self._ticket = outbox, ticket
        self._epoch = outbox.epoch
        self._pace = TokenBucket(backlog_per_s, max(1, round(backlog_per_s * _BURST_S)))
        self._now = 0
        # Streams nobody listens to now, and when one message is tried again.
        self._unheard: dict[Stream, int] = {}

    def restart(self, allowed: int) -> None:
        """A new connection that may have `allowed` messages unacknowledged."""
        self._epoch = self._outbox.epoch
        self._unheard.clear()
        self.window.restart(allowed, self._assigned())

    def has_new_epoch(self) -> bool:
        """Whether the outbox began a new life: then all of it is to be sent, and this starts over."""
        if self._outbox.epoch == self._epoch:
            return False
        self._epoch = self._outbox.epoch
        self.window.renumber(self._assigned())
        return True

    def woken(self, stream: Stream) -> None:
        """The outbox changed: something is new, or something is needed again."""
        lowest = self._outbox.messages(stream, 0, 1)
        if lowest and not self.window.is_known(stream, lowest[0][0]):
            self.window.rewind(stream, lowest[0][0])
        for lane in self.window.lanes:
            if lane.stream is stream:
                lane.idle_until_ns = 0

    def received(self, receipt: Receipt) -> None:
        """Let the outbox forget what the cloud has, and stop awaiting it."""
        is_ours = receipt.epoch == self._outbox.epoch
        self._outbox.receive(receipt)
        if is_ours and self._outbox.epoch == receipt.epoch:
            self.window.received(receipt.stream, receipt.through, {*receipt.beyond, *receipt.quarantined})

    def acknowledged(self, ticket: int, reason: int, now_ns: int) -> bool:
        """The broker answered; False when it was no message of ours."""
        stream = self.window.stream_of(ticket)
        if reason == NOBODY_THERE:
            self.window.hurry(ticket)
            if stream is not None:
                self._unheard[stream] = now_ns + PROBE_NS
        elif stream is not None:
            self._unheard.pop(stream, None)
        return self.window.acknowledged(ticket)

    def send(self, now_ns: int, *, with_bulk: bool) -> list[Publish]:
        """All that may go now, in this order."""
        self._now = now_ns
        found: list[Publish] = []
        for lane in self.window.lanes:
            if lane.stream is Stream.BULK and not with_bulk:
                continue
            if lane.stream in self._unheard:
                self._probe(lane, found)
                continue
            self._again(lane, found)
            self._new(lane, found)
        return found

    def _probe(self, lane: Lane, found: list[Publish]) -> None:
        """Try one message of a stream nobody listens to: the others follow when somebody does."""
        due = lane.overdue(self._now) if self._now >= self._unheard[lane.stream] else []
        if due and not self.window.is_in_flight(lane.stream, due[0]) and self.window.has_room():
            self._unheard[lane.stream] = self._now + PROBE_NS
            self._once_more(lane, due[0], found)

    def ready_ns(self, now_ns: int) -> int | None:
        """When the pace lets more of a backlog go; None when something else holds it up."""
        for lane in self.window.lanes:
            waits = self.window.has_more(lane, 0) and lane.idle_until_ns <= now_ns
            if _is_slowed(lane) and waits and self.window.room(lane) > 0:
                return self._pace.ready_ns(now_ns)
        return None

    def _again(self, lane: Lane, found: list[Publish]) -> None:
        for sequence in lane.overdue(self._now):
            if self.window.is_in_flight(lane.stream, sequence):
                continue
            if not self.window.has_room() or not self._tokens(lane):
                return
            self._once_more(lane, sequence, found)

    def _once_more(self, lane: Lane, sequence: int, found: list[Publish]) -> None:
        raw = self._outbox.message(lane.stream, sequence)
        if raw is None:
            del lane.awaited[sequence]
        else:
            found.append(self._publish(lane, sequence, raw))

    def _new(self, lane: Lane, found: list[Publish]) -> None:
        assigned = self._outbox.assigned(lane.stream)
        if lane.is_live:
            self.window.fall_behind(lane.stream, assigned)
        while self.window.has_more(lane, assigned) and lane.idle_until_ns <= self._now:
            count = min(self.window.room(lane), self._tokens(lane), _FETCH)
            if count <= 0:
                return
            rows = self._outbox.messages(lane.stream, lane.after, count)
            if len(rows) < count:
                # What was found damaged is left out of the answer, so that less than asked is not yet all.
                lane.idle_until_ns = self._now + LOOK_NS
            for sequence, raw in rows:
                if not self.window.belongs(lane, sequence):
                    self.window.finish(lane)
                    break
                if self.window.is_known(lane.stream, sequence):
                    lane.after = max(lane.after, sequence)
                elif self.window.room(lane) > 0:
                    found.append(self._publish(lane, sequence, raw))

    def _publish(self, lane: Lane, sequence: int, raw: bytes) -> Publish:
        ticket = self._ticket()
        self.window.sent(ticket, lane, sequence, size=len(raw), now_ns=self._now)
        if _is_slowed(lane):
            self._pace.spend()
        return Publish(ticket, Up.URGENT if lane.stream is Stream.URGENT else Up.BULK, raw)

    def _tokens(self, lane: Lane) -> int:
        return self._pace.available(self._now) if _is_slowed(lane) else _FETCH

    def _assigned(self) -> dict[Stream, int]:
        return {stream: self._outbox.assigned(stream) for stream in Stream}


def _is_slowed(lane: Lane) -> bool:
    return lane.stream is Stream.BULK and not lane.is_live
