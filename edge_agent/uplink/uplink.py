"""The uplink: connect, say hello, send what waits, listen, and when it breaks come back with patience."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from edge_agent.mqtt_connection import (
    REFUSED_FROM,
    Acknowledged,
    Connected,
    ConnectionOptions,
    Disconnected,
    Message,
    MqttConnection,
    Subscribed,
    Will,
)
from edge_agent.outbox.outbox import Outbox
from edge_agent.sampler.backoff import Backoff
from edge_agent.uplink.state import UplinkState
from edge_agent.uplink.window import SendWindow
from models.clock import SECOND_NS, Clock
from models.errors import TransientError
from models.identity import Stream
from models.wire.messages import Health, Presence, Receipt, Reported
from models.wire.topics import Down, Up, down_topic, up_topic

log = logging.getLogger(__name__)
WINDOW = 20
# Of the server's Receive Maximum, so that health and reported never wait behind messages.
KEPT_FOR_STATUS = 3
STABLE_S = 60.0
# How long the cloud may take to say what it has, before telemetry is sent without knowing.
HELLO_WAIT_S = 2.0
CONNECT_LIMIT_S = 10.0
_QUEUED_EVENTS = 10_000
_FETCH = 32


class Wake:
    """Something new to send."""


class Stop:
    """End the uplink."""


class Uplink:
    """One thread owns the connection and the window; everything reaches it through one queue of events."""

    def __init__(
        self,
        options: ConnectionOptions,
        gateway: str,
        outbox: Outbox,
        *,
        clock: Clock,
        backoff: Backoff,
        heartbeat_s: float,
        health: Callable[[Presence, bool], Health],
        on_desired: Callable[[bytes], None],
        on_command: Callable[[bytes], None] = lambda _payload: None,
    ) -> None:
        self.state = UplinkState()
        self._options, self._gateway, self._outbox = options, gateway, outbox
        self._clock, self._backoff = clock, backoff
        self._heartbeat_ns = round(heartbeat_s * SECOND_NS)
        self._health, self._on_desired, self._on_command = health, on_desired, on_command
        self._pulse_ns = clock.monotonic_ns()
        self._events: queue.Queue[Any] = queue.Queue(_QUEUED_EVENTS)
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._connection: MqttConnection | None = None
        self._generation = 0
        self._window = SendWindow(WINDOW)
        self._packets: dict[int, tuple[Stream, int]] = {}
        self._reported: Reported | None = None
        self._connected_ns = self._next_beat_ns = 0
        self._heard: set[Stream] = set()
        self._refusing = False
        outbox.listen(self._wake)

    # ---- from other threads

    def start(self) -> None:
        self._thread.start()

    def stop(self, limit_s: float = 5.0) -> None:
        """Say goodbye (presence offline) and end, within `limit_s`."""
        self._stopping.set()
        self._put(Stop())
        if self._thread.ident is not None:
            self._thread.join(limit_s)

    def pulse(self) -> int:
        """Monotonic ns of the last time the uplink's loop went round; waiting counts as going round."""
        return self._pulse_ns

    def report(self, reported: Reported) -> None:
        """Say what became of a document; kept, and said again at each connect."""
        self._reported = reported
        self._put(reported)

    def _wake(self, stream: Stream) -> None:
        if not self._woken.is_set():
            self._woken.set()
            self._put(Wake())

    def _put(self, event: Any) -> None:
        with contextlib.suppress(queue.Full):
            self._events.put_nowait(event)

    # ---- the uplink's own thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._connect()
                self._serve()
            except TransientError as wrong:
                self._note_down(str(wrong))
            except Exception as bug:  # the uplink must come back whatever happened
                log.exception("uplink failed")
                self._note_down(repr(bug))
            self._close()
            if not self._stopping.is_set():
                self._rest(self._backoff.next_s())

    def _rest(self, seconds: float) -> None:
        until = self._clock.monotonic_ns() + round(seconds * SECOND_NS)
        while not self._stopping.is_set() and self._clock.monotonic_ns() < until:
            self._pulse_ns = self._clock.monotonic_ns()
            self._stopping.wait(min(1.0, seconds))

    def _connect(self) -> None:
        """Reach the broker, wait for its word, subscribe and say hello."""
        self._generation += 1
        will = Health(presence=Presence.OFFLINE, sent_at=self._clock.wall_ns(), boot=self._clock.boot())
        topic = up_topic(self._gateway, Up.HEALTH)
        options = replace(self._options, will=Will(topic, will.model_dump_json().encode()))
        self._connection = MqttConnection(options, self._events, self._generation)
        self._connection.connect()
        deadline = self._clock.monotonic_ns() + round(CONNECT_LIMIT_S * SECOND_NS)
        while not self._stopping.is_set():
            event = self._next_event(deadline)
            if event is None:
                raise TransientError(f"{options.host}:{options.port} accepts, but says nothing")
            if isinstance(event, Disconnected) and event.generation == self._generation:
                raise TransientError(f"broker {options.host}:{options.port}: {event.reason}")
            if isinstance(event, Connected) and event.generation == self._generation:
                self._greet(event)
                return

    def _greet(self, connected: Connected) -> None:
        assert self._connection is not None
        maximum = min(WINDOW, connected.receive_maximum)
        self._window.restart(maximum - KEPT_FOR_STATUS)
        self._packets.clear()
        self._heard.clear()
        # A wake that came while connecting was passed over; left set, the flag would let none come again.
        self._woken.clear()
        self._connected_ns = self._clock.monotonic_ns()
        down = [down_topic(self._gateway, kind) for kind in (Down.RECEIPT, Down.DESIRED, Down.COMMAND)]
        self._connection.subscribe(down)
        self._beat(hello=True)
        if self._reported is not None:
            self._publish_status(Up.REPORTED, self._reported.model_dump_json().encode())
        self.state.is_connected, self.state.problem = True, ""
        self.state.connects += 1
        log.info("uplink: connected to %s:%d", self._options.host, self._options.port)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._send_waiting()
            event = self._next_event(self._next_due())
            if self._is_stable():
                self._backoff.reset()
            if event is None:
                self._beat_when_due()
                continue
            self._handle(event)

    def _next_event(self, until_ns: int) -> Any:
        self._pulse_ns = self._clock.monotonic_ns()
        wait = (until_ns - self._clock.monotonic_ns()) / SECOND_NS
        try:
            return self._events.get(timeout=max(0.0, wait)) if wait > 0 else self._events.get_nowait()
        except queue.Empty:
            return None

    def _next_due(self) -> int:
        now = self._clock.monotonic_ns()
        soon = now + SECOND_NS  # late receipts and the end of the hello are looked at each second
        return min(self._next_beat_ns, soon)

    def _handle(self, event: Any) -> None:
        generation = getattr(event, "generation", self._generation)
        if generation != self._generation:
            return
        match event:
            case Wake():
                self._woken.clear()
            case Acknowledged():
                self._acknowledged(event)
            case Message():
                self._hear(event)
            case Reported():
                self._publish_status(Up.REPORTED, event.model_dump_json().encode())
            case Subscribed(refused=True):
                log.error(
                    "uplink: the broker refuses our own topics; check the ACL and the certificate's name"
                )
            case Disconnected(reason=reason):
                raise TransientError(f"connection lost: {reason}")
        self._beat_when_due()

    # ---- sending

    def _send_waiting(self) -> None:
        for stream in (Stream.URGENT, Stream.BULK):
            if stream is Stream.BULK and not self._may_send_bulk():
                continue
            self._send_again(stream)
            self._send_new(stream)

    def _may_send_bulk(self) -> bool:
        """Telemetry waits a moment for the cloud to say what it has, so that little is sent twice."""
        waited = self._clock.monotonic_ns() - self._connected_ns
        return Stream.BULK in self._heard or waited > HELLO_WAIT_S * SECOND_NS

    def _send_again(self, stream: Stream) -> None:
        for sequence in self._window.overdue(stream, self._clock.monotonic_ns()):
            if not self._window.has_room():
                return
            raw = self._outbox.message(stream, sequence)
            if raw is None:
                self._window.forget(stream, sequence)
            else:
                self._send(stream, sequence, raw)

    def _send_new(self, stream: Stream) -> None:
        while self._window.may_send_new(stream):
            rows = self._outbox.messages(stream, self._window.after(stream), _FETCH)
            if not rows:
                return
            for sequence, raw in rows:
                if not self._window.may_send_new(stream):
                    return
                self._send(stream, sequence, raw)

    def _send(self, stream: Stream, sequence: int, raw: bytes) -> None:
        assert self._connection is not None
        kind = Up.URGENT if stream is Stream.URGENT else Up.BULK
        packet = self._connection.publish(up_topic(self._gateway, kind), raw)
        if packet is None:
            raise TransientError("connection lost while sending")
        self._packets[packet] = (stream, sequence)
        self._window.sent(stream, sequence, now_ns=self._clock.monotonic_ns())

    def _acknowledged(self, event: Acknowledged) -> None:
        message = self._packets.pop(event.packet, None)
        if message is not None:
            self._window.acknowledged(*message)
        is_refused = event.reason >= REFUSED_FROM
        self.state.refused_messages += is_refused
        if is_refused != self._refusing:
            self._refusing = is_refused
            if is_refused:
                log.error(
                    "uplink: the broker refuses our messages (reason 0x%02x); check its ACL", event.reason
                )
            else:
                log.info("uplink: the broker takes our messages again")

    # ---- status

    def _is_stable(self) -> bool:
        return self._clock.monotonic_ns() - self._connected_ns >= STABLE_S * SECOND_NS

    def _beat_when_due(self) -> None:
        if self._clock.monotonic_ns() >= self._next_beat_ns:
            self._beat(hello=False)

    def _beat(self, *, hello: bool) -> None:
        self._next_beat_ns = self._clock.monotonic_ns() + self._heartbeat_ns
        self._publish_status(Up.HEALTH, self._health(Presence.ONLINE, hello).model_dump_json().encode())

    def _publish_status(self, kind: Up, payload: bytes) -> None:
        if self._connection is not None:
            self._connection.publish(up_topic(self._gateway, kind), payload, retain=True)

    def _close(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if self._stopping.is_set() and self.state.is_connected:
            self._say_goodbye(connection)
        self.state.is_connected, self._connection = False, None
        connection.close()

    def _say_goodbye(self, connection: MqttConnection) -> None:
        """Send what waits, then presence offline, with a moment for the broker to take both."""
        with contextlib.suppress(TransientError):
            self._connected_ns -= round(HELLO_WAIT_S * SECOND_NS)
            self._send_waiting()
        payload = self._health(Presence.OFFLINE, False).model_dump_json().encode()
        packet = connection.publish(up_topic(self._gateway, Up.HEALTH), payload, retain=True)
        deadline = self._clock.monotonic_ns() + SECOND_NS
        while packet is not None and (event := self._next_event(deadline)) is not None:
            if isinstance(event, Message):
                self._hear(event)
            elif isinstance(event, Acknowledged):
                self._acknowledged(event)
                packet = None if event.packet == packet else packet
        while self._outbox.backlog() and (event := self._next_event(deadline)) is not None:
            if isinstance(event, Message):
                self._hear(event)

    def _note_down(self, problem: str) -> None:
        if self.state.is_connected or self.state.problem != problem:
            log.warning("uplink: %s", problem)
        self.state.is_connected, self.state.problem = False, problem

    # ---- listening

    def _hear(self, message: Message) -> None:
        if message.topic == down_topic(self._gateway, Down.RECEIPT):
            self._hear_receipt(message.payload)
        elif message.topic == down_topic(self._gateway, Down.DESIRED) and message.payload:
            self._on_desired(message.payload)
        elif message.topic == down_topic(self._gateway, Down.COMMAND) and message.payload:
            self._on_command(message.payload)

    def _hear_receipt(self, payload: bytes) -> None:
        try:
            receipt = Receipt.model_validate_json(payload)
        except ValidationError:
            log.warning("uplink: a receipt that cannot be read (%d bytes)", len(payload))
            return
        epoch = self._outbox.epoch
        self._outbox.receive(receipt)
        self.state.last_receipt_at = self._clock.wall_ns()
        self._heard.add(receipt.stream)
        if self._outbox.epoch != epoch:
            self._window.restart(WINDOW - KEPT_FOR_STATUS)
            self._beat(hello=True)
        elif receipt.epoch == epoch:
            self._window.received(receipt.stream, receipt.through, {*receipt.beyond, *receipt.quarantined})
