"""What a channel's kind says beforehand about how its readings may move: bits for kernels."""

from __future__ import annotations

STATE = 1  # two or a few states: jumps and long rests are its ordinary life
LIVELY = 2  # excursions of one reading are ordinary: taps, motors, lamps, and what we know nothing of
NEVER_ZERO = 4  # exactly zero is no value of such a quantity but what a dead sensor sends
UPWARD = 8  # a rise at once is what it is there to tell: never put down to the equipment
TEMPERATURE = 16
FLOW = 32
PRESSURE = 64
MAY_REST = 128  # stands still for weeks: a battery
RESTS_AT_ZERO = 256  # zero is where it rests: no smoke, no flow, no light
UNKNOWN = 512  # nobody said what it measures

_BY_KIND: dict[str, int] = {
    "temperature": TEMPERATURE | NEVER_ZERO,
    "humidity": NEVER_ZERO,
    "co2": NEVER_ZERO,
    "air_pressure": NEVER_ZERO,
    "pressure": PRESSURE | RESTS_AT_ZERO,
    "voltage": RESTS_AT_ZERO,
    "water_level": UPWARD | RESTS_AT_ZERO,
    "smoke": UPWARD | RESTS_AT_ZERO,
    "co": UPWARD | RESTS_AT_ZERO,
    "gas": UPWARD | RESTS_AT_ZERO,
    "flow": LIVELY | FLOW | UPWARD | RESTS_AT_ZERO,
    "power": LIVELY | UPWARD | RESTS_AT_ZERO,
    "current": LIVELY | UPWARD | RESTS_AT_ZERO,
    "vibration": LIVELY | UPWARD | RESTS_AT_ZERO,
    "light": LIVELY | RESTS_AT_ZERO,
    "sound": LIVELY | UPWARD | RESTS_AT_ZERO,
    "battery": MAY_REST,
    "link": LIVELY | MAY_REST,
} | dict.fromkeys(
    (
        *("door", "valve", "switch", "contact", "pump", "presence", "motion", "occupancy", "state", "leak"),
        *("smoke_alarm", "gas_alarm", "co_alarm"),
        *("button", "position", "counter", "energy", "people", "count"),
    ),
    STATE | MAY_REST | RESTS_AT_ZERO,
)
_AIR = ("pm1", "pm25", "pm10", "no2", "so2", "o3", "dust", "voc", "rain", "wind")


def nature_of(kind: str) -> int:
    """Bits of a kind; one that is empty or not listed is taken for lively.

    >>> bool(nature_of("door") & STATE), bool(nature_of("temperature") & NEVER_ZERO)
    (True, True)
    """
    if kind in _AIR:
        return LIVELY | RESTS_AT_ZERO
    return _BY_KIND.get(kind, LIVELY | UNKNOWN)
