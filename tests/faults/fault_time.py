"""A gateway and a cloud in virtual time: their own parts, with clocks that are set, stepped and lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from real_parts import make_state
from sqlalchemy import select

from cloud.fleet.channels import ChannelDirectory
from cloud.fleet.registry import Registry
from cloud.fleet.tables import Channel
from cloud.incidents.tables import AlertRow
from cloud.ingest.bulk import BulkIntake
from cloud.ingest.clocks import Clocks
from cloud.ingest.inbox import Waiting
from cloud.ingest.inspection import inspect
from cloud.ingest.session import Received
from cloud.ingest.urgent import take_urgent
from cloud.series.compaction import Compactor
from cloud.series.landed import LandedStore
from cloud.series.store import Readings
from cloud.storage.engine import open_main, open_series, reading
from edge_agent.drivers.seam import Batch
from edge_agent.pipeline import Pipeline
from edge_agent.sampler.backoff import Backoff
from edge_agent.sampler.calibration import Calibration
from edge_agent.sampler.clock_trust import ClockWatch
from edge_agent.sampler.device_loop import DeviceLoop
from edge_agent.settings import Settings
from edge_agent.state import StateFolder
from edge_agent.timekeeper import Timekeeper
from models.clock import SECOND_NS, VirtualClock
from models.identity import Stream

GATEWAY = "gw-a"
TRUE_START = 1_790_000_000 * SECOND_NS
_END = (1 << 63) - 1


class Told:
    """A device that is told what to say."""

    is_polled = False
    owns_time = False

    def open(self, cursor: str | None) -> None: ...

    def read(self, wait_s: float) -> None: ...

    def taken(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


def settings_of(monitors: Sequence[dict[str, Any]] = (), **channel: Any) -> Settings:
    """One thermometer, and monitors on it."""
    return Settings.model_validate(
        {
            "gateway": {"id": GATEWAY},
            "limits": {"message_readings": 50, "outbox_mb": 64},
            "devices": [
                {
                    "name": "stove",
                    "driver": "mqtt",
                    "channels": [
                        {"name": "stove/t", "kind": "temperature", "unit": "Cel", "source": "t",
                         "resolution": 0.1, **channel}
                    ],
                }
            ],
            "monitors": list(monitors),
        }
    )  # fmt: skip


class TimedGateway:
    """A gateway's own parts, wired as the agent does it, driven by hand.

    `clock` is its machine's: `true_ns` is what the time really is, told by monotonic time.
    """

    def __init__(self, folder: Path, settings: Settings, clock: VirtualClock, *, true_ns: int = TRUE_START):
        self.clock, self._settings = clock, settings
        self.state = StateFolder(folder)
        self.state.make()
        self.is_kept, self.is_connected = False, False
        self._true_offset_ns = true_ns - clock.monotonic_ns()
        self.start()

    @property
    def true_ns(self) -> int:
        return self.clock.monotonic_ns() + self._true_offset_ns

    def start(self) -> None:
        """As the program starts."""
        clock = self.clock
        self.watch = ClockWatch(clock, self.state.clock, synchronised=lambda: self.is_kept, rtc=lambda: True)
        self.pipeline = Pipeline.open(
            self.state, self._settings, clock, right=self.watch.right, waits=lambda: self.timekeeper.waits()
        )
        self.timekeeper = Timekeeper(self.pipeline, self.watch, lambda: self.is_connected)
        [device] = self._settings.devices
        numbers = {c.name: self.pipeline.book.by_name[c.name].number for c in device.channels}
        self._loop = DeviceLoop(
            device.name, Told(), Calibration(device, numbers, late_s=3600, ahead_s=60), self.pipeline.spool,
            period_s=1.0, clock=clock, stamp=self.watch.stamp,
            backoff=Backoff(base_s=1, ceiling_s=1, draw=lambda: 1.0),
        )  # fmt: skip
        self.timekeeper.begin()

    def kill(self) -> None:
        """As by kill -9: nothing is put away."""
        self.pipeline.close()

    def power_cut(self, boot: str, *, off_s: float, wall_ns: int) -> None:
        """Off for a while, and on with a clock that begins anew."""
        self.kill()
        now = self.true_ns
        self.clock = VirtualClock(wall_ns, boot)
        self._true_offset_ns = now + round(off_s * SECOND_NS)
        self.start()

    def stop(self) -> None:
        self.pipeline.judge.stop()
        self.pipeline.cutter.step(final=True)
        self.watch.close()
        self.pipeline.close()

    def say(self, value: float, time_ns: int | None = None) -> None:
        """The device gives a reading now."""
        self._loop._take(Batch.of([0], [value], None if time_ns is None else [time_ns]))

    def tick(self) -> None:
        """What the agent does each second."""
        self.timekeeper.look()
        self.pipeline.cutter.step()
        self.pipeline.tidy()
        while self.pipeline.judge.step():
            pass

    def second(self, value: float | None = None) -> None:
        """A second passes; half of it in silence, as the judge notices it."""
        self.clock.sleep(0.5)
        self.pipeline.judge.silence()
        self.clock.sleep(0.5)
        if value is not None:
            self.say(value)
        self.tick()

    def set_clock(self) -> None:
        """Something keeps the clock from now on."""
        self.clock.step((self.true_ns - self.clock.wall_ns()) / SECOND_NS)
        self.is_kept = True
        self.clock.sleep(11)  # the kernel is asked every ten seconds

    def waiting(self, stream: Stream) -> list[bytes]:
        return [raw for _, raw in self.pipeline.outbox.messages(stream, 0, 1_000_000)]


class TimedCloud:
    """A cloud's stores and its ways of taking messages, without a broker."""

    def __init__(self, folder: Path) -> None:
        settings = make_state(folder)
        self.main, self._series = open_main(settings), open_series(settings)
        directory = ChannelDirectory(self.main)
        self.store = LandedStore(self._series, directory)
        where = Registry(self.main, VirtualClock(TRUE_START)).where
        self._where, self._intake = where, BulkIntake(self.main, self.store, where)
        self._clocks = Clocks(self.main)
        self._directory = directory
        self._numbers = itertools.count()

    def take(self, stream: Stream, raws: Sequence[bytes], now: int = TRUE_START) -> None:
        """Messages of the gateway arrive, in this order."""
        topic = f"lm/1/{GATEWAY}/up/{stream.name.lower()}"
        if stream is Stream.URGENT:
            for raw in raws:
                take_urgent(self.main, topic, raw, inspect(topic, raw, stream, self._where), now)
            return
        for start in range(0, len(raws), 50):
            some = raws[start : start + 50]
            received = (Received(topic, raw, 1, False, 1, 1) for raw in some)
            self._intake.take([Waiting(1, next(self._numbers), one, now) for one in received])

    def compact(self, now: int = TRUE_START) -> int:
        """Chunks of all that can be; how many messages wait for the right time."""
        compactor = Compactor(self._series, self._directory, right=self._clocks.right, now=lambda: now)
        return compactor.run().deferred

    def readings(self, name: str = "stove/t") -> Readings:
        with reading(self.main) as session:
            channel = session.scalar(select(Channel.id).filter_by(gateway_id=GATEWAY, name=name))
        if channel is None:
            return Readings(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
        return self.store.read(channel, 0, _END)

    def all(self, table: Any) -> list[Any]:
        with reading(self.main) as session:
            return list(session.scalars(select(table)))

    def alerts(self) -> list[AlertRow]:
        return self.all(AlertRow)

    def close(self) -> None:
        self.main.dispose()
        self._series.dispose()
