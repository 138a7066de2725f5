"""The first line of the queue: how much waits, for how long, and whether everything is heard."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.incidents.tables import Incident
from cloud.web.console.queries.fleet import presence
from cloud.web.console.queries.incidents import SEVERITIES, counts
from cloud.web.console.queries.scope import within


@dataclass(frozen=True, slots=True)
class Lead:
    """Hazards alone; exercises are not counted. `longest` is when the longest waiting one was opened."""

    waiting: int
    handled: int
    longest: int | None
    by_severity: dict[str, int]
    gateways: int
    gateways_bad: int


def lead_of(session: Session, sites: Collection[str], now: int) -> Lead:
    """Counts over all hazards of these sites that are not resolved, whatever the list shows."""
    found = {
        (severity, state): n
        for (kind, severity, state), n in counts(session, sites).items()
        if kind == "hazard"
    }
    gateways, bad = presence(session, sites, now)
    return Lead(
        waiting=sum(n for (_, state), n in found.items() if state == "open"),
        handled=sum(n for (_, state), n in found.items() if state == "acknowledged"),
        longest=_longest(session, sites),
        by_severity={
            word: sum(n for (severity, _), n in found.items() if severity == word) for word in SEVERITIES
        },
        gateways=gateways,
        gateways_bad=bad,
    )


def _longest(session: Session, sites: Collection[str]) -> int | None:
    query = select(func.min(Incident.opened_at)).where(
        within(Incident.site_id, sites),
        Incident.state == "open",
        Incident.kind == "hazard",
        ~Incident.exercise,
    )
    return session.scalar(query)
