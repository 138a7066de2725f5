"""A backlog as a gateway makes it: hours without a cloud, at accelerated time, by the agent's own parts.

Calibration, spool, judge, cutter and outbox are those of `lastmile-edge run`, on a clock moved by hand.
What the devices measured is kept, to compare with what the cloud holds in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_agent.drivers.seam import Batch
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.calibration import Calibration
from edge_agent.settings import load_settings
from edge_agent.state import StateFolder
from models.clock import SECOND_NS, ClockState, VirtualClock
from models.configuration import DeviceConfig
from models.readings import Floats

RESOLUTION = 0.1
BELL = 1000.0
CUT_EVERY_S = 5


@dataclass
class Offline:
    """A gateway's days on a clock of their own. `truth`: a row of values a poll, by device."""

    pipeline: Pipeline
    clock: VirtualClock
    devices: tuple[DeviceConfig, ...]
    seed: int = 1
    bell_every_s: int = 0
    seconds: int = 0
    truth: dict[str, list[Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        book, limits = self.pipeline.book, self.pipeline.settings.limits
        numbers = {name: entry.number for name, entry in book.by_name.items()}
        self._calibrations = [
            Calibration(device, numbers, late_s=limits.late_s, ahead_s=limits.ahead_s)
            for device in self.devices
        ]
        self._chance = np.random.default_rng(self.seed)
        self._level = [self._chance.normal(20, 5, len(device.channels)) for device in self.devices]

    def run(self, seconds: int) -> int:
        """Let the gateway live so long, each device read once a second; readings that were made."""
        made = 0
        for _ in range(seconds):
            for place, device in enumerate(self.devices):
                made += self._poll(place, device)
            while self.pipeline.judge.step():
                pass
            self.clock.sleep(1.0)
            self.seconds += 1
            if self.seconds % CUT_EVERY_S == 0:
                self.pipeline.cutter.step()
                self.pipeline.tidy()
        return made

    def values(self, channel: str) -> Floats:
        """All that was measured of a channel, in the order measured."""
        device, place = channel.split("/c")
        return np.array([row[int(place)] for row in self.truth[device]])

    def channels(self) -> list[str]:
        """Names of all channels."""
        return [channel.name for device in self.devices for channel in device.channels]

    def _poll(self, place: int, device: DeviceConfig) -> int:
        """One answer of a device: levels that wander under noise; the first channel may ring."""
        size = len(device.channels)
        level = self._level[place]
        level += self._chance.normal(0, 0.02, size)
        raw = level + self._chance.normal(0, 0.15, size)
        if self.bell_every_s and self.seconds % self.bell_every_s < 5:
            raw[0] = BELL
        block = self._calibrations[place].block(
            Batch(np.arange(size, dtype=np.int32), raw),
            wall_ns=self.clock.wall_ns(),
            monotonic_ns=self.clock.monotonic_ns(),
            state=ClockState.TRUSTED,
        )
        self.pipeline.spool.append(block, device.name, None)
        self.truth.setdefault(device.name, []).append(block.value)
        return size


@contextmanager
def offline(state: Path, hours: float, *, bell_every_s: int = 0, ending_ns: int) -> Iterator[Offline]:
    """Open a gateway's state `hours` before `ending_ns`, in another boot than this machine's."""
    folder = StateFolder(state)
    settings = load_settings(folder.settings)
    clock = VirtualClock(ending_ns - round(hours * 3600) * SECOND_NS, boot="0f" * 16)
    pipeline = Pipeline.open(folder, settings, clock)
    devices = tuple(d for d in pipeline.in_force.document.devices if d.name.startswith("plc"))
    try:
        yield Offline(pipeline, clock, devices, bell_every_s=bell_every_s)
        pipeline.judge.stop()
        pipeline.cutter.step(final=True)
        pipeline.tidy()
    finally:
        pipeline.close()


def plc_settings(devices: int, channels: int, port: int = 1) -> str:
    """Devices as gateway.toml says them: Modbus at a port where nobody need answer. `plcN/c0` has a bell."""
    text = ""
    for device in range(devices):
        text += (
            f'[[devices]]\nname = "plc{device}"\ndriver = "modbus_tcp"\nperiod_s = 1.0\n'
            f'settings = {{ host = "127.0.0.1", port = {port} }}\n'
        )
        for channel in range(channels):
            text += (
                f'[[devices.channels]]\nname = "plc{device}/c{channel}"\nkind = "load"\n'
                f'source = {{ register = {channel}, table = "input" }}\n'
                f"resolution = {RESOLUTION}\nminimum = -1e6\nmaximum = 1e6\n"
            )
        text += (
            f'[[monitors]]\nname = "plc{device}-bell"\ndetector = "limit"\nparameters = {{ high = 500 }}\n'
            f'channels = ["plc{device}/c0"]\nhazard = "fire"\n'
            "trigger = { on = 3.0, on_delay_s = 1, off_delay_s = 1 }\n"
        )
    return text
