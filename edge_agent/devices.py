"""The devices of the document in force, each with its loop."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.drivers.table import make_driver
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.backoff import Backoff
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import Stamp
from edge_agent.sampler.device_loop import DeviceLoop
from edge_agent.trial.pulse import HeardJournal, Pulse
from models.clock import Clock
from models.configuration import DeviceConfig


@dataclass(slots=True)
class Running:
    """A device's loop and what it was made from."""

    config: DeviceConfig
    loop: DeviceLoop


class Devices:
    """Starts, changes and stops devices; what they give goes into the pipeline's spool."""

    def __init__(self, pipeline: Pipeline, pulse: Pulse, *, clock: Clock, stamp: Callable[[], Stamp]) -> None:
        self._pipeline, self._clock, self._stamp = pipeline, clock, stamp
        self._journal = HeardJournal(pipeline.spool, pulse)
        self._running: dict[str, Running] = {}

    def all(self) -> list[Running]:
        return list(self._running.values())

    def start(self, devices: tuple[DeviceConfig, ...]) -> None:
        for device in devices:
            running = self._make(device)
            self._running[device.name] = running
            running.loop.start()

    def change(self, devices: tuple[DeviceConfig, ...]) -> None:
        """Stop what is gone or differs, start what is new or differs; the rest goes on."""
        wanted = {device.name: device for device in devices}
        changed = [n for n, running in self._running.items() if wanted.get(n) != running.config]
        for name in changed:
            self._running[name].loop.ask_to_stop()
        for name in changed:
            cursor = self._running.pop(name).loop.stop()
            if cursor is not None:
                self._pipeline.cursors[name] = cursor
        self.start(tuple(d for d in devices if d.name not in self._running))

    def stop(self) -> None:
        for running in self._running.values():
            running.loop.ask_to_stop()
        for running in self._running.values():
            running.loop.stop()

    def _make(self, device: DeviceConfig) -> Running:
        driver = make_driver(device, self._clock)
        limits = self._pipeline.settings.limits
        numbers = {c.name: self._pipeline.book.by_name[c.name].number for c in device.channels}
        calibration = Calibration(
            device, numbers, late_s=limits.late_s, ahead_s=limits.ahead_s, owns_time=driver.owns_time
        )
        loop = DeviceLoop(
            device.name,
            driver,
            calibration,
            self._journal,
            period_s=device.period_s,
            clock=self._clock,
            stamp=self._stamp,
            backoff=Backoff(base_s=1.0, ceiling_s=30.0, draw=random.random),
            cursor=self._pipeline.cursors.get(device.name),
            reorder_s=device.reorder_s,
        )
        return Running(device, loop)
