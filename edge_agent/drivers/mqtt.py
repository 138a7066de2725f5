"""Devices that publish JSON to a local broker, as Zigbee2MQTT and many others do."""

from __future__ import annotations

import itertools
import json
import logging
import queue
from typing import Any, Literal

from pydantic import Field

from edge_agent.drivers.json_paths import as_number, find
from edge_agent.drivers.options import read_options, source_text
from edge_agent.drivers.redelivery import Redelivery
from edge_agent.drivers.seam import Batch, DriverError
from edge_agent.drivers.stamps import parse_stamp
from edge_agent.mqtt_connection import (
    Connected,
    ConnectionOptions,
    Disconnected,
    Message,
    MqttConnection,
    Subscribed,
)
from models.clock import SECOND_NS, Clock
from models.configuration import DeviceConfig, Strict
from models.errors import TransientError, WireError

log = logging.getLogger(__name__)
_QUEUED_EVENTS = 1000
_SESSION_EXPIRY_S = 86400


class MqttOptions(Strict):
    """Settings of a device behind a broker."""

    host: str
    port: int = Field(default=1883, ge=1, le=65535)
    topic: str = Field(min_length=1)
    qos: Literal[0, 1] = 1
    client_id: str | None = Field(default=None, description="unique at the broker; it names the session")
    username: str | None = None
    password: str | None = None
    time_path: str | None = None
    counter_path: str | None = None


class MqttDriver:
    """A persistent session, acknowledged by hand once the spool has the readings.

    What the session was sent while we were away is delivered at the next connect. A message that cannot be
    read is acknowledged and counted in the log, so that it jams nothing.
    """

    is_polled = False
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self._options = read_options(device, MqttOptions)
        self._sources = [source_text(device, i, self._source_words) for i in range(len(device.channels))]
        self._generations = itertools.count(1)
        self._events: queue.Queue[Any] = queue.Queue(_QUEUED_EVENTS)
        self._connection: MqttConnection | None = None
        self._seen = Redelivery(None)
        self._unreadable = 0

    _source_words = "a JSON path"

    def open(self, cursor: str | None) -> None:
        self._seen = Redelivery(cursor)
        options = self._options
        self._events = queue.Queue(_QUEUED_EVENTS)
        connection = MqttConnection(
            ConnectionOptions(
                options.host,
                options.port,
                options.client_id or f"lastmile-{self._device.name}",
                session_expiry_s=_SESSION_EXPIRY_S,
                manual_ack=True,
                username=options.username,
                password=options.password,
            ),
            self._events,
            next(self._generations),
        )
        self._connection = connection
        try:
            connection.connect()
        except TransientError as wrong:
            raise DriverError(str(wrong)) from wrong

    def read(self, wait_s: float) -> Batch | None:
        deadline = self._clock.monotonic_ns() + round(wait_s * SECOND_NS)
        while (left := (deadline - self._clock.monotonic_ns()) / SECOND_NS) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                return None
            batch = self._handle(event)
            if batch is not None:
                return batch
        return None

    def taken(self, batch: Batch) -> None:
        connection = self._connection
        if connection is None or not isinstance(batch.token, Message):
            return
        if batch.token.qos > 0 and batch.token.generation == connection.generation:
            connection.acknowledge(batch.token.packet)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _handle(self, event: object) -> Batch | None:
        match event:
            case Connected():
                if self._connection is not None:
                    self._connection.subscribe([self._options.topic], self._options.qos)
            case Subscribed(refused=True):
                raise DriverError(f"the broker refuses the subscription to {self._options.topic}")
            case Disconnected(reason=reason):
                raise DriverError(f"broker {self._options.host}:{self._options.port}: {reason}")
            case Message():
                return self._take(event)
        return None

    def _take(self, message: Message) -> Batch:
        """The batch of a message; an empty one (to acknowledge) for what is unreadable or known."""
        try:
            found = self.decode(message.payload)
            counter = self.counter_of(message.payload)
        except (ValueError, RecursionError, WireError) as wrong:
            self._unreadable += 1
            if self._unreadable == 1:
                log.warning(
                    "device %s: unreadable message on %s: %s", self._device.name, message.topic, wrong
                )
            return Batch.of([], [], token=message)
        self._unreadable = 0
        if not self._seen.is_new(message.topic, counter, message.payload, dup=message.dup):
            return Batch.of([], [], token=message)
        channels, values, times = found
        return Batch.of(channels, values, times, self._seen.cursor(), message)

    def decode(self, payload: bytes) -> tuple[list[int], list[float], list[int] | None]:
        """Channels, values and times (None: unknown) in a payload.

        ValueError or WireError when it cannot be read.
        """
        document = _json(payload)
        present = [(i, find(document, path)) for i, path in enumerate(self._sources)]
        channels = [i for i, value in present if value is not None]
        values = [as_number(value) for _, value in present if value is not None]
        times = None
        if self._options.time_path and channels:
            stamp = find(document, self._options.time_path)
            times = [parse_stamp(stamp)] * len(channels) if stamp is not None else None
        return channels, values, times

    def counter_of(self, payload: bytes) -> int | None:
        """The device's own counter, where one was configured and sent."""
        if not self._options.counter_path:
            return None
        value = find(_json(payload), self._options.counter_path)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def _json(payload: bytes) -> Any:
    return json.loads(payload)
