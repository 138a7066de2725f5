"""How the default looks at a kind of quantity: which way counts, and what change matters to nobody.

A kind that is not listed, or is told in another unit, is looked at both ways and without a floor.
"""

from __future__ import annotations

from typing import NamedTuple


class View(NamedTuple):
    """`side` 0 both, 1 high alone, -1 low alone; `floor` in the channel's unit, 0: none."""

    side: int = 0
    floor: float = 0.0


_VIEWS: dict[tuple[str, str], View] = {
    # EN 14604 smoke alarms speak at 0.1-0.2 dB/m, 2.3-4.5 %/m; EN 50291 CO alarms at 50 ppm after an hour.
    ("smoke", "%/m"): View(1, 0.7),
    ("co", "ppm"): View(1, 10.0),
    ("gas", "%LEL"): View(1, 4.0),
    ("co2", "ppm"): View(1, 600.0),
    ("temperature", "Cel"): View(0, 3.0),
    ("humidity", "%RH"): View(1, 30.0),
    ("flow", "L/min"): View(1, 1.5),
    ("pressure", "bar"): View(-1, 0.3),
    ("water_level", "cm"): View(1, 8.0),
    ("vibration", "mm/s"): View(1, 0.5),
}


def view_of(kind: str, unit: str) -> View:
    """The view of a channel of this kind and unit.

    >>> view_of("smoke", "%/m").side, view_of("smoke", "dB/m")
    (1, View(side=0, floor=0.0))
    """
    return _VIEWS.get((kind, unit), View())
