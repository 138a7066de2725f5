"""Raw samples to readings: scale, offset, resolution, and what is known against each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_agent.drivers.seam import Batch
from models.clock import EARLIEST_NS, SECOND_NS, ClockState
from models.configuration import DeviceConfig
from models.physical_range import physical_range
from models.readings import Bytes, Floats, Int64s, Quality, ReadingBlock, round_to_resolution

TIME_STEP_NS = 1_000_000  # times are rounded to it: so they compress, and no sensor here is faster
# What a broker kept for us arrives at one moment. Further back than this it was the clock that went back.
_CROWD_NS = 5 * SECOND_NS


class Calibration:
    """The way from one device's raw samples to readings.

    `numbers`: channel name -> number in the outbox. Device times older than `late_s` or further ahead than
    `ahead_s` are kept but flagged; with `owns_time` they are believed as they are.
    """

    def __init__(
        self,
        device: DeviceConfig,
        numbers: Mapping[str, int],
        *,
        late_s: float,
        ahead_s: float,
        owns_time: bool = False,
    ) -> None:
        channels = device.channels
        self._number = np.array([numbers[channel.name] for channel in channels], np.int32)
        self._scale = np.array([channel.scale for channel in channels])
        self._offset = np.array([channel.offset for channel in channels])
        self._resolution = np.array([channel.resolution for channel in channels])
        known = [physical_range(channel.kind, channel.unit) for channel in channels]
        self._minimum = np.array(
            [of.low if c.minimum is None else c.minimum for c, of in zip(channels, known, strict=True)]
        )
        self._maximum = np.array(
            [of.high if c.maximum is None else c.maximum for c, of in zip(channels, known, strict=True)]
        )
        self._late_ns, self._ahead_ns = round(late_s * SECOND_NS), round(ahead_s * SECOND_NS)
        self._owns_time = owns_time
        self._latest = 0

    def block(
        self, batch: Batch, *, wall_ns: int, monotonic_ns: int, state: ClockState, historic: bool = False
    ) -> ReadingBlock:
        """The readings of `batch`, taken at `wall_ns`; index and boot are the spool's to give."""
        value = self._values(batch)
        quality = self._judge_values(value, batch)
        if batch.time is None:
            time = np.full(len(batch), self._own_time(wall_ns), np.int64)
        else:
            time = _to_step(batch.time)
            quality |= self._judge_times(time, wall_ns, state)
        if state is ClockState.UNTRUSTED:
            quality |= np.uint8(Quality.CLOCK_UNTRUSTED)
        if historic:
            quality |= np.uint8(Quality.HISTORIC)
        return ReadingBlock.of(
            self._number[batch.channel],
            time,
            value,
            quality,
            monotonic_offset_ns=wall_ns - monotonic_ns,
            clock=state,
        )

    def _own_time(self, wall_ns: int) -> int:
        """Our time for a batch without one; never the same twice, so that each reading keeps its place."""
        now = int(_to_step(np.int64(wall_ns)))
        if now <= self._latest < now + _CROWD_NS:
            now = self._latest + TIME_STEP_NS
        self._latest = now
        return now

    def _values(self, batch: Batch) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            value = batch.value * self._scale[batch.channel] + self._offset[batch.channel]
            steps = self._resolution[batch.channel]
            for step in np.unique(steps):
                rows = steps == step
                value[rows] = round_to_resolution(value[rows], float(step))
        value[~np.isfinite(value)] = np.nan
        return value

    def _judge_values(self, value: Floats, batch: Batch) -> Bytes:
        quality = np.zeros(len(value), np.uint8)
        quality[np.isnan(value)] |= np.uint8(Quality.INVALID)
        outside = (value < self._minimum[batch.channel]) | (value > self._maximum[batch.channel])
        quality[outside] |= np.uint8(Quality.OUT_OF_RANGE)
        return quality

    def _judge_times(self, time: Int64s, wall_ns: int, state: ClockState) -> Bytes:
        """Flags of the device's times against our clock; none where ours is no measure."""
        quality = np.zeros(len(time), np.uint8)
        if self._owns_time or state is ClockState.UNTRUSTED:
            return quality
        quality[time < max(wall_ns - self._late_ns, EARLIEST_NS)] |= np.uint8(Quality.TIME_PAST)
        quality[time > wall_ns + self._ahead_ns] |= np.uint8(Quality.TIME_FUTURE)
        return quality


def _to_step(time: Int64s | np.int64) -> Int64s:
    return (time + TIME_STEP_NS // 2) // TIME_STEP_NS * TIME_STEP_NS
