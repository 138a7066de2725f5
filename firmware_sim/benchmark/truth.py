"""The truth of a run: what happened where and when, and whether it was a hazard."""

from __future__ import annotations

from dataclasses import dataclass

KITCHEN, BATHROOM, LIVING_ROOM, METER = (
    f"house/f1/flat-101/{room}" for room in ("kitchen", "bathroom", "living-room", "meter")
)
ELDER = "house/f3/flat-302"
WATER_ROOM, BOILER_ROOM, SUMP, SWITCH_ROOM = (
    f"house/f0/{room}" for room in ("water-room", "boiler-room", "sump", "switch-room")
)
COLD_ROOM, LIFT = "house/shop/cold-room", "house/lift"


@dataclass(frozen=True)
class TrueEvent:
    """One event. Times are seconds since the run began.

    `to_s` is when somebody ended it (or it ended by itself), `calm_s` when what it did has faded. `variant`
    is how it came about, for the reader.
    """

    what: str
    places: tuple[str, ...]
    from_s: float
    to_s: float
    calm_s: float
    is_real: bool
    variant: str = ""
