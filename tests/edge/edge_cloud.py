"""A small stand-in for the cloud's ingest: stores identities once, sends receipts after storing."""

from __future__ import annotations

import threading
from typing import Any

from models.identity import MessageIdentity, Stream
from models.wire.columns import decode_columns
from models.wire.envelope import Envelope, Kind, open_envelope
from models.wire.messages import Health, Receipt, Reported
from models.wire.topics import Down, down_topic


class Receiver:
    """Hears one gateway at a broker without TLS. `answers`: whether receipts are sent."""

    def __init__(self, port: int, gateway: str = "gw-1") -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.answers = True
        self.stored: dict[MessageIdentity, Envelope] = {}
        self.conflicts = 0
        self.arrivals = 0
        self.health: list[Health] = []
        self.reported: list[Reported] = []
        self._gateway, self._lock = gateway, threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(f"lm/1/{gateway}/up/#", 1)
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, kind: Down, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(down_topic(self._gateway, kind), payload, qos=1, retain=retain).wait_for_publish(
            5
        )

    def receipt(self, stream: Stream) -> None:
        with self._lock:
            mine = [i for i in self.stored if i.stream is stream]
            if not mine:
                return
            epoch = max(mine, key=lambda i: i.sequence).epoch
            have = {i.sequence for i in mine if i.epoch == epoch}
        through = 0
        while through + 1 in have:
            through += 1
        beyond = tuple(sorted(n for n in have if n > through))
        said = Receipt(epoch=epoch, stream=stream, through=through, beyond=beyond, sent_at=0)
        self._client.publish(down_topic(self._gateway, Down.RECEIPT), said.model_dump_json(), qos=1)

    def of(self, kind: Kind) -> list[Envelope]:
        with self._lock:
            return [e for e in sorted(self.stored.values(), key=lambda e: e.identity) if e.kind == kind]

    def readings(self) -> list[float]:
        """Values of every reading stored, in the order of the stream."""
        return [float(v) for e in self.of(Kind.TELEMETRY) for v in decode_columns(e.body).value]

    def _hear(self, client: Any, _: Any, message: Any) -> None:
        kind = message.topic.rsplit("/", 1)[1]
        if kind == "health":
            self._hear_health(Health.model_validate_json(message.payload))
        elif kind == "reported":
            self.reported.append(Reported.model_validate_json(message.payload))
        else:
            self._store(open_envelope(bytes(message.payload)))

    def _hear_health(self, health: Health) -> None:
        self.health.append(health)
        if health.hello and self.answers:
            for stream in Stream:
                self.receipt(stream)

    def _store(self, envelope: Envelope) -> None:
        with self._lock:
            self.arrivals += 1
            known = self.stored.setdefault(envelope.identity, envelope)
            self.conflicts += known.digest != envelope.digest
        if self.answers:
            self.receipt(envelope.identity.stream)
