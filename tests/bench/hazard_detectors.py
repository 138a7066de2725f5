"""Detector sets for the hazard benchmark: a name, and from the run's channels a list of monitors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fixed_limits import FACTORS, limit_monitors

from models.configuration import MonitorConfig, TriggerConfig
from models.detectors.plausibility.natures import LIVELY, STATE, nature_of
from models.detectors.registry import DETECTORS
from models.wire.messages import ChannelEntry


@dataclass(frozen=True, slots=True)
class DetectorSet:
    """`learning_days`: how many of the days before the judged ones it is shown."""

    name: str
    monitors: Callable[[Sequence[ChannelEntry]], list[MonitorConfig]]
    learning_days: float = 10.0


BUDGET_PER_WEEK = 0.05  # alert onsets a channel: one in five months
SLOW = {"smooth_s": 3600.0, "frame_s": 900.0}
LIFE = ("motion", "presence", "occupancy")
# What no statistics may outvote, by kind: EN 50291 and EN 50194 alarms.
DANGER = (("co", 100.0, 600.0), ("co", 50.0, 3600.0), ("gas", 10.0, 60.0))


def default_monitors(channels: Sequence[ChannelEntry]) -> list[MonitorConfig]:
    """What a site gets when nobody has configured anything, by what a channel's table says alone.

    Measured quantities: the default at two paces, without a delay where jumping is their nature. Signs of
    life: quiet. Poisonous and explosive gas: a limit.
    """
    measured = [c for c in channels if not nature_of(c.kind) & STATE]
    steady = [c.name for c in measured if not nature_of(c.kind) & LIVELY]
    lively = [c.name for c in measured if nature_of(c.kind) & LIVELY]
    life = [c.name for c in channels if c.kind in LIFE]
    found = [
        _monitor("steady-fast", "default", {}, steady, TriggerConfig(on=3.0, on_delay_s=30.0, **_BUDGETED)),
        _monitor(
            "steady-slow", "default", SLOW, steady, TriggerConfig(on=3.0, on_delay_s=300.0, **_BUDGETED)
        ),
        _monitor("lively-fast", "default", {}, lively, TriggerConfig(on=3.0, **_BUDGETED)),
        _monitor("lively-slow", "default", SLOW, lively, TriggerConfig(on=3.0, **_BUDGETED)),
        _monitor("life", "quiet", {}, life, TriggerConfig(on=5.0, **_BUDGETED)),
    ]
    for kind, high, delay_s in DANGER:
        names = [c.name for c in channels if c.kind == kind]
        trigger = TriggerConfig(on=5.0, on_delay_s=delay_s, off_delay_s=900.0)
        found.append(_monitor(f"danger-{kind}-{high:g}", "limit", {"high": high}, names, trigger))
    return [monitor for monitor in found if monitor is not None]


_BUDGETED = {"off_delay_s": 900.0, "budget_per_week": BUDGET_PER_WEEK}


def _monitor(
    name: str, detector: str, parameters: dict[str, float], names: list[str], trigger: TriggerConfig
) -> MonitorConfig | None:
    if not names:
        return None
    return MonitorConfig(
        name=name,
        detector=detector,
        parameters=parameters,
        channels=tuple(names),
        trigger=trigger,
        hazard="unusual",
    )


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
