"""A device: asked at a time, it makes one sample of all its channels, with the next number of its counter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_sim.device_types import ChannelType, DeviceType
from firmware_sim.faults import SILENT, FaultyChannel
from firmware_sim.hazards import HAZARDS
from firmware_sim.quantities.setting import Setting
from firmware_sim.quantities.table import QUANTITIES
from firmware_sim.recording import Recording
from firmware_sim.sensor import Lag, number_of, registers_of, with_noise
from firmware_sim.surroundings import Surroundings
from firmware_sim.timeline import Timeline

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """What a device told once: raw numbers as they stand in its bytes, by short channel name."""

    counter: int
    raw: dict[str, float]
    words: dict[str, list[int]] = field(default_factory=dict)


class Probe:
    """One channel of one device: what is, under hazards, through the sensor."""

    def __init__(
        self, device: str, place: str, channel: ChannelType, street: Surroundings, recording: Recording | None
    ) -> None:
        self.channel = channel
        self._key = f"{device}/{channel.name}"
        self._setting = Setting(street, place, self._key, channel.numbers)
        self._recording = recording
        self._lag, self._faulty = Lag(channel.lag_s), FaultyChannel()

    def calm(self, at_s: Floats, row_s: float | None = None) -> Floats:
        """What there is to measure when nothing happens."""
        if self._recording is not None:
            return self._recording.values(self.channel.column, at_s, row_s)
        return QUANTITIES[self.channel.quantity](self._setting, at_s)

    def history(self, at_s: Floats, period_s: float) -> Floats:
        """Calm values at times in the past, as the device would have told them."""
        values = self.calm(at_s, period_s if self._recording is not None else None)
        noisy = with_noise(
            self.channel, self._key + "/past", values, at_s // period_s, self._setting.street.chance
        )
        return np.asarray(np.rint(noisy / self.channel.step) * self.channel.step)

    def value(
        self, at_s: float, hazards: list[tuple[str, float, float]], faults: dict[str, float], n: int
    ) -> float:
        """The value told at `at_s`; hazards are (name, seconds since onset, duration)."""
        value = self.calm(np.array([at_s]))
        for name, since_s, duration_s in hazards:
            value = HAZARDS[name].apply(self.channel.quantity, value, since_s, duration_s)
        lagged = self._lag.follow(float(value[0]), at_s)
        noisy = with_noise(
            self.channel, self._key, np.array([lagged]), np.array([n]), self._setting.street.chance
        )
        return self._faulty.pass_through(float(noisy[0]), faults, span=self.channel.span, sample=n)


class Device:
    """A simulated device. `began_s` is the UTC second at which the run's timeline begins.

    `counter` goes on from the number given, so a simulator started again never tells one number twice.
    """

    def __init__(
        self,
        name: str,
        place: str,
        type_: DeviceType,
        street: Surroundings,
        timeline: Callable[[], Timeline],
        *,
        recording: Recording | None = None,
        began_s: float = 0.0,
        counter: int = 0,
    ) -> None:
        self.name, self.place, self.type = name, place, type_
        self.probes = [Probe(name, place, channel, street, recording) for channel in type_.channels]
        self._timeline, self._began_s = timeline, began_s
        self.counter = counter

    def is_silent(self, at_s: float) -> bool:
        """Whether a fault keeps it from answering."""
        faults = self._timeline().faults_of(self.name, at_s - self._began_s)
        return any(fault.what in SILENT for fault in faults)

    def sample(self, at_s: float) -> Sample:
        """Measure everything now, under the next number."""
        self.counter += 1
        since = at_s - self._began_s
        timeline = self._timeline()
        hazards = [(e.what, since - e.from_s, e.duration_s) for e in timeline.hazards_at(self.place, since)]
        raw, words = {}, {}
        for probe in self.probes:
            channel = probe.channel
            value = probe.value(at_s, hazards, self._faults(timeline, channel.name, since), self.counter)
            if self.type.protocol == "modbus":
                raw[channel.name], words[channel.name] = registers_of(channel, value)
            else:
                raw[channel.name] = number_of(channel, round(value) if channel.flag else value)
        return Sample(self.counter, raw, words)

    def _faults(self, timeline: Timeline, channel: str, since: float) -> dict[str, float]:
        found = timeline.faults_of(self.name, since)
        return {fault.what: since - fault.from_s for fault in found if fault.channel in ("", channel)}
