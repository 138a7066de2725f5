"""The seam between the gateway and a device.

TransientError
└── DriverError    the device did not answer, or not with what was asked; try again later
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.clock import Clock
from models.configuration import DeviceConfig
from models.errors import ConfigurationError, TransientError
from models.readings import Floats, Int32s, Int64s


class DriverError(TransientError):
    """No samples this time. The message says what to check at the device."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Raw samples as the device gave them.

    `channel` int32 (n,): position in the device's list of channels; `value` float64 (n,): uncalibrated, NaN
    where the device gave nothing usable; `time` int64 (n,): ns UTC by the device's own clock, or None when
    it has none. `cursor`, where given, says how to go on after these samples. `token` is the driver's own.
    """

    channel: Int32s
    value: Floats
    time: Int64s | None = None
    cursor: str | None = None
    token: object = None

    @classmethod
    def of(
        cls,
        channel: list[int],
        value: list[float],
        time: list[int] | None = None,
        cursor: str | None = None,
        token: object = None,
    ) -> Batch:
        """A batch from lists of equal length."""
        return cls(
            np.array(channel, np.int32),
            np.array(value, np.float64),
            None if time is None else np.array(time, np.int64),
            cursor,
            token,
        )

    def __len__(self) -> int:
        return len(self.channel)


class Driver(Protocol):
    """Speaks to one device. All calls come from one thread.

    `is_polled`: the sampler asks once a period; otherwise samples come when they come and `read` waits for
    them. `owns_time`: the device's times are the truth however old they are (a recording).
    """

    is_polled: bool
    owns_time: bool

    def open(self, cursor: str | None) -> None:
        """Connect, and go on after `cursor` (None: from now or the beginning). DriverError: try again."""
        ...

    def read(self, wait_s: float) -> Batch | None:
        """Samples, or None when there were none within `wait_s`. DriverError: the sampler closes, waits
        and opens again. An empty batch with a token is legal: nothing to store, but `taken` is called."""
        ...

    def taken(self, batch: Batch) -> None:
        """The spool holds this batch: acknowledge it to the device, if the protocol can. Never raises."""
        ...

    def close(self) -> None:
        """Let go of everything; may be called twice, never raises."""
        ...


class ExhaustedError(DriverError):
    """A recording has ended; there is nothing to try again for."""

    retry = False


class DriverMaker(Protocol):
    """What the table of drivers holds: the driver's class."""

    def __call__(self, device: DeviceConfig, clock: Clock) -> Driver:
        """ConfigurationError (with `key`) when settings or a channel's source do not fit."""
        ...


def setting_fault(device: DeviceConfig, key: str, message: str, expected: str = "") -> ConfigurationError:
    """A fault in a device's `settings` or in a channel's `source`; `key` is relative to the device."""
    return ConfigurationError(f"device {device.name}: {message}", key=key, expected=expected)
