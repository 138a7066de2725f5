"""What happens when: the scenario's events in time, and the truth about them."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from firmware_sim.chance import Chance
from firmware_sim.faults import FAULTS
from firmware_sim.hazards import HAZARDS
from firmware_sim.scenario import EventSpec, TimelineSpec


@dataclass(frozen=True)
class Happening:
    """One event of the run. Times are seconds since the run began."""

    number: int
    what: str
    from_s: float
    duration_s: float
    places: tuple[str, ...] = ()
    device: str = ""
    channel: str = ""

    @property
    def to_s(self) -> float:
        return self.from_s + self.duration_s

    @property
    def is_hazard(self) -> bool:
        return self.what in HAZARDS

    @property
    def is_real(self) -> bool:
        """Whether it is a hazard and not only looks like one."""
        return self.is_hazard and HAZARDS[self.what].is_real

    @property
    def word(self) -> str:
        """What alerts about it say."""
        return HAZARDS[self.what].word if self.is_hazard else FAULTS[self.what].word


def happenings(spec: TimelineSpec, chance: Chance, until_s: float) -> Iterator[Happening]:
    """Events that begin before `until_s`, by time; the same for the same seed."""
    at_s, number, round_ = spec.first_after_s, 0, 0
    while spec.events and at_s < until_s:
        order = range(len(spec.events)) if round_ == 0 else chance.order(f"round/{round_}", len(spec.events))
        for position in order:
            if at_s >= until_s:
                return
            yield _happening(spec.events[position], number, at_s)
            at_s += chance.between("gap", number, *spec.gap_s)
            number += 1
        round_ += 1


def _happening(event: EventSpec, number: int, at_s: float) -> Happening:
    return Happening(number, event.what, at_s, event.duration_s, event.places, event.device, event.channel)


class Timeline:
    """All events of a run up to an end, asked by time and place."""

    def __init__(self, events: list[Happening]) -> None:
        self.events = events
        self._by_place: dict[str, list[Happening]] = {}
        self._by_device: dict[str, list[Happening]] = {}
        for event in events:
            for place in event.places:
                self._by_place.setdefault(place, []).append(event)
            if event.device:
                self._by_device.setdefault(event.device, []).append(event)

    @classmethod
    def of(cls, spec: TimelineSpec, chance: Chance, until_s: float) -> Timeline:
        return cls(list(happenings(spec, chance, until_s)))

    def hazards_at(self, place: str, at_s: float, fade_s: float = 120.0) -> list[Happening]:
        """Hazards at a place that act at `at_s` or still fade."""
        return [e for e in _begun(self._by_place.get(place, []), at_s) if at_s < e.to_s + fade_s]

    def faults_of(self, device: str, at_s: float) -> list[Happening]:
        """Faults of a device that act at `at_s`."""
        return [e for e in _begun(self._by_device.get(device, []), at_s) if at_s < e.to_s]

    def ended_by(self, at_s: float) -> Timeline:
        """The same events, none beginning at or after `at_s` and all over by then."""
        kept = [e for e in self.events if e.from_s < at_s]
        return Timeline([_cut(event, at_s) for event in kept])


def _begun(events: list[Happening], at_s: float) -> list[Happening]:
    """The latest events that have begun; ones further back are long over."""
    end = bisect.bisect_right(events, at_s, key=lambda event: event.from_s)
    return events[max(end - 8, 0) : end]


def _cut(event: Happening, at_s: float) -> Happening:
    duration = max(min(event.duration_s, at_s - event.from_s), 1e-3)
    return Happening(
        event.number, event.what, event.from_s, duration, event.places, event.device, event.channel
    )
