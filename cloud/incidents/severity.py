"""How bad a matter is, from the claims made about it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from models.alert import Severity

_BY_RANK = tuple(Severity)


class Claim(NamedTuple):
    """What one sensor says. `sensor` tells devices apart: two channels of one device are one witness."""

    sensor: str
    severity: Severity


def judge_severity(now: Severity, claims: Collection[Claim]) -> tuple[Severity, str]:
    """Severity given what fires now, and the reason: `same`, `stronger` or `corroborated`.

    It is the strongest claim, one step higher where two or more devices agree that something is there, and
    never lower than it was: that is for a person to say.

    >>> kitchen = Claim("stove", Severity.MODERATE)
    >>> judge_severity(Severity.MODERATE, [kitchen])
    (<Severity.MODERATE: 'moderate'>, 'same')
    >>> judge_severity(Severity.MODERATE, [kitchen, Claim("ceiling", Severity.MINOR)])
    (<Severity.SEVERE: 'severe'>, 'corroborated')
    """
    if not claims:
        return now, "same"
    strongest = max(claim.severity.rank for claim in claims)
    witnesses = len({claim.sensor for claim in claims})
    judged = min(strongest + (witnesses > 1), len(_BY_RANK) - 1)
    if judged <= now.rank:
        return now, "same"
    return _BY_RANK[judged], "corroborated" if judged > strongest else "stronger"
