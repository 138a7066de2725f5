"""How long people have. One literal table, in minutes."""

from __future__ import annotations

import enum
from typing import NamedTuple

from models.alert import AlertKind, Severity
from models.clock import SECOND_NS


class Clock(enum.StrEnum):
    """What somebody is given time for."""

    ACCEPTED = "accepted"
    VERIFIED = "verified"


class Limit(NamedTuple):
    """Minutes to accept, counted from being asked; and to say what was found, from accepting."""

    accept_min: float
    verify_min: float


# Response times of community emergency practice: somebody answers an extreme matter within two minutes.
HAZARD: dict[Severity, Limit] = {
    Severity.EXTREME: Limit(2, 15),
    Severity.SEVERE: Limit(5, 30),
    Severity.MODERATE: Limit(15, 60),
    Severity.MINOR: Limit(60, 240),
}
# Equipment that fails endangers nobody yet; the same working day is soon enough.
MAINTENANCE = Limit(240, 2880)
# After so many rungs nobody new can be asked and the clock stops; the task stays with who has it, and shows.
LAST_RUNG = 12


def limit_ns(clock: Clock, kind: str, severity: str) -> int:
    """Nanoseconds allowed on a clock.

    >>> limit_ns(Clock.ACCEPTED, "hazard", "extreme") // (60 * SECOND_NS)
    2
    """
    limit = MAINTENANCE if kind == AlertKind.MAINTENANCE else HAZARD[Severity(severity)]
    minutes = limit.accept_min if clock is Clock.ACCEPTED else limit.verify_min
    return round(minutes * 60 * SECOND_NS)
