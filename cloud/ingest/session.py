"""One MQTT session with the broker: the only file of the cloud that knows paho.

MQTT 5, a session that outlives the connection, Receive Maximum, and acknowledgement by hand. Callbacks only
hand on; an exception in one would end paho's thread while it still calls itself connected.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud.errors import BrokerError

_log = logging.getLogger(__name__)
_SESSION_DAYS = 14
_KEEPALIVE_S = 20
_RECONNECT_S = (1, 10)
_PUBLISH_S = 5.0
# Retained copies come when a subscription is new, not at every reconnect.
_RETAINED_WHEN_NEW = 1


@dataclass(frozen=True, slots=True)
class Received:
    """A message as the broker gave it. `generation` is the connection it may be acknowledged on."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    mid: int
    generation: int


class BrokerSession:
    """A session named by its certificate. `sink` runs in paho's thread: it neither waits nor raises."""

    def __init__(
        self,
        name: str,
        address: tuple[str, int],
        keys: Path,
        topics: Sequence[str],
        receive_maximum: int,
        sink: Callable[[Received], None],
    ) -> None:
        self.name = name
        self._topics, self._sink = topics, sink
        self._lock = threading.Lock()
        self._generation = 0
        self._connected = threading.Event()
        self._refused: dict[int, str] = {}
        self._client = self._prepare(keys)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = _SESSION_DAYS * 86400
        properties.ReceiveMaximum = receive_maximum
        self._client.connect_async(*address, keepalive=_KEEPALIVE_S, clean_start=False, properties=properties)

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost, until `stop`."""
        self._client.loop_start()

    def stop(self, wait_s: float = 3.0) -> None:
        """Leave the broker; what was not acknowledged comes again next time."""
        self._client.disconnect()
        # loop_stop joins without limit, and hangs while messages are unacknowledged.
        closing = threading.Thread(target=self._client.loop_stop, daemon=True)
        closing.start()
        closing.join(wait_s)

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted us and the connection was not seen to end."""
        return self._connected.is_set()

    def acknowledge(self, received: Received) -> bool:
        """Tell the broker it may forget the message; False when it came on an earlier connection.

        Message ids start anew with each connection, so a late acknowledgement would hit another message.
        """
        if received.qos == 0:
            return True
        with self._lock:
            if received.generation != self._generation:
                return False
            return self._client.ack(received.mid, received.qos) == MQTTErrorCode.MQTT_ERR_SUCCESS

    def tell(self, topic: str, payload: bytes) -> bool:
        """Publish at most once: for what is said again when it gets lost. False when not connected."""
        if not self.is_connected:
            return False
        return self._client.publish(topic, payload, qos=0).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Publish at least once; True when the broker has taken it, False when not so within some seconds."""
        if not self.is_connected:
            return False
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        try:
            info.wait_for_publish(_PUBLISH_S)
        except (RuntimeError, ValueError):
            return False
        # A refusal reads as published too; only the callback's reason tells.
        if reason := self._refused.pop(info.mid, None):
            _log.error("the broker refused a message on %s: %s", topic, reason)
            return False
        return info.is_published()

    def _prepare(self, keys: Path) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.name,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.tls_set_context(_tls_context(self.name, keys / "ca.crt", keys))
        client.reconnect_delay_set(*_RECONNECT_S)
        client.suppress_exceptions = True
        # paho leaves Nagle on: a receipt behind an acknowledgement would wait 40 ms for the other side.
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: Client, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            _log.error("%s: the broker refused the connection: %s", self.name, reason)
            return
        with self._lock:
            self._generation += 1
        self._refused.clear()
        options = SubscribeOptions(qos=1, retainHandling=_RETAINED_WHEN_NEW)
        client.subscribe([(topic, options) for topic in self._topics])
        self._connected.set()
        _log.info("%s: connected, session %s", self.name, "kept" if flags.session_present else "new")

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        # Already here, not at the next connect: an acknowledgement between the two would go out too early.
        with self._lock:
            self._generation += 1
        if self._connected.is_set():
            _log.warning("%s: connection ended: %s", self.name, reason)
        self._connected.clear()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        self._sink(
            Received(topic, message.payload, message.qos, message.retain, message.mid, self._generation)
        )

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused[mid] = str(reason)


def take_over(name: str, address: tuple[str, int], authority: Path, keys: Path) -> None:
    """Connect under a client's name, so that the broker ends its connection and its session; leave at once.

    BrokerError when the broker does not take us within some seconds.
    """
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(_tls_context(name, authority, keys))
    client.suppress_exceptions = True
    answered = threading.Event()
    refusals: list[str] = []

    def on_connect(_client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            refusals.append(str(reason))
        answered.set()

    client.on_connect = on_connect
    try:
        client.connect(*address, keepalive=_KEEPALIVE_S, clean_start=True)
    except OSError as wrong:
        raise BrokerError(f"no broker at {address[0]}:{address[1]}: {wrong}") from wrong
    client.loop_start()
    has_come = answered.wait(_PUBLISH_S)
    client.disconnect()
    client.loop_stop()
    if not has_come or refusals:
        raise BrokerError(f"the broker did not let us take over {name}: {refusals or 'no answer'}")


def _tls_context(name: str, authority: Path, keys: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(str(keys / f"{name}.crt"), str(keys / f"{name}.key"))
    return context


def _send_at_once(_client: Client, _data: Any, opened: Any) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
