"""The uplink as a state machine: what happens goes in with the time, what is to be done comes out.

It knows no thread, no socket, no clock and no chance but what it is given, so the simulation runs it as the
gateway does.
"""

from __future__ import annotations

import enum
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from edge_agent.mqtt_connection import (
    REFUSED_FROM,
    Acknowledged,
    Connected,
    ConnectionEvent,
    Disconnected,
    Message,
    Subscribed,
)
from edge_agent.outbox.outbox import Outbox
from edge_agent.sampler.backoff import Backoff
from edge_agent.uplink.actions import (
    Action,
    Beat,
    Close,
    Connect,
    Deliver,
    Publish,
    Report,
    Stop,
    Subscribe,
    Wake,
)
from edge_agent.uplink.liveness import Liveness
from edge_agent.uplink.sender import LOOK_NS, NOBODY_THERE, PROBE_NS, Sender
from edge_agent.uplink.state import UplinkState
from models.clock import SECOND_NS
from models.identity import Stream
from models.wire.messages import Presence, Receipt, Reported
from models.wire.topics import Down, Up, down_topic

log = logging.getLogger(__name__)
WINDOW = 20
# Of the server's Receive Maximum, so that health, reported and the goodbye never wait behind messages.
KEPT_FOR_STATUS = 3
_STATUSES_AT_MOST = KEPT_FOR_STATUS - 1
_REPORTS_KEPT = 16
STABLE_NS = 60 * SECOND_NS
# How long the cloud may take to say what it has, before telemetry is sent without knowing.
HELLO_WAIT_NS = 2 * SECOND_NS
# A cloud restored behind a standing connection says nothing by itself.
HELLO_EVERY_NS = 300 * SECOND_NS
CONNECT_LIMIT_NS = 15 * SECOND_NS
GOODBYE_NS = SECOND_NS
_HURRY_S, _HURRY_AT_MOST_S = 2.0, 60.0
_PATIENCE_TIMES = 3


class Phase(enum.Enum):
    """Where a session stands."""

    RESTING = "resting"
    CONNECTING = "connecting"
    ONLINE = "online"
    LEAVING = "leaving"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Manners:
    """How an uplink behaves towards a cloud with a thousand others.

    After a lost connection it waits a random part of `reconnect_s`, doubling up to three times that; with
    something urgent in hand a random part of 2 s, doubling up to 60. A backlog goes at `backlog_per_s`.
    """

    reconnect_s: float = 40.0
    heartbeat_s: float = 20.0
    backlog_per_s: float = 80.0


class Session:
    """One gateway's way to the cloud. Not for several threads. Times are monotonic ns."""

    def __init__(self, gateway: str, outbox: Outbox, manners: Manners, draw: Callable[[], float]) -> None:
        self.state, self.phase, self.generation = UplinkState(), Phase.RESTING, 0
        self._topics = {down_topic(gateway, kind): kind for kind in Down}
        self._outbox = outbox
        self._sender = Sender(outbox, manners.backlog_per_s, self._ticket)
        self._liveness = Liveness()
        self._heartbeat_ns = round(manners.heartbeat_s * SECOND_NS)
        longest_s = _PATIENCE_TIMES * manners.reconnect_s
        self._patience = Backoff(base_s=manners.reconnect_s, ceiling_s=longest_s, draw=draw)
        self._hurry = Backoff(base_s=_HURRY_S, ceiling_s=_HURRY_AT_MOST_S, draw=draw)
        self._tickets = self._farewell = self._hello = 0
        self._hello_again_ns = 0
        self._statuses: set[int] = set()
        self._owes_beat = self._owes_hello = False
        self._reported: Reported | None = None
        self._reports: deque[Reported] = deque(maxlen=_REPORTS_KEPT)  # said since, not yet sent
        self._until_ns = self._hurried_ns = self._connected_ns = self._next_beat_ns = 0
        self._heard: set[Stream] = set()
        self._refusing = False
        self._now = 0
        self._todo: list[Action] = []

    @property
    def due_ns(self) -> int:
        """When `step` wants to be called though nothing happened."""
        if self.phase not in (Phase.ONLINE, Phase.LEAVING):
            return self._until_ns
        # Late receipts and silence are looked at each second.
        due = [self._next_beat_ns, self._now + LOOK_NS]
        if self._may_send_bulk() and (ready := self._sender.ready_ns(self._now)) is not None:
            due.append(ready)
        if self.phase is Phase.LEAVING:
            due.append(self._until_ns)
        return min(due)

    def step(self, event: object, now_ns: int) -> list[Action]:
        """Take what happened (None: only time passed); what is to be done, in this order."""
        self._now, self._todo = now_ns, []
        if event is not None:
            self._take(event)
        self._go_on()
        return self._todo

    def fail(self, problem: str, now_ns: int) -> list[Action]:
        """Something went wrong on our own side: begin anew after a rest."""
        self._now, self._todo = now_ns, []
        self._lose(problem, is_outbox_sound=False)
        return self._todo

    # ---- what happens

    def _take(self, event: object) -> None:
        match event:
            case Wake(stream):
                self._woken(stream)
            case Report(reported):
                self._reported = reported
                self._reports.append(reported)
            case Stop():
                self._leave()
            case Connected() | Disconnected() | Acknowledged() | Subscribed() | Message():
                if event.generation == self.generation:
                    self._hear(event)

    def _woken(self, stream: Stream) -> None:
        if self.phase is Phase.RESTING and stream is Stream.URGENT:
            self._until_ns = min(self._until_ns, self._now + self._hurried_ns)
        elif self.phase is Phase.ONLINE:
            self._sender.woken(stream)

    def _hear(self, event: ConnectionEvent) -> None:
        if self.phase is Phase.CONNECTING:
            if isinstance(event, Connected):
                self._greet(event)
            elif isinstance(event, Disconnected):
                self._lose(event.reason)
        elif self.phase in (Phase.ONLINE, Phase.LEAVING):
            if isinstance(event, Disconnected):
                self._lose(f"connection lost: {event.reason}")
            else:
                self._listen(event)

    def _listen(self, event: ConnectionEvent) -> None:
        if isinstance(event, Acknowledged):
            self._acknowledged(event)
        is_owed = bool(self._sender.window.in_flight or self._statuses)
        self._liveness.heard(self._now, in_flight=is_owed)
        if isinstance(event, Message):
            self._message(event)
        elif isinstance(event, Subscribed) and event.refused:
            log.error("uplink: the broker refuses our own topics; check the ACL and the certificate's name")

    def _message(self, message: Message) -> None:
        kind = self._topics.get(message.topic)
        if kind is Down.RECEIPT:
            self._receipt(message.payload)
        elif kind is not None and message.payload:
            self._todo.append(Deliver(kind, message.payload))

    def _receipt(self, payload: bytes) -> None:
        try:
            receipt = Receipt.model_validate_json(payload)
        except ValidationError:
            log.warning("uplink: a receipt that cannot be read (%d bytes)", len(payload))
            return
        rewinds = self._outbox.rewinds
        self._sender.received(receipt)
        if self._outbox.rewinds != rewinds:
            # The cloud was restored from a backup: what else does it lack?
            self._owes_beat = self._owes_hello = True
        self._heard.add(receipt.stream)
        self._liveness.receipt()
        self.state.receipts += 1

    def _acknowledged(self, event: Acknowledged) -> None:
        if event.packet in self._statuses:
            self._statuses.discard(event.packet)
            self._farewell = 0 if event.packet == self._farewell else self._farewell
            if event.packet == self._hello and event.reason == NOBODY_THERE:
                self._hello_again_ns = self._now + PROBE_NS
        elif not self._sender.acknowledged(event.packet, event.reason, self._now):
            return
        is_refused = event.reason >= REFUSED_FROM
        self.state.refused_messages += is_refused
        if is_refused == self._refusing:
            return
        self._refusing = is_refused
        if is_refused:
            log.error("uplink: the broker refuses our messages (reason 0x%02x); check its ACL", event.reason)
        else:
            log.info("uplink: the broker takes our messages again")

    # ---- phases

    def _go_on(self) -> None:
        match self.phase:
            case Phase.RESTING if self._now >= self._until_ns:
                self._connect()
            case Phase.CONNECTING if self._now >= self._until_ns:
                self._lose("the broker does not answer")
            case Phase.ONLINE:
                self._serve()
            case Phase.LEAVING:
                self._send()
                if self._now >= self._until_ns or not (self._farewell or self._outbox.backlog()):
                    self._end()

    def _connect(self) -> None:
        self.phase = Phase.CONNECTING
        self.generation += 1
        self._until_ns = self._now + CONNECT_LIMIT_NS
        self._todo.append(Connect(self.generation))

    def _greet(self, connected: Connected) -> None:
        self.phase = Phase.ONLINE
        self._sender.restart(min(WINDOW, connected.receive_maximum) - KEPT_FOR_STATUS)
        self._liveness.begin()
        self._statuses.clear()
        self._heard.clear()
        self._hello_again_ns = self._now + HELLO_EVERY_NS
        self._connected_ns = self._now
        self._owes_beat = self._owes_hello = True
        self._reports.clear()
        if self._reported is not None:
            self._reports.append(self._reported)
        self._todo.append(Subscribe())
        self.state.is_connected, self.state.problem = True, ""
        self.state.connects += 1

    def _serve(self) -> None:
        if problem := self._liveness.problem(self._now, self._sender.window.bytes_in_flight):
            self._lose(problem)
            return
        if self._sender.has_new_epoch():
            self._owes_beat = self._owes_hello = True
        if self._now >= self._next_beat_ns:
            self._owes_beat = True
            self._next_beat_ns = self._now + self._heartbeat_ns
        if self._now >= self._hello_again_ns:
            self._owes_beat = self._owes_hello = True
            self._hello_again_ns = self._now + HELLO_EVERY_NS
        self._say_status()
        self._send()

    def _leave(self) -> None:
        if self.phase is not Phase.ONLINE:
            self._end()
            return
        self.phase = Phase.LEAVING
        self._until_ns = self._now + GOODBYE_NS
        self._heard.update(Stream)  # no time left to wait for what the cloud has
        self._send()
        self._farewell = self._beat(Presence.OFFLINE, hello=False)

    def _lose(self, problem: str, *, is_outbox_sound: bool = True) -> None:
        """The connection is gone, or never came about: close it, and rest."""
        if self.phase in (Phase.LEAVING, Phase.ENDED):
            self._end()
            return
        if self.state.is_connected and self._now - self._connected_ns >= STABLE_NS:
            self._patience.reset()
            self._hurry.reset()
        self._note_down(problem)
        self.phase = Phase.RESTING
        self._todo.append(Close())
        wait_ns = round(self._patience.next_s() * SECOND_NS)
        self._hurried_ns = round(self._hurry.next_s() * SECOND_NS)
        if is_outbox_sound and self._outbox.messages(Stream.URGENT, 0, 1):
            wait_ns = min(wait_ns, self._hurried_ns)
        self._until_ns = self._now + wait_ns

    def _end(self) -> None:
        if self.phase is not Phase.ENDED:
            self._todo.append(Close())
        self.phase, self.state.is_connected = Phase.ENDED, False

    def _note_down(self, problem: str) -> None:
        if self.state.is_connected or self.state.problem != problem:
            log.warning("uplink: %s", problem)
        self.state.is_connected, self.state.problem = False, problem

    # ---- saying

    def _say_status(self) -> None:
        """What finds no room in the window waits; of beats only the latest counts."""
        if self._owes_beat and len(self._statuses) < _STATUSES_AT_MOST:
            ticket = self._beat(Presence.ONLINE, hello=self._owes_hello)
            self._hello = ticket if self._owes_hello else self._hello
            self._owes_beat = self._owes_hello = False
        while self._reports and len(self._statuses) < _STATUSES_AT_MOST:
            payload = self._reports.popleft().model_dump_json().encode()
            self._todo.append(Publish(self._status_ticket(), Up.REPORTED, payload, retain=True))

    def _beat(self, presence: Presence, *, hello: bool) -> int:
        self._next_beat_ns = self._now + self._heartbeat_ns
        ticket = self._status_ticket()
        self._todo.append(Beat(ticket, presence, hello))
        return ticket

    def _status_ticket(self) -> int:
        ticket = self._ticket()
        self._statuses.add(ticket)
        return ticket

    def _ticket(self) -> int:
        self._tickets += 1
        self._liveness.sent(self._now)
        return self._tickets

    def _send(self) -> None:
        self._todo += self._sender.send(self._now, with_bulk=self._may_send_bulk())
        if self._sender.window.is_awaiting:
            self._liveness.awaits(self._now)

    def _may_send_bulk(self) -> bool:
        """Telemetry waits a moment for the cloud to say what it has, so that little is sent twice."""
        return Stream.BULK in self._heard or self._now - self._connected_ns > HELLO_WAIT_NS
