"""What a site is watched with when nobody has configured anything, by what its channels say of themselves.

Measured quantities: the detector `default` at two paces, one for what happens within minutes and one for what
takes hours. Flow: how long it runs without a pause. Signs of life: `quiet`. What no statistics may outvote:
limits from norms. And every channel: `fault`, for maintenance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from models.alert import AlertKind, Severity
from models.configuration import MonitorConfig, TriggerConfig
from models.detectors.bank import Trait
from models.detectors.plausibility.natures import STATE, nature_of

Kinds = Mapping[str, Sequence[Trait]]
BUDGET_PER_WEEK = 0.1  # alert onsets a channel and monitor: one in ten weeks


class Pace(NamedTuple):
    """One of the paces at which a quantity is watched. `on_delay_s`: how long it must be strange."""

    name: str
    on_delay_s: float
    parameters: Mapping[str, float] = {}


class Norm(NamedTuple):
    """A limit that always counts: beyond `high` for `for_s`, s, and in so many `readings` in a row.

    Two where a quantity lingers: one reading beyond may be a spike of the equipment. One where a machine's
    ride may be over before the next.
    """

    kind: str
    unit: str
    high: float
    for_s: float
    readings: int
    source: str


_CALM_S = 900.0  # an alert ends when it has been quiet for so long
_SLOW = {"smooth_s": 3600.0, "frame_s": 900.0}
# What burns or poisons must be told within a minute; a machine's load jumps by nature and wears out in days;
# a room's climate swings, and nobody runs for what is over in five minutes.
_URGENT = (Pace("fast", 30.0),)
_GAS = (Pace("fast", 120.0),)  # lighting a stove is over sooner
_FLOWING = (Pace("fast", 30.0),)
_PUSHED = (Pace("fast", 120.0), Pace("slow", 300.0, _SLOW))  # pressure: taps and pumps knock
_MACHINE = (Pace("fast", 30.0), Pace("slow", 0.0, _SLOW))
_SLUGGISH = (Pace("fast", 300.0), Pace("slow", 300.0, _SLOW))
_PACES = {
    "smoke": _URGENT,
    "co": _URGENT,
    "gas": _GAS,
    "flow": _FLOWING,
    "pressure": _PUSHED,
    "vibration": _MACHINE,
    "current": _MACHINE,
    "power": _MACHINE,
}
_HAZARDS = {
    "smoke": "fire",
    "co": "gas",
    "gas": "gas",
    "flow": "water",
    "pressure": "water",
    "water_level": "flooding",
    "leak": "flooding",
    "vibration": "lift",
    "current": "power",
    "voltage": "power",
    "power": "power",
    "temperature": "climate",
    "humidity": "climate",
    **dict.fromkeys(("motion", "presence", "occupancy"), "person"),
    **dict.fromkeys(("co2", "pm1", "pm25", "pm10", "no2", "so2", "o3", "dust", "voc"), "air"),
}
_SEVERE = ("fire", "gas")
_STIRS_S = 1800.0  # who is about is seen again within it; who lies on the floor moves an arm
_LIFE = ("motion", "presence", "occupancy")
_BATH_S = 1200.0  # what runs no longer than it takes to fill a bath is nobody's matter
_FLOWS_ABOVE = {"L/min": 0.05, "L/h": 3.0, "m3/h": 0.003}  # a dripping tap is less
NORMS = (
    Norm("smoke", "%/m", 8.8, 120.0, 2, "0.4 dB/m: twice the insensitive end of EN 54-7"),
    Norm("co", "ppm", 100.0, 600.0, 2, "EN 50291: alarm within 10 to 40 min"),
    Norm(
        "co",
        "ppm",
        30.0,
        900.0,
        2,
        "WHO 2010, indoor air: 30 ppm not beyond an hour; told while it can be helped",
    ),
    Norm("gas", "%LEL", 10.0, 60.0, 2, "EN 50194: alarm between 3 and 20 % LEL"),
    Norm("vibration", "mm/s", 4.5, 0.0, 1, "ISO 10816-1: zone D of machines of class I, up to 15 kW"),
)


def default_monitors(
    traits: Sequence[Trait], budget_per_week: float = BUDGET_PER_WEEK
) -> tuple[MonitorConfig, ...]:
    """Monitors for named channels, given their kinds and units alone.

    `budget_per_week`: alert onsets that are wished for, a channel and monitor, 0 < budget <= 1000; norms and
    faults have none. ValueError when a trait has no name.

    >>> smoke = Trait("smoke", "%/m", 0.01, "hall/smoke")
    >>> [monitor.name for monitor in default_monitors([smoke])]
    ['unusual-smoke-fast', 'norm-smoke-8.8', 'equipment']
    """
    if nameless := [trait for trait in traits if not trait.name]:
        raise ValueError(f"monitors need channels with names, got {nameless[0]}")
    kinds = _by_kind(traits)
    return (
        *_unusual(kinds, budget_per_week),
        *_running(kinds, budget_per_week),
        *_alive(kinds, budget_per_week),
        *_norms(kinds),
        *_equipment(traits),
    )


def _unusual(kinds: Kinds, budget: float) -> Iterable[MonitorConfig]:
    """The detector `default` on all that is measured."""
    for kind, traits in kinds.items():
        if nature_of(kind) & STATE:
            continue
        for pace in _PACES.get(kind, _SLUGGISH):
            yield _monitor(
                f"unusual-{_written(kind)}-{pace.name}",
                "default",
                pace.parameters,
                traits,
                TriggerConfig(on_delay_s=pace.on_delay_s, off_delay_s=_CALM_S, budget_per_week=budget),
            )


def _running(kinds: Kinds, budget: float) -> Iterable[MonitorConfig]:
    """How long water runs without a pause: a tap left open, a cistern that leaks."""
    for unit, above in _FLOWS_ABOVE.items():
        if traits := [trait for trait in kinds.get("flow", ()) if trait.unit == unit]:
            trigger = TriggerConfig(off_delay_s=_CALM_S, budget_per_week=budget)
            parameters = {"active_above": above, "least_s": _BATH_S}
            yield _monitor(f"running-{_written(unit)}", "usual_duration", parameters, traits, trigger)


def _alive(kinds: Kinds, budget: float) -> Iterable[MonitorConfig]:
    """Silence where somebody should be about."""
    if traits := [trait for kind in _LIFE for trait in kinds.get(kind, ())]:
        trigger = TriggerConfig(on=5.0, off_delay_s=_CALM_S, budget_per_week=budget)
        yield _monitor("life", "quiet", {"confirm_s": _STIRS_S}, traits, trigger)


def _norms(kinds: Kinds) -> Iterable[MonitorConfig]:
    for norm in NORMS:
        if traits := [trait for trait in kinds.get(norm.kind, ()) if trait.unit == norm.unit]:
            trigger = TriggerConfig(
                on=5.0, on_delay_s=norm.for_s, off_delay_s=_CALM_S, on_readings=norm.readings
            )
            name = f"norm-{_written(norm.kind)}-{norm.high:g}"
            yield _monitor(name, "limit", {"high": norm.high}, traits, trigger)


def _equipment(traits: Sequence[Trait]) -> Iterable[MonitorConfig]:
    if traits:
        yield MonitorConfig(
            name="equipment",
            detector="fault",
            channels=tuple(trait.name for trait in traits),
            trigger=TriggerConfig(on=5.0, off_delay_s=_CALM_S),
            kind=AlertKind.MAINTENANCE,
            hazard="device",
            severity=Severity.MINOR,
        )


def _monitor(
    name: str,
    detector: str,
    parameters: Mapping[str, Any],
    traits: Sequence[Trait],
    trigger: TriggerConfig,
) -> MonitorConfig:
    hazard = _HAZARDS.get(traits[0].kind, "other")
    return MonitorConfig(
        name=name,
        detector=detector,
        parameters=dict(parameters),
        channels=tuple(trait.name for trait in traits),
        trigger=trigger,
        hazard=hazard,
        severity=Severity.SEVERE if hazard in _SEVERE else Severity.MODERATE,
    )


def _by_kind(traits: Sequence[Trait]) -> Kinds:
    found: dict[str, list[Trait]] = {}
    for trait in traits:
        found.setdefault(trait.kind, []).append(trait)
    return found


def _written(word: str) -> str:
    """A kind or unit as part of a monitor's name.

    >>> _written("L/min"), _written("")
    ('l-min', 'any')
    """
    return re.sub(r"[^a-z0-9._-]+", "-", word.lower()).strip("-") or "any"
