"""Devices that publish to their gateway's local broker, each over a connection of its own.

A sample is *sure* when the broker acknowledges it (QoS 1) with success. Reason "no matching subscribers"
means that nobody was there to have it: never sure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from firmware_sim.device import Device
from firmware_sim.document import topic_of
from firmware_sim.ledger import Ledger
from firmware_sim.payloads import payload

SUCCESS = ReasonCode(PacketTypes.PUBACK, "Success")


class MqttDevice:
    """One device: publishes a sample each time it is told to, while it is connected and not silent."""

    def __init__(self, device: Device, broker_port: int, ledger: Ledger, now_s: Callable[[], float]) -> None:
        self._device, self._ledger, self._now_s = device, ledger, now_s
        self._topic = topic_of(device.type.protocol, device.name)
        self._open: dict[int, int] = {}
        self._guard = threading.Lock()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"device-{device.name}", protocol=mqtt.MQTTv5
        )
        self._client.on_publish = self._acknowledged
        self._client.reconnect_delay_set(1, 5)
        self._client.connect_async("127.0.0.1", broker_port, keepalive=30)

    def start(self) -> None:
        self._client.loop_start()

    def publish(self) -> bool:
        """Measure and publish now; false when it is away or not connected (then nothing was told)."""
        now_s = self._now_s()
        if self._device.is_silent(now_s) or not self._client.is_connected():
            return False
        sample = self._device.sample(now_s)
        self._ledger.tell(self._device.name, sample.counter, round(now_s * 1e9), sample.raw)
        bytes_ = payload(self._device.name, self._device.type, sample, now_s)
        with self._guard:
            told = self._client.publish(self._topic, bytes_, qos=1)
            self._open[told.mid] = sample.counter
        return True

    @property
    def unanswered(self) -> int:
        """Samples published and not acknowledged yet."""
        with self._guard:
            return len(self._open)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _acknowledged(
        self, client: Any, userdata: Any, mid: int, reason: ReasonCode, properties: Any
    ) -> None:
        with self._guard:
            number = self._open.pop(mid, None)
        if number is not None and reason == SUCCESS:
            self._ledger.confirm(self._device.name, number)
