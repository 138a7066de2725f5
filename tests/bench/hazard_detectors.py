"""Detector sets for the hazard benchmark: a name, and from the run's channels a list of monitors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fixed_limits import FACTORS, limit_monitors

from models.configuration import MonitorConfig, TriggerConfig
from models.detectors.plausibility.natures import STATE, nature_of
from models.detectors.registry import DETECTORS
from models.wire.messages import ChannelEntry


@dataclass(frozen=True, slots=True)
class DetectorSet:
    """`learning_days`: how many of the days before the judged ones it is shown."""

    name: str
    monitors: Callable[[Sequence[ChannelEntry]], list[MonitorConfig]]
    learning_days: float = 10.0


BUDGET_PER_WEEK = 0.02  # alert onsets a channel: one in five months
SLOW = {"smooth_s": 3600.0, "frame_s": 900.0}


def default_monitors(channels: Sequence[ChannelEntry]) -> list[MonitorConfig]:
    """What a site gets when nobody has configured anything: the default, at two paces, on every channel.

    It uses what a channel's table says (kind, unit, resolution), nothing of the house.
    """
    return [
        MonitorConfig(
            name=name,
            detector="default",
            parameters=parameters,
            channels=tuple(c.name for c in channels if not nature_of(c.kind) & STATE),
            trigger=TriggerConfig(on=3.0, off_delay_s=900.0, budget_per_week=BUDGET_PER_WEEK),
            hazard="unusual",
        )
        for name, parameters in (("fast", {}), ("slow", SLOW))
    ]


def learned_monitors(detector: str, channels: Sequence[ChannelEntry]) -> list[MonitorConfig]:
    """One learned detector with its own parameters on every channel, at one in 100 000."""
    return [
        MonitorConfig(
            name=detector,
            detector=detector,
            channels=tuple(channel.name for channel in channels),
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
        found.append(DetectorSet("default", default_monitors))
    return {one.name: one for one in found}
