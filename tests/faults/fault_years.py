"""The agent's own parts on a clock moved by hand, ten seconds a step, for as many days as one wishes.

Spool, judge with the default set of monitors, cutter and outbox are those of `lastmile-edge run`. A small
cloud takes what waits and gives receipts, except in the offline spells.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fault_street import memory_mb

from edge_agent.drivers.seam import Batch
from edge_agent.outbox.outbox import Outbox
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.calibration import Calibration
from edge_agent.settings import load_settings
from edge_agent.state import StateFolder
from models.clock import EARLIEST_NS, SECOND_NS, ClockState, VirtualClock
from models.identity import Stream
from models.wire.messages import Receipt

STEP_S = 10
DAY_S = 86_400
OFFLINE_S = 6 * 3600  # of each day
CHANNELS = 100
_KINDS = (("temperature", "Cel", 21.0, 0.1), ("humidity", "%RH", 45.0, 0.1), ("co2", "ppm", 600.0, 1.0),
          ("power", "W", 300.0, 1.0), ("pressure", "bar", 3.0, 0.001))  # fmt: skip


def settings_text(channels: int = CHANNELS) -> str:
    """A gateway of `channels` channels of five kinds, watched by the default set."""
    text = '[gateway]\nid = "gw-a"\n[limits]\noutbox_mb = 64\n[default_monitors]\n'
    text += '[[devices]]\nname = "plc"\ndriver = "modbus_tcp"\nperiod_s = 1.0\n'
    text += 'settings = { host = "127.0.0.1", port = 1 }\n'
    for number in range(channels):
        kind, unit, _, step = _KINDS[number % len(_KINDS)]
        text += (
            f'[[devices.channels]]\nname = "plc/c{number}"\nkind = "{kind}"\nunit = "{unit}"\n'
            f'source = {{ register = {number}, table = "input" }}\nresolution = {step}\n'
        )
    return text


@dataclass
class Years:
    """Days of a gateway, one after the other. `readings`, `alerts`: how many there were so far."""

    state: Path
    seed: int = 1

    def __post_init__(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        (self.state / "gateway.toml").write_text(settings_text())
        folder = StateFolder(self.state)
        self._clock = VirtualClock(EARLIEST_NS + 400 * DAY_S * SECOND_NS, boot="0e" * 16)
        self.pipeline = Pipeline.open(folder, load_settings(folder.settings), self._clock)
        device = self.pipeline.in_force.document.devices[0]
        numbers = {name: entry.number for name, entry in self.pipeline.book.by_name.items()}
        self._calibration = Calibration(device, numbers, late_s=3600, ahead_s=60)
        self._device, self._chance = device.name, np.random.default_rng(self.seed)
        kinds = [_KINDS[n % len(_KINDS)] for n in range(CHANNELS)]
        self._middle = np.array([kind[2] for kind in kinds])
        self._weather = np.zeros(CHANNELS)
        self._second = 0
        self.readings = 0

    def steps(self, seconds: int) -> Iterator[int]:
        """Live so long; the second of the run after each step."""
        end = self._second + seconds
        while self._second < end:
            self._step()
            yield self._second

    def close(self) -> None:
        self.pipeline.judge.stop()
        self.pipeline.close()

    def is_offline(self) -> bool:
        return self._second % DAY_S < OFFLINE_S

    def _step(self) -> None:
        self._clock.sleep(STEP_S)
        self._second += STEP_S
        self._read()
        while self.pipeline.judge.step():
            pass
        self.pipeline.cutter.step()
        self.pipeline.tidy()
        if not self.is_offline():
            give_receipts(self.pipeline.outbox)

    def _read(self) -> None:
        """Ten seconds of all channels: a day's wave, weather, noise, and now and then something strange."""
        now = self._clock.wall_ns()
        times = now - np.arange(STEP_S - 1, -1, -1, dtype=np.int64) * SECOND_NS
        self._weather += self._chance.normal(0, 0.0005, CHANNELS)
        day = np.sin(2 * np.pi * (self._second % DAY_S) / DAY_S)
        factor = 1 + 0.05 * day + self._weather + self._chance.normal(0, 0.002, (STEP_S, CHANNELS))
        if self._second % (2 * 3600) < 600:  # ten minutes of each two hours one channel is beside itself
            factor[:, self._second // (2 * 3600) % CHANNELS] *= 1.8
        batch = Batch(
            np.tile(np.arange(CHANNELS, dtype=np.int32), STEP_S),
            (factor * self._middle).ravel(),
            np.repeat(times, CHANNELS),
        )
        block = self._calibration.block(
            batch, wall_ns=now, monotonic_ns=self._clock.monotonic_ns(), state=ClockState.TRUSTED
        )
        self.pipeline.spool.append(block, self._device, None)
        self.readings += len(block)


def give_receipts(outbox: Outbox) -> None:
    """Take all that waits, as a cloud does, and say so; at most some thousand messages at once."""
    for stream in Stream:
        after = 0
        while rows := outbox.messages(stream, after, 500):
            after = rows[-1][0]
            if after % 5000 < 500:
                break
        if after:
            outbox.receive(Receipt(epoch=outbox.epoch, stream=stream, through=after, sent_at=0))


def main(folder: str, seconds: str, every_s: str) -> None:
    """Live `seconds`; a line of JSON each `every_s`."""
    years = Years(Path(folder))
    for second in years.steps(int(seconds)):
        if second % int(every_s) == 0:
            gc.collect()
            counts = years.pipeline.outbox.counts()
            told = {
                "second": second, "readings": years.readings, "memory_mb": memory_mb(os.getpid()),
                "alerts": years.pipeline.judge.alerts, "waiting": counts["bulk_rows"] + counts["urgent_rows"],
            }  # fmt: skip
            print(json.dumps(told), flush=True)
    years.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
