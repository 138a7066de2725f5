"""The uplink's thread: hands events and the time to the session, and does with paho what it asks for."""

from __future__ import annotations

import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from edge_agent.mqtt_connection import (
    Acknowledged,
    ConnectionOptions,
    Disconnected,
    MqttConnection,
    Will,
)
from edge_agent.outbox.outbox import Outbox
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
from edge_agent.uplink.session import Manners, Phase, Session
from edge_agent.uplink.state import UplinkState
from models.clock import SECOND_NS, Clock
from models.errors import TransientError
from models.identity import Stream
from models.wire.messages import Health, Presence, Reported
from models.wire.topics import Down, Up, down_topic, up_topic

log = logging.getLogger(__name__)
_QUEUED_EVENTS = 10_000
_LONGEST_WAIT_S = 1.0
# Threads that hang in a name server's silence; with so many no further one is begun.
_HANGING_AT_MOST = 3


class Uplink:
    """One thread owns the connection and the session; everything reaches it through one queue of events.

    `on_desired` and `on_command` are called in that thread with the payload; what they raise is logged.
    """

    def __init__(
        self,
        options: ConnectionOptions,
        gateway: str,
        outbox: Outbox,
        *,
        clock: Clock,
        manners: Manners,
        health: Callable[[Presence, bool], Health],
        on_desired: Callable[[bytes], None],
        on_command: Callable[[bytes], None] = lambda _payload: None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._options, self._gateway, self._clock, self._health = options, gateway, clock, health
        self._listeners = {Down.DESIRED: on_desired, Down.COMMAND: on_command}
        self._session = Session(gateway, outbox, manners, draw)
        self._events: queue.Queue[Any] = queue.Queue(_QUEUED_EVENTS)
        self._woken = {stream: threading.Event() for stream in Stream}
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._connection: MqttConnection | None = None
        self._connecting: list[threading.Thread] = []
        self._tickets: dict[int, int] = {}  # by packet of this connection
        self._pulse_ns = clock.monotonic_ns()
        outbox.listen(self._wake)

    @property
    def state(self) -> UplinkState:
        return self._session.state

    # ---- from other threads

    def start(self) -> None:
        self._thread.start()

    def stop(self, limit_s: float = 5.0) -> None:
        """Say goodbye (presence offline) and end, within `limit_s`."""
        self._put(Stop())
        if self._thread.ident is not None:
            self._thread.join(limit_s)

    def pulse(self) -> int:
        """Monotonic ns of the last time the uplink's loop went round; waiting counts as going round."""
        return self._pulse_ns

    def reconnect(self, why: str) -> None:
        """Give up the connection and make another one, with the files of the identity as they are then."""
        self._put(Disconnected(self._session.generation, why))

    def report(self, reported: Reported) -> None:
        """Say what became of a document; kept, and said again at each connect."""
        self._put(Report(reported))

    def _wake(self, stream: Stream) -> None:
        if not self._woken[stream].is_set():
            self._woken[stream].set()
            self._put(Wake(stream))

    def _put(self, event: Any) -> None:
        # A full queue means that the thread hangs; whoever watches `pulse` sees it.
        with contextlib.suppress(queue.Full):
            self._events.put_nowait(event)

    # ---- the uplink's own thread

    def _run(self) -> None:
        self._step(None)
        while self._session.phase is not Phase.ENDED:
            self._step(self._next_event())

    def _next_event(self) -> Any:
        self._pulse_ns = now = self._clock.monotonic_ns()
        wait_s = min((self._session.due_ns - now) / SECOND_NS, _LONGEST_WAIT_S)
        try:
            event = self._events.get(timeout=wait_s) if wait_s > 0 else self._events.get_nowait()
        except queue.Empty:
            return None
        if isinstance(event, Wake):
            self._woken[event.stream].clear()
        elif isinstance(event, Acknowledged):
            return replace(event, packet=self._ticket_of(event))
        return event

    def _ticket_of(self, event: Acknowledged) -> int:
        is_ours = self._connection is not None and event.generation == self._connection.generation
        return self._tickets.pop(event.packet, 0) if is_ours else 0

    def _step(self, event: Any) -> None:
        """One turn; the uplink must come back whatever goes wrong in it."""
        receipts = self.state.receipts
        try:
            if self._connection is not None and self._connection.has_overflowed:
                raise TransientError("more happens on the connection than this program can follow")
            for action in self._session.step(event, self._clock.monotonic_ns()):
                self._do(action)
        except Exception as wrong:
            if not isinstance(wrong, TransientError):
                log.exception("uplink failed")
            for action in self._session.fail(str(wrong) or repr(wrong), self._clock.monotonic_ns()):
                self._do(action)
        if self.state.receipts != receipts:
            self.state.last_receipt_at = self._clock.wall_ns()

    def _do(self, action: Action) -> None:
        match action:
            case Connect():
                self._connect(action.generation)
            case Subscribe() if self._connection is not None:
                self._connection.subscribe([down_topic(self._gateway, kind) for kind in Down])
            case Publish():
                self._publish(action.ticket, action.kind, action.payload, retain=action.retain)
            case Beat():
                payload = self._health(action.presence, action.hello).model_dump_json().encode()
                self._publish(action.ticket, Up.HEALTH, payload, retain=True)
            case Deliver():
                self._deliver(action.kind, action.payload)
            case Close():
                self._close()

    def _connect(self, generation: int) -> None:
        self._connecting = [thread for thread in self._connecting if thread.is_alive()]
        if len(self._connecting) >= _HANGING_AT_MOST:
            self._put(Disconnected(generation, f"the name {self._options.host} is still being looked up"))
            return
        will = Health(presence=Presence.OFFLINE, sent_at=self._clock.wall_ns(), boot=self._clock.boot())
        topic = up_topic(self._gateway, Up.HEALTH)
        options = replace(self._options, will=Will(topic, will.model_dump_json().encode()))
        self._tickets.clear()
        try:
            self._connection = MqttConnection(options, self._events, generation)
        except Exception as wrong:  # files of the identity that cannot be read
            self._put(Disconnected(generation, f"cannot connect: {wrong}"))
            return
        self._connecting.append(self._connection.connect_soon())

    def _publish(self, ticket: int, kind: Up, payload: bytes, *, retain: bool) -> None:
        if self._connection is None:
            return
        packet = self._connection.publish(up_topic(self._gateway, kind), payload, retain=retain)
        if packet is None:
            self._put(Disconnected(self._connection.generation, "it was gone when there was more to send"))
        else:
            self._tickets[packet] = ticket

    def _deliver(self, kind: Down, payload: bytes) -> None:
        try:
            self._listeners[kind](payload)
        except Exception:
            log.exception("uplink: a message on down/%s could not be handed on", kind)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()
