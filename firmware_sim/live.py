"""A live run: devices serve, hazards take their course, people answer. Ends on SIGTERM or SIGINT.

Says what happens as JSON lines on standard output. When a file `calm` appears in the plan's folder, nothing
new begins; the devices serve on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from firmware_sim.device import Device
from firmware_sim.ledger import Ledger, read_ledger
from firmware_sim.modbus_devices import ModbusDevices
from firmware_sim.mqtt_devices import MqttDevice
from firmware_sim.people import hire, take_turns
from firmware_sim.plan import CALM_FILE, GO_FILE, Plan
from firmware_sim.street import Street

PEOPLE_LOOK_EVERY_S = 1.0
MQTT_PERIOD_S = 1.0
Clock = Callable[[], float]


def say(event: str, **about: Any) -> None:
    """One JSON line for whoever started us."""
    print(json.dumps({"event": event} | about, ensure_ascii=False), flush=True)


class LiveRun:
    """Wires a plan to sockets and clocks. `now_s` tells UTC seconds."""

    def __init__(self, plan: Plan, street: Street, now_s: Clock = time.time) -> None:
        self._plan, self._street, self._now_s = plan, street, now_s
        told = read_ledger(plan.ledger_file)
        self._counters = {name: device.highest for name, device in told.items()}
        self._ledger = Ledger(plan.ledger_file)
        self._ended = threading.Event()
        self._modbus: list[ModbusDevices] = []
        self._mqtt: list[MqttDevice] = []
        self._devices = 0

    def run(self, address: str | None) -> None:
        """Serve until told to end; people work only when there is a cloud at `address`."""
        people = threading.Thread(target=self._people, args=(address,), daemon=True)
        if address:
            people.start()
        asyncio.run(self._serve())
        self._ended.set()
        if address:
            people.join(20)
        self._ledger.close()

    async def _serve(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        for gateway in self._plan.scenario.gateways:
            await self._open(gateway.id)
        say("serving", devices=self._devices, began_at_ns=self._plan.began_at_ns)
        tasks = [asyncio.create_task(self._publish(d, i)) for i, d in enumerate(self._mqtt)]
        tasks.append(asyncio.create_task(self._tell_events()))
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close()

    async def _open(self, gateway: str) -> None:
        ports = self._plan.ports[gateway]
        devices = self._street.devices(gateway, self._counters)
        self._devices += len(devices)
        registers: list[Device] = [d for d in devices if d.type.protocol == "modbus"]
        modbus = ModbusDevices(registers, self._plan.units, ports.modbus, self._ledger, self._now_s)
        await modbus.start()
        self._modbus.append(modbus)
        for device in devices:
            if device.type.protocol != "modbus":
                self._mqtt.append(MqttDevice(device, ports.broker, self._ledger, self._now_s))
                self._mqtt[-1].start()

    async def _close(self) -> None:
        for modbus in self._modbus:
            await modbus.stop()
        for _ in range(20):  # a moment for the last acknowledgements
            if not any(device.unanswered for device in self._mqtt):
                break
            await asyncio.sleep(0.05)
        for device in self._mqtt:
            device.stop()

    async def _publish(self, device: MqttDevice, place: int) -> None:
        """Once a second, each device at its own moment of the second."""
        loop = asyncio.get_running_loop()
        due = loop.time() + place * MQTT_PERIOD_S / max(len(self._mqtt), 1)
        while True:
            await asyncio.sleep(max(due - loop.time(), 0.0))
            device.publish()
            due = max(due + MQTT_PERIOD_S, loop.time())

    async def _tell_events(self) -> None:
        """Say when something begins and ends; notice the wish for calm."""
        told: set[tuple[int, str]] = set()
        is_calm = False
        while True:
            since = self._now_s() - self._street.began_s
            if not is_calm and (self._plan.folder / CALM_FILE).exists():
                is_calm = True
                self._street.calm_down(self._now_s())
                say("calm")
            for event in self._street.timeline.events:
                for moment, at_s in (("begins", event.from_s), ("ends", event.to_s)):
                    if at_s <= since and (event.number, moment) not in told:
                        told.add((event.number, moment))
                        where = ", ".join(event.places) or f"{event.device}/{event.channel or '*'}"
                        say(moment, what=event.what, where=where, word=event.word, real=event.is_real)
            await asyncio.sleep(0.5)

    def _people(self, address: str) -> None:
        workers = hire(self._street, self._plan.people(), address, say)
        while not self._ended.wait(PEOPLE_LOOK_EVERY_S):
            take_turns(workers, self._now_s(), say)


def run_live(plan: Plan, address: str | None, *, hold: bool = False) -> None:
    """Begin the plan's run, or go on with one that was killed. Held, it begins when a file `go` appears."""
    while hold and not (plan.folder / GO_FILE).exists():
        time.sleep(0.05)
    plan, street = plan.begin(time.time_ns())
    with contextlib.suppress(BrokenPipeError):
        LiveRun(plan, street).run(address)
    sys.stdout.flush()
