"""A microcontroller with a few sensors on a serial line: the firmware's loop, without the hardware."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import BinaryIO

from firmware_sim.device import Device
from firmware_sim.device_types import ChannelType
from firmware_sim.serial_line import DESCRIPTION, READINGS, description, frame, readings

DESCRIBE_EVERY_S = 60.0


class SerialNode:
    """Writes a device's samples as frames to `line`, a port opened for writing without a buffer.

    `copies`: how often each frame is sent, to make up for a bad line. Numbers go out as the device counts
    them (raw = value / scale), so a gateway applies the channel's scale.
    """

    def __init__(
        self,
        device: Device,
        line: BinaryIO,
        *,
        node: int,
        boot: int,
        now_s: Callable[[], float],
        copies: int = 1,
        describe_every_s: float = DESCRIBE_EVERY_S,
    ) -> None:
        self._device, self._line, self._now_s = device, line, now_s
        self._node, self._boot, self._copies = node, boot, copies
        self._sequence = 0
        self._describe_every_s = describe_every_s
        self._described_at = -math.inf

    def step(self) -> None:
        """One turn of the firmware: describe itself when it is time, measure, send; nothing while away."""
        now_s = self._now_s()
        if self._device.is_silent(now_s):
            return
        if now_s - self._described_at >= self._describe_every_s:
            self._described_at = now_s
            self._send(DESCRIPTION, description(self._device.name, self._channels()))
        sample = self._device.sample(now_s)
        kinds = self._device.type.channels
        raw = {number: sample.raw[channel.name] for number, channel in enumerate(kinds, 1)}
        self._send(READINGS, readings({number: _counted(value) for number, value in raw.items()}))

    def _send(self, kind: int, body: bytes) -> None:
        whole = frame(kind, self._node, self._boot, self._sequence, body)
        self._sequence += 1
        for _ in range(self._copies):
            self._line.write(whole)

    def _channels(self) -> list[tuple[int, int, str, str]]:
        return [
            (number, _exponent(channel), channel.kind, channel.unit)
            for number, channel in enumerate(self._device.type.channels, 1)
        ]


def _counted(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(value)


def _exponent(channel: ChannelType) -> int:
    return round(math.log10(channel.scale))
