"""An incident's states and the one function that moves between them."""

from __future__ import annotations

import enum


class IncidentState(enum.StrEnum):
    """Where people stand with a matter."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class IncidentAct(enum.StrEnum):
    """What is asked of an incident."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"


_S, _A = IncidentState, IncidentAct
_MOVES: dict[tuple[IncidentState, IncidentAct], tuple[IncidentState, str]] = {
    (_S.OPEN, _A.ACKNOWLEDGE): (_S.ACKNOWLEDGED, "moved"),
    (_S.OPEN, _A.RESOLVE): (_S.RESOLVED, "moved"),
    (_S.OPEN, _A.REOPEN): (_S.OPEN, "same"),
    (_S.ACKNOWLEDGED, _A.ACKNOWLEDGE): (_S.ACKNOWLEDGED, "same"),
    (_S.ACKNOWLEDGED, _A.RESOLVE): (_S.RESOLVED, "moved"),
    (_S.ACKNOWLEDGED, _A.REOPEN): (_S.ACKNOWLEDGED, "same"),
    (_S.RESOLVED, _A.ACKNOWLEDGE): (_S.RESOLVED, "refused"),
    (_S.RESOLVED, _A.RESOLVE): (_S.RESOLVED, "same"),
    (_S.RESOLVED, _A.REOPEN): (_S.OPEN, "moved"),
}


def next_state(now: IncidentState, act: IncidentAct) -> tuple[IncidentState, str]:
    """State after `act`, and the reason: `moved`, `same` (already so) or `refused` (not from here).

    >>> next_state(IncidentState.OPEN, IncidentAct.ACKNOWLEDGE)
    (<IncidentState.ACKNOWLEDGED: 'acknowledged'>, 'moved')
    >>> next_state(IncidentState.RESOLVED, IncidentAct.ACKNOWLEDGE)
    (<IncidentState.RESOLVED: 'resolved'>, 'refused')
    """
    return _MOVES[now, act]
