"""BACnet/IP devices, read: present values with their status flags."""

from __future__ import annotations

import logging
import re

from pydantic import Field

from edge_agent.drivers.bacnet_client import BacnetClient, Point
from edge_agent.drivers.options import read_options, source_text
from edge_agent.drivers.seam import Batch, DriverError, setting_fault
from models.clock import Clock
from models.configuration import DeviceConfig, Strict

log = logging.getLogger(__name__)
_OBJECT = re.compile(r"^[a-z][a-z-]*,\d{1,7}$")


class BacnetOptions(Strict):
    """Settings of a device. `local`: the address here to speak from; port 0 takes any that is free."""

    host: str = Field(min_length=1)
    port: int = Field(default=47808, ge=1, le=65535)
    local: str = Field(default="0.0.0.0:0", pattern=r"^\d+\.\d+\.\d+\.\d+(/\d+)?:\d+$")
    timeout_s: float = Field(default=3.0, gt=0, le=60)


class BacnetDriver:
    """A channel's source is an object (`analog-input,1`). Active is 1, inactive 0, a multi-state its number.

    A value whose object is in fault, overridden or out of service is marked invalid.
    """

    is_polled = True
    owns_time = False

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self._name, self._options = device.name, read_options(device, BacnetOptions)
        self._objects = [source_text(device, i, "type,instance") for i in range(len(device.channels))]
        for index, name in enumerate(self._objects):
            if not _OBJECT.match(name):
                key = f"channels[{index}].source"
                raise setting_fault(device, key, f"cannot be {name!r}", "such as analog-input,1")
        self._client = BacnetClient(self._options.local, self._options.timeout_s)
        self._address = f"{self._options.host}:{self._options.port}"
        self._doubts: list[str] = [""] * len(self._objects)

    def open(self, cursor: str | None) -> None:
        self._client.open()

    def read(self, wait_s: float) -> Batch | None:
        points = self._client.points(self._address, self._objects)
        self._note(points)
        if all(point.doubt.startswith("unknown") for point in points):
            first = f"{self._objects[0]} is {points[0].doubt}"
            raise DriverError(f"{self._address} answers, but has none of the objects: {first}")
        return Batch.of(list(range(len(points))), [point.value for point in points])

    def taken(self, batch: Batch) -> None:
        """Nobody to tell."""

    def close(self) -> None:
        self._client.close()

    def _note(self, points: list[Point]) -> None:
        """Says when an object begins or ceases to be doubtful."""
        for index, point in enumerate(points):
            if point.doubt != self._doubts[index]:
                self._doubts[index] = point.doubt
                log.warning(
                    "device %s: %s is %s", self._name, self._objects[index], point.doubt or "in order again"
                )
