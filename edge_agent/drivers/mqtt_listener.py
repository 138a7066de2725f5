"""What all drivers behind a local broker share: session, acknowledging by hand, known messages dropped."""

from __future__ import annotations

import itertools
import logging
import queue
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from edge_agent.drivers.options import read_options
from edge_agent.drivers.redelivery import Redelivery
from edge_agent.drivers.seam import Batch, DriverError
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
from models.errors import TransientError

log = logging.getLogger(__name__)
_QUEUED_EVENTS = 1000


class BrokerOptions(Strict):
    """Where the broker is, and who we are there."""

    host: str
    port: int = Field(default=1883, ge=1, le=65535)
    qos: Literal[0, 1] = 1
    client_id: str | None = Field(default=None, description="unique at the broker; it names the session")
    username: str | None = None
    password: str | None = None
    session_s: int = Field(default=86400, ge=0, description="how long the broker keeps messages for us")


@dataclass(frozen=True, slots=True)
class Heard:
    """Raw samples in a message. `counter` is the device's own, rising under `key` (none: under its topic)."""

    channels: list[int]
    values: list[float]
    times: list[int] | None = None
    counter: int | None = None
    key: str = ""


class MqttListener:
    """A persistent session, acknowledged by hand once the spool has the readings.

    What the session was sent while we were away is delivered at the next connect. A message that cannot be
    read is acknowledged and counted in the log, so that it jams nothing. A driver says what it subscribes to
    (`topics`) and what it makes of a message (`hear`).
    """

    is_polled = False
    owns_time = False
    options_model: ClassVar[type[BrokerOptions]] = BrokerOptions

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self._options: Any = read_options(device, self.options_model)
        self._generations = itertools.count(1)
        self._events: queue.Queue[Any] = queue.Queue(_QUEUED_EVENTS)
        self._connection: MqttConnection | None = None
        self._seen = Redelivery(None)
        self._unreadable = 0
        self._problem = ""

    def topics(self) -> list[str]:
        """What to subscribe to."""
        raise NotImplementedError

    def hear(self, message: Message) -> Heard | None:
        """The samples in a message; None for one that is about something else.

        ValueError or WireError when it cannot be read.
        """
        raise NotImplementedError

    def open(self, cursor: str | None) -> None:
        self._seen = Redelivery(cursor)
        self._problem = ""
        options = self._options
        self._events = queue.Queue(_QUEUED_EVENTS)
        connection = MqttConnection(
            ConnectionOptions(
                options.host,
                options.port,
                options.client_id or f"lastmile-{self._device.name}",
                session_expiry_s=options.session_s,
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
            if self._problem:
                raise DriverError(self._problem)
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                return None
            batch = self._handle(event)
            if batch is not None:
                return batch
        return None

    def taken(self, batch: Batch) -> None:
        if isinstance(batch.token, Message):
            self._acknowledge(batch.token)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def complain(self, problem: str) -> None:
        """Make the next `read` fail with these words: what the device's own bridge says of it."""
        self._problem = problem

    def subscribe(self, topics: list[str]) -> None:
        """Listen to more topics, from now on."""
        if self._connection is not None and topics:
            self._connection.subscribe(topics, self._options.qos)

    def _handle(self, event: object) -> Batch | None:
        match event:
            case Connected():
                self.subscribe(self.topics())
            case Subscribed(refused=True):
                raise DriverError(f"the broker refuses the subscription to {', '.join(self.topics())}")
            case Disconnected(reason=reason):
                raise DriverError(f"broker {self._options.host}:{self._options.port}: {reason}")
            case Message():
                return self._take(event)
        return None

    def _take(self, message: Message) -> Batch | None:
        """The batch of a message; an empty one (to acknowledge) for what is unreadable or known."""
        try:
            heard = self.hear(message)
        except Exception as wrong:  # a stranger's message jams nothing, whatever it breaks
            self._unreadable += 1
            if self._unreadable == 1:
                log.warning(
                    "device %s: unreadable message on %s: %s",
                    self._device.name,
                    message.topic,
                    str(wrong) or repr(wrong),
                )
            return Batch.of([], [], token=message)
        if heard is None:
            self._acknowledge(message)
            return None
        self._unreadable = 0
        key = heard.key or message.topic
        if not self._seen.is_new(key, heard.counter, message.payload, dup=message.dup):
            return Batch.of([], [], token=message)
        return Batch.of(heard.channels, heard.values, heard.times, self._seen.cursor(), message)

    def _acknowledge(self, message: Message) -> None:
        connection = self._connection
        if connection is not None and message.qos > 0 and message.generation == connection.generation:
            connection.acknowledge(message.packet)
