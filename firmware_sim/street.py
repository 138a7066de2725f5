"""The whole street from a scenario and a seed: its surroundings, its timeline, its devices."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.chance import Chance
from firmware_sim.device import Device
from firmware_sim.recording import Recording, load_recording
from firmware_sim.scenario import DeviceSpec, Scenario
from firmware_sim.surroundings import Surroundings
from firmware_sim.timeline import Timeline

TIMELINE_S = 24 * 3600.0


@dataclass
class Street:
    """`began_s` is the UTC second of the run's beginning; the timeline counts from it."""

    scenario: Scenario
    seed: int
    began_s: float
    recordings: Path | None = None
    chance: Chance = field(init=False)
    surroundings: Surroundings = field(init=False)
    timeline: Timeline = field(init=False)

    def __post_init__(self) -> None:
        site = self.scenario.site
        self.chance = Chance(self.seed)
        self.surroundings = Surroundings(self.chance, float(site.utc_offset_s), site.outdoor_c)
        self.timeline = Timeline.of(self.scenario.timeline, self.chance, TIMELINE_S)

    def calm_down(self, at_s: float) -> None:
        """Nothing new begins after `at_s` (UTC seconds), and what goes on ends."""
        self.timeline = self.timeline.ended_by(at_s - self.began_s)

    def devices(self, gateway: str, counters: dict[str, int] | None = None) -> list[Device]:
        """The gateway's devices; those that play recordings only when there are recordings."""
        specs = next(g.devices for g in self.scenario.gateways if g.id == gateway)
        return [
            self._device(spec, (counters or {}).get(spec.name, 0)) for spec in specs if self.has_device(spec)
        ]

    def has_device(self, spec: DeviceSpec) -> bool:
        """Whether the device is there: a recording may be missing."""
        recording = self.scenario.type_of(spec).recording
        return recording is None or (
            self.recordings is not None and (self.recordings / recording.file).is_file()
        )

    def _device(self, spec: DeviceSpec, counter: int) -> Device:
        type_ = self.scenario.type_of(spec)
        return Device(
            spec.name,
            spec.place,
            type_,
            self.surroundings,
            lambda: self.timeline,
            recording=self._recording(spec),
            began_s=self.began_s,
            counter=counter,
        )

    def _recording(self, spec: DeviceSpec) -> Recording | None:
        type_ = self.scenario.type_of(spec)
        if type_.recording is None or self.recordings is None:
            return None
        columns = [channel.column for channel in type_.channels]
        return load_recording(self.recordings, type_.recording, columns, self.began_s)


def find_recordings(given: str | None, environment: str | None) -> Path | None:
    """The folder of recordings: as given, by LASTMILE_DATA, or ../shared/data; says when there is none."""
    for candidate in (given, environment, "../shared/data"):
        if candidate and Path(candidate).is_dir():
            return Path(candidate).resolve()
    print("sim: no recordings found (LASTMILE_DATA names a folder); going on without them", file=sys.stderr)
    return None
