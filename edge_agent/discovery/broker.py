"""Listens to everything that a broker passes on, for a while."""

from __future__ import annotations

import queue
import uuid
from typing import Any

from edge_agent.drivers.seam import DriverError
from edge_agent.mqtt_connection import (
    Connected,
    ConnectionOptions,
    Disconnected,
    Message,
    MqttConnection,
    Subscribed,
)
from models.clock import SECOND_NS, Clock
from models.errors import TransientError

MAX_TOPICS = 5000
MAX_PAYLOAD = 4 << 20


def listen(
    host: str,
    port: int,
    clock: Clock,
    wait_s: float,
    username: str | None = None,
    password: str | None = None,
) -> dict[str, bytes]:
    """The last message on each topic, kept ones included. DriverError when the broker does not let us."""
    events: queue.Queue[Any] = queue.Queue(10_000)
    name = f"lastmile-discover-{uuid.uuid4().hex[:8]}"
    options = ConnectionOptions(host, port, name, session_expiry_s=0, username=username, password=password)
    connection = MqttConnection(options, events, 1)
    try:
        connection.connect()
        return _collect(connection, events, clock, wait_s)
    except TransientError as wrong:
        raise DriverError(str(wrong)) from wrong
    finally:
        connection.close()


def _collect(
    connection: MqttConnection, events: queue.Queue[Any], clock: Clock, wait_s: float
) -> dict[str, bytes]:
    heard: dict[str, bytes] = {}
    deadline = clock.monotonic_ns() + round(wait_s * SECOND_NS)
    while (left := (deadline - clock.monotonic_ns()) / SECOND_NS) > 0:
        try:
            event = events.get(timeout=left)
        except queue.Empty:
            break
        match event:
            case Connected():
                connection.subscribe(["#"], 0)
            case Subscribed(refused=True):
                raise DriverError("the broker lets us not listen to all topics; check its access list")
            case Disconnected(reason=reason):
                raise DriverError(f"the broker ended the connection: {reason}; check user and password")
            case Message(topic=topic, payload=payload):
                if (topic in heard or len(heard) < MAX_TOPICS) and len(payload) <= MAX_PAYLOAD:
                    heard[topic] = payload
    return heard
