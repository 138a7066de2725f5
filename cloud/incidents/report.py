"""What people say about a matter: that there is one, and what others should know."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cloud.errors import InvalidError
from cloud.fleet.tables import Place
from cloud.incidents import matter
from cloud.incidents.severity import Claim, judge_severity
from cloud.incidents.tables import Incident
from cloud.incidents.timeline import add_entry
from models.alert import AlertKind, Severity


def report_incident(
    session: Session,
    *,
    site_id: str,
    place: str | None,
    hazard: str,
    severity: Severity,
    summary: str,
    actor: str,
    exercise: bool = False,
    now: int,
) -> tuple[Incident, bool]:
    """Open a matter because a person saw it, or add to the open one; whether it was opened.

    `place` is a place's id or its path in the site; InvalidError when the site has none such.
    """
    place_id = _place_id(session, site_id, place)
    key = matter.open_key(site_id, place_id, hazard, AlertKind.HAZARD, exercise)
    fields = {
        "id": matter.derive_id("reported", actor, key, str(now)),
        "site_id": site_id,
        "place_id": place_id,
        "open_key": key,
        "kind": AlertKind.HAZARD.value,
        "hazard": hazard,
        "severity": severity.value,
        "origin": "person",
        "exercise": exercise,
        "summary": summary,
        "onset_at": now,
    }
    incident, made = matter.open_or_find(session, fields, now)
    add_entry(
        session, incident, "reported", actor, now, hazard=hazard, severity=severity.value, summary=summary
    )
    if made:
        matter.announce(session, incident, "incident.opened", "person", now)
        return incident, True
    raised, reason = judge_severity(Severity(incident.severity), [Claim(actor, severity)])
    if reason != "same":
        matter.raise_severity(session, incident, raised, reason, now)
    matter.announce(session, incident, "incident.changed", "reported", now)
    return incident, False


def add_note(session: Session, incident: Incident, actor: str, text: str, now: int) -> None:
    """Write words into the timeline; allowed in every state, as people learn things afterwards too."""
    add_entry(session, incident, "note", actor, now, text=text)
    matter.announce(session, incident, "incident.changed", "note", now)


def _place_id(session: Session, site_id: str, place: str | None) -> str | None:
    if not place:
        return None
    found = session.get(Place, place)
    if found is None or found.site_id != site_id:
        found = session.query(Place).filter_by(site_id=site_id, path=place).one_or_none()
    if found is None:
        raise InvalidError("place", f"site {site_id!r} has no place {place!r}")
    return found.id
