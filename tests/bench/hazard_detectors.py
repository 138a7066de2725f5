"""Detector sets for the hazard benchmark: a name, and from the run's channels a list of monitors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fixed_limits import FACTORS, limit_monitors

from models.alert import AlertKind
from models.configuration import MonitorConfig, TriggerConfig
from models.default_monitors import default_monitors
from models.detectors.bank import Trait
from models.detectors.registry import DETECTORS
from models.wire.messages import ChannelEntry


@dataclass(frozen=True, slots=True)
class DetectorSet:
    """`learning_days`: how many of the days before the judged ones it is shown."""

    name: str
    monitors: Callable[[Sequence[ChannelEntry]], list[MonitorConfig]]
    learning_days: float = 10.0


def site_monitors(channels: Sequence[ChannelEntry]) -> list[MonitorConfig]:
    """What a site gets when nobody has configured anything, but for faults: those are no hazards."""
    traits = [Trait(c.kind, c.unit, c.resolution, c.name) for c in channels]
    return [monitor for monitor in default_monitors(traits) if monitor.kind == AlertKind.HAZARD]


def learned_monitors(detector: str, channels: Sequence[ChannelEntry]) -> list[MonitorConfig]:
    """One learned detector with its own parameters on every channel it works on, at one in 100 000."""
    names = tuple(channel.name for channel in channels if DETECTORS[detector].works_on(channel.kind))
    if not names:
        return []
    return [
        MonitorConfig(
            name=detector,
            detector=detector,
            channels=names,
            trigger=TriggerConfig(on=5.0, off_delay_s=900.0),
            hazard="unusual",
        )
    ]


def limits_at(factor: float) -> str:
    """Name of the set of fixed limits under a factor.

    >>> limits_at(1.0), limits_at(0.5)
    ('limits', 'limits x0.5')
    """
    return "limits" if factor == 1.0 else f"limits x{factor:g}"


def detector_sets() -> dict[str, DetectorSet]:
    """All sets there are: limits under each factor, every learned detector, the default where it exists."""
    # A day is enough for a rule: the longest looks back twelve hours.
    found = [
        DetectorSet(limits_at(factor), functools.partial(limit_monitors, factor=factor), 1.0)
        for factor in FACTORS
    ]
    found += [
        DetectorSet(name, functools.partial(learned_monitors, name))
        for name, entry in DETECTORS.items()
        if entry.learned and name != "default"
    ]
    if "default" in DETECTORS:
        found.append(DetectorSet("default", site_monitors))
    return {one.name: one for one in found}
