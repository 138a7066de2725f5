"""paho-mqtt, wrapped: one object is one connection. The only file that imports it.

A callback does nothing but put an event into a queue; an exception in one would end paho's thread unseen.
Every event carries the connection's generation, so what belongs to an earlier connection is told apart
(a packet number means another message after a reconnect).
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.tls import Now, client_context
from models.errors import TransientError

REFUSED_FROM = 0x80  # MQTT 5 reason codes from here on mean failure
INBOUND_WINDOW = 20


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What mutual TLS needs; `now` tells the time by which the broker's certificate is judged."""

    ca: Path
    certificate: Path
    key: Path
    now: Now


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we vanish; retained."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How to reach a broker. Without `tls` the connection is plain."""

    host: str
    port: int
    client_id: str
    tls: TlsFiles | None = None
    will: Will | None = None
    keepalive_s: int = 30
    session_expiry_s: int = 3600
    connect_timeout_s: float = 5.0
    manual_ack: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Connected:
    generation: int
    session_present: bool
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker's PUBACK; `reason` from 0x80 on means that it refused the message."""

    generation: int
    packet: int
    reason: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    generation: int
    refused: bool


@dataclass(frozen=True, slots=True)
class Message:
    generation: int
    packet: int
    topic: str
    payload: bytes
    qos: int
    dup: bool
    retained: bool = False


ConnectionEvent = Connected | Disconnected | Acknowledged | Subscribed | Message


class MqttConnection:
    """One connection to a broker, MQTT 5, never reconnecting by itself."""

    def __init__(self, options: ConnectionOptions, events: queue.Queue[Any], generation: int) -> None:
        self.generation = generation
        self._options, self._events = options, events
        self._is_closed = threading.Event()
        self.has_overflowed = False  # whether events were left out
        self._client = self._make_client(options)

    def connect(self) -> None:
        """Reach the broker; `Connected` or `Disconnected` follows as an event. TransientError when it
        cannot be reached at all; the message says what to check. Waits for names and for TLS."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        options = self._options
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = options.session_expiry_s
        properties.ReceiveMaximum = INBOUND_WINDOW
        try:
            self._client.connect(
                options.host, options.port, options.keepalive_s, clean_start=False, properties=properties
            )
        except ssl.SSLError as refused:
            raise TransientError(
                f"TLS with {options.host}:{options.port} failed: {refused.reason or refused}; "
                "check the certificates in identity/ and the clock"
            ) from refused
        except OSError as unreachable:
            raise TransientError(
                f"no broker at {options.host}:{options.port}: {unreachable}"
            ) from unreachable
        if self._is_closed.is_set():
            self._client.disconnect()
            return
        self._client.loop_start()

    def connect_soon(self) -> threading.Thread:
        """As `connect`, in a thread of its own, for who must not wait for a name server that is silent.

        Failure comes as `Disconnected`. The thread ends by itself, also when `close` was called meanwhile.
        """
        thread = threading.Thread(target=self._connect_or_say, name="mqtt-connect", daemon=True)
        thread.start()
        return thread

    def _connect_or_say(self) -> None:
        try:
            self.connect()
        except TransientError as wrong:
            self._put(Disconnected(self.generation, str(wrong)))
        except Exception as wrong:  # files of the identity that cannot be read, a name that is none
            self._put(Disconnected(self.generation, f"cannot connect: {wrong!r}"))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Send at QoS 1; the packet's number, or None when the connection is gone."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        return info.mid if info.rc == 0 else None

    def subscribe(self, topics: list[str], qos: int = 1) -> None:
        self._client.subscribe([(topic, qos) for topic in topics])

    def acknowledge(self, packet: int) -> None:
        """PUBACK for a message of this very connection (manual acknowledgement)."""
        self._client.ack(packet, 1)

    def close(self, limit_s: float = 2.0) -> None:
        """Disconnect, and wait for the library's thread no longer than `limit_s`; never raises."""
        self._is_closed.set()
        with contextlib.suppress(Exception):
            self._client.disconnect()
        # loop_stop() joins without a limit and can hang with unacknowledged messages.
        stopper = threading.Thread(target=self._client.loop_stop, name="mqtt-close", daemon=True)
        stopper.start()
        stopper.join(limit_s)

    def _make_client(self, options: ConnectionOptions) -> Any:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=options.manual_ack,
        )
        client.connect_timeout = options.connect_timeout_s
        client.suppress_exceptions = True
        if options.tls is not None:
            files = options.tls
            context = client_context(
                files.now, authority=files.ca, certificate=files.certificate, key=files.key
            )
            client.tls_set_context(context)
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if options.will is not None:
            client.will_set(options.will.topic, options.will.payload, qos=1, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_message = self._on_publish, self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = _send_at_once
        return client

    def _put(self, event: ConnectionEvent) -> None:
        # A full queue means the program is far behind; messages left out here are sent again by the broker.
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self.has_overflowed = True

    def _on_connect(self, client: Any, _userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.value >= REFUSED_FROM:
            self._put(Disconnected(self.generation, f"refused: {reason}"))
            return
        maximum = int(getattr(properties, "ReceiveMaximum", 65535))
        self._put(Connected(self.generation, bool(flags.session_present), maximum))

    def _on_disconnect(self, client: Any, _userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._put(Disconnected(self.generation, str(reason)))

    def _on_publish(self, client: Any, _userdata: Any, packet: int, reason: Any, properties: Any) -> None:
        self._put(Acknowledged(self.generation, packet, int(reason.value)))

    def _on_subscribe(self, client: Any, _userdata: Any, packet: int, reasons: Any, properties: Any) -> None:
        self._put(Subscribed(self.generation, any(reason.value >= REFUSED_FROM for reason in reasons)))

    def _on_message(self, client: Any, _userdata: Any, message: Any) -> None:
        self._put(
            Message(
                self.generation,
                message.mid,
                message.topic,
                bytes(message.payload),
                message.qos,
                bool(message.dup),
                bool(message.retain),
            )
        )


def _send_at_once(_client: Any, _userdata: Any, opened: Any) -> None:
    """Small packets wait up to 40 ms for company otherwise."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
