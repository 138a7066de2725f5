"""A bacpypes3 device in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from edge_rig import free_port


class BacnetDevice:
    """Two analog inputs (21.5 Cel, 40 %RH), a binary input (active) and a multi-state value (3)."""

    def __init__(self, *, knows_multiple: bool = True) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.multiple = self.single = 0
        self._knows_multiple = knows_multiple
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Do something to the objects, by name, in the device's own loop."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (change(self.objects), done.set()))
        assert done.wait(5)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(5)

    async def _serve(self) -> None:
        from bacpypes3.errors import UnrecognizedService
        from bacpypes3.ipv4.app import NormalApplication
        from bacpypes3.local.device import DeviceObject
        from bacpypes3.pdu import IPv4Address

        outer = self

        class Application(NormalApplication):
            async def do_ReadPropertyMultipleRequest(self, apdu: Any) -> None:  # noqa: N802 (bacpypes3's name)
                outer.multiple += 1
                if not outer._knows_multiple:
                    raise UnrecognizedService
                await super().do_ReadPropertyMultipleRequest(apdu)

            async def do_ReadPropertyRequest(self, apdu: Any) -> None:  # noqa: N802
                outer.single += 1
                await super().do_ReadPropertyRequest(apdu)

        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        us = DeviceObject(objectIdentifier=("device", 77), objectName="plant", vendorIdentifier=999)
        app = Application(us, IPv4Address(self.address))
        self.objects = _objects()
        for each in self.objects.values():
            app.add_object(each)
        await asyncio.sleep(0.1)
        self._ready.set()
        await self._ended.wait()
        app.close()


def _objects() -> dict[str, Any]:
    from bacpypes3.local.analog import AnalogInputObject
    from bacpypes3.local.binary import BinaryInputObject
    from bacpypes3.local.multistate import MultiStateValueObject

    usual = {"statusFlags": [0, 0, 0, 0], "eventState": "normal", "outOfService": False}
    return {
        "supply": AnalogInputObject(
            objectIdentifier=("analog-input", 1), objectName="supply air", presentValue=21.5,
            units="degreesCelsius", **usual,
        ),
        "humidity": AnalogInputObject(
            objectIdentifier=("analog-input", 2), objectName="return humidity", presentValue=40.0,
            units="percentRelativeHumidity", **usual,
        ),
        "pump": BinaryInputObject(
            objectIdentifier=("binary-input", 1), objectName="pump", presentValue="active",
            polarity="normal", **usual,
        ),
        "mode": MultiStateValueObject(
            objectIdentifier=("multi-state-value", 1), objectName="mode", presentValue=3,
            numberOfStates=4, **usual,
        ),
    }  # fmt: skip
