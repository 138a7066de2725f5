"""bacpypes3, wrapped: asks BACnet/IP devices from a thread that has no event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple, TypeVar

from edge_agent.drivers.seam import DriverError

# A name for ourselves on the network; nobody asks us anything, so it need not be unique.
_OUR_INSTANCE = 4_194_302
# Fits into the smallest answer in common use (480 bytes) without segmentation.
_OBJECTS_AT_ONCE = 10
_Result = TypeVar("_Result")


class Point(NamedTuple):
    """What an object said: its value, and why not to believe it, if so."""

    value: float
    doubt: str = ""


class Found(NamedTuple):
    """A device that answered who-is."""

    instance: int
    address: str


class BacnetClient:
    """One UDP port and its event loop, which runs only while somebody waits for an answer."""

    def __init__(self, local: str, timeout_s: float) -> None:
        self._local, self._timeout_s = local, timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: Any = None
        self._asks_singly = False

    def open(self) -> None:
        """Take the local port. DriverError when it is not to be had."""
        logging.getLogger("bacpypes3").setLevel(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        try:
            self._loop.run_until_complete(self._begin())
        except (OSError, ValueError) as wrong:
            self.close()
            raise DriverError(f"BACnet cannot use {self._local} here: {wrong}") from wrong

    def close(self) -> None:
        """Let go; never raises."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        with contextlib.suppress(Exception):
            loop.run_until_complete(self._end())
        loop.close()

    def points(self, address: str, objects: Sequence[str]) -> list[Point]:
        """Present value and status flags of objects (`analog-input,1`). DriverError when nobody answers."""
        if not self._asks_singly:
            found = self._wait(self._together(address, objects), address)
            if found is not None:
                return found
            self._asks_singly = True
        return self._wait(self._singly(address, objects), address)

    def property(self, address: str, object_: str, name: str) -> Any:
        """One property of an object; None when there is none."""
        return self._wait(self._property(address, object_, name), address)

    def who_is(self, address: str | None, listen_s: float) -> list[Found]:
        """Devices that answer, on the local network or at one address."""
        from bacpypes3.pdu import Address

        async def ask() -> list[Any]:
            target = Address(address) if address else None
            return list(await self._app.who_is(address=target, timeout=listen_s))

        answers = self._wait(ask(), address or "the local network", listen_s + 1)
        return [Found(int(a.iAmDeviceIdentifier[1]), str(a.pduSource)) for a in answers]

    def _wait(self, asked: Awaitable[_Result], address: str, limit_s: float | None = None) -> _Result:
        if self._loop is None:
            asked.close()  # type: ignore[attr-defined]
            raise DriverError("not connected")
        limited = asyncio.wait_for(asked, self._timeout_s if limit_s is None else limit_s)
        try:
            return self._loop.run_until_complete(limited)
        except TimeoutError as silent:
            raise DriverError(
                f"no BACnet device answers at {address}; check power, cable, address, and that no firewall "
                "stops UDP 47808"
            ) from silent
        except OSError as wrong:
            raise DriverError(f"BACnet to {address}: {wrong}") from wrong

    async def _begin(self) -> None:
        from bacpypes3.ipv4.app import NormalApplication
        from bacpypes3.local.device import DeviceObject
        from bacpypes3.pdu import IPv4Address

        ours = DeviceObject(
            objectIdentifier=("device", _OUR_INSTANCE), objectName="lastmile", vendorIdentifier=999
        )
        self._app = NormalApplication(ours, IPv4Address(self._local))
        await asyncio.sleep(0)

    async def _end(self) -> None:
        if self._app is not None:
            self._app.close()
            self._app = None
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _together(self, address: str, objects: Sequence[str]) -> list[Point] | None:
        """By ReadPropertyMultiple; None for a device that does not know it or cannot fit the answer."""
        from bacpypes3.apdu import ErrorRejectAbortNack
        from bacpypes3.pdu import Address
        from bacpypes3.vendor import get_vendor_info

        points: list[Point] = []
        for start in range(0, len(objects), _OBJECTS_AT_ONCE):
            some = objects[start : start + _OBJECTS_AT_ONCE]
            wanted: list[Any] = []
            for object_ in some:
                wanted += [object_, ["present-value", "status-flags"]]
            try:
                told = await self._app.read_property_multiple(
                    Address(address), wanted, vendor_info=get_vendor_info(0)
                )
            except ErrorRejectAbortNack:
                return None
            if not isinstance(told, list) or len(told) != 2 * len(some):
                return None
            points += [point_of(told[2 * i][3], told[2 * i + 1][3]) for i in range(len(some))]
        return points

    async def _singly(self, address: str, objects: Sequence[str]) -> list[Point]:
        return [
            point_of(
                await self._property(address, object_, "present-value"),
                await self._property(address, object_, "status-flags"),
            )
            for object_ in objects
        ]

    async def _property(self, address: str, object_: str, name: str) -> Any:
        from bacpypes3.apdu import ErrorRejectAbortNack
        from bacpypes3.pdu import Address

        try:
            told = await self._app.read_property(Address(address), object_, name)
        except ErrorRejectAbortNack as refused:
            return refused
        return told


def point_of(value: Any, flags: Any) -> Point:
    """What to believe. An object out of service, overridden or in fault does not tell what is measured.

    >>> point_of(21.5, [1, 0, 0, 0]), point_of(21.5, [0, 0, 1, 0])
    (Point(value=21.5, doubt=''), Point(value=nan, doubt='overridden'))
    """
    if isinstance(value, Exception) or hasattr(value, "errorCode"):
        return Point(math.nan, str(getattr(value, "errorCode", value)))
    try:
        number = float(value)
    except (TypeError, ValueError):
        return Point(math.nan, f"{value!r} is no number")
    words = ("in alarm", "fault", "overridden", "out of service")
    try:
        raised = [word for word, flag in zip(words, list(flags), strict=False) if flag]
    except TypeError:
        raised = []  # objects need not have flags
    doubts = [word for word in raised if word != "in alarm"]
    return Point(math.nan, ", ".join(doubts)) if doubts else Point(number)
