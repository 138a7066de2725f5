"""What a quantity can be at all: beyond it a reading tells of the equipment, whatever the site has set.

Bounds are wide on purpose. They catch what a register holds when no sensor answers (65535, -999) and units
that were mixed up, not what is unusual: a fire must stay inside.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class PhysicalRange(NamedTuple):
    """Both ends belong to it; in the channel's unit."""

    low: float = -math.inf
    high: float = math.inf


_PERCENT = PhysicalRange(0.0, 100.0)
_RANGES: dict[tuple[str, str], PhysicalRange] = {
    # Absolute zero, and what thermocouples of type K reach.
    ("temperature", "Cel"): PhysicalRange(-273.15, 1400.0),
    ("temperature", "K"): PhysicalRange(0.0, 1700.0),
    ("humidity", "%RH"): PhysicalRange(0.0, 105.0),  # capacitive sensors tell a little above 100 when wet
    ("smoke", "%/m"): _PERCENT,
    # 1 % of CO kills within minutes; electrochemical cells end at 1,000 to 10,000 ppm.
    ("co", "ppm"): PhysicalRange(-50.0, 20_000.0),
    ("co2", "ppm"): PhysicalRange(0.0, 60_000.0),
    ("gas", "%LEL"): PhysicalRange(-10.0, 500.0),  # a leak may go beyond the explosive limit
    ("flow", "L/min"): PhysicalRange(-10_000.0, 30_000.0),
    ("pressure", "bar"): PhysicalRange(-1.0, 1000.0),
    ("water_level", "cm"): PhysicalRange(-1000.0, 10_000.0),
    ("vibration", "mm/s"): PhysicalRange(0.0, 1000.0),
    ("current", "A"): PhysicalRange(-10_000.0, 10_000.0),
    ("voltage", "V"): PhysicalRange(-50_000.0, 50_000.0),
    ("battery", "%"): _PERCENT,
}


def physical_range(kind: str, unit: str) -> PhysicalRange:
    """The range of a kind told in a unit; endless where we know none.

    >>> physical_range("co", "ppm").high, physical_range("co", "mg/m3").high
    (20000.0, inf)
    """
    return _RANGES.get((kind, unit), PhysicalRange())
