"""Sensors: lag, noise and steps between what is and what a device tells."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from firmware_sim.chance import Chance
from firmware_sim.device_types import ChannelType

Floats = NDArray[np.float64]
_LIMITS = {
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
}
_FORMATS = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}


class Lag:
    """First-order lag: after a step, 63 % of it has arrived after `lag_s`.

    >>> lag = Lag(10.0)
    >>> lag.follow(0.0, at_s=0.0), round(lag.follow(1.0, at_s=10.0), 3)
    (0.0, 0.632)
    """

    def __init__(self, lag_s: float) -> None:
        self._lag_s = lag_s
        self._value: float | None = None
        self._at_s = 0.0

    def follow(self, target: float, at_s: float) -> float:
        """What the sensor has come to by `at_s`; the first call starts where the target is."""
        if self._value is None or self._lag_s <= 0:
            self._value = target
        else:
            passed = max(at_s - self._at_s, 0.0)
            self._value += (target - self._value) * (1.0 - float(np.exp(-passed / self._lag_s)))
        self._at_s = at_s
        return self._value


def with_noise(channel: ChannelType, key: str, values: Floats, index: Floats, chance: Chance) -> Floats:
    """Values with the sensor's own noise, kept inside what the channel can be."""
    if channel.noise <= 0:
        return values
    noisy = values + channel.noise * chance.normal(key, index)
    low = -np.inf if channel.minimum is None else channel.minimum
    high = np.inf if channel.maximum is None else channel.maximum
    return np.asarray(np.clip(noisy, low, high))


def registers_of(channel: ChannelType, value: float) -> tuple[float, list[int]]:
    """The raw number a register device serves for `value`, and its words, big end first.

    >>> from firmware_sim.device_types import load_device_types
    >>> air = load_device_types()["freezer"].channels[0]
    >>> registers_of(air, -18.04)
    (-180.0, [65356])
    """
    raw: float = value / channel.scale
    if channel.type == "float32":
        packed = struct.pack(">f", raw)
    else:
        low, high = _LIMITS[channel.type]
        packed = struct.pack(_FORMATS[channel.type], int(min(max(round(raw), low), high)))
    words = list(struct.unpack(f">{len(packed) // 2}H", packed))
    return float(struct.unpack(_FORMATS[channel.type], packed)[0]), words


def number_of(channel: ChannelType, value: float) -> float:
    """The raw number an MQTT device prints for `value`: rounded to the decimals of its step."""
    steps = round(value / channel.scale / channel.step)
    decimals = max(0, -int(np.floor(np.log10(channel.step) + 1e-9)))
    return round(steps * channel.step, decimals)
