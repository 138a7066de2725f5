"""What happened to an incident, as codes with parameters; the page puts them into words."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from cloud.incidents.tables import Incident, TimelineEntry

SYSTEM = "system"  # actor of what happened by itself

# Every code there is, with its parameters. People appear as logins, times as ns UTC.
CODES: dict[str, tuple[str, ...]] = {
    "opened": ("hazard", "severity", "alert"),
    "reported": ("hazard", "severity", "summary"),
    "alert_joined": ("alert", "monitor", "channel", "severity"),
    "alert_resolved": ("alert", "monitor", "channel"),
    "late": ("alert", "onset_at", "received_at"),
    "severity_raised": ("before", "after", "reason"),
    "quiet": (),
    "acknowledged": (),
    "resolved": ("reason",),
    "reopened": ("alert",),
    "note": ("text",),
    "task_issued": ("task", "purpose", "assignee", "because"),
    "task_unassigned": ("task", "purpose"),
    "task_delivered": ("task",),
    "task_accepted": ("task", "by"),
    "task_on_site": ("task", "by"),
    "task_verified": ("task",),
    "task_closed": ("task", "reason"),
    "escalated": ("task", "clock", "rung", "before", "assignee", "because"),
    "outcome": ("task", "verdict", "cause", "note", "measured_value", "measured_unit"),
}


def add_entry(
    session: Session, incident: Incident, code: str, actor: str, at: int, **parameters: Any
) -> None:
    """Write one line in the caller's transaction; KeyError for an unknown code or parameter."""
    if unknown := set(parameters) - set(CODES[code]):
        raise KeyError(f"timeline code {code} has no {sorted(unknown)}")
    session.add(
        TimelineEntry(
            site_id=incident.site_id,
            incident_id=incident.id,
            at=at,
            actor=actor,
            code=code,
            parameters=parameters,
        )
    )
