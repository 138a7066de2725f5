"""People's matters: the queue, one matter in full, and what people do about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.dispatch.assign import issue_task
from cloud.dispatch.conclude import conclude
from cloud.dispatch.tables import Task
from cloud.errors import NotFoundError
from cloud.fleet.tables import Site
from cloud.incidents.matter import acknowledge
from cloud.incidents.report import add_note, report_incident
from cloud.incidents.tables import AlertRow, Incident, TimelineEntry
from cloud.people import audit
from cloud.people.roles import Permission
from cloud.web.api.alerts import AlertAnswer
from cloud.web.api.answers import Answer, Done, Page
from cloud.web.api.briefs import IncidentBrief, PersonBrief, brief_of, read_people, read_places
from cloud.web.api.cursors import behind, cursor_of
from cloud.web.api.moments import Moment
from cloud.web.security.access import Access, needs, within
from cloud.web.state import State, WebState
from models.alert import Severity

router = APIRouter(tags=["incidents"])


class TaskBrief(Answer):
    """Who looks, and how far they are."""

    id: str
    purpose: str
    state: str
    assignee: PersonBrief | None
    issued_at: Moment


class IncidentAnswer(IncidentBrief):
    """One matter. `onset_at` is when it began, `quiet_since` since when nothing of it fires."""

    site_id: str
    origin: str
    opened_at: Moment
    acknowledged_at: Moment | None
    acknowledged_by: PersonBrief | None
    resolved_at: Moment | None
    quiet_since: Moment | None
    openings: int
    version: int
    alerts: int
    tasks: list[TaskBrief]


class Entry(Answer):
    """One line of what happened; `code` and `parameters` are put into words by the reader's page."""

    id: int
    at: Moment
    actor: str
    code: str
    parameters: Any


class IncidentInFull(Answer):
    """A matter with all there is about it."""

    incident: IncidentAnswer
    alerts: list[AlertAnswer]
    timeline: list[Entry]


class Report(Answer):
    """What a person saw. `place` is a place's path in the site, or its id; null: the whole site."""

    site: str
    place: Annotated[str | None, Field(max_length=128)] = None
    hazard: Annotated[str, Field(min_length=1, max_length=64)]
    severity: Severity = Severity.MODERATE
    summary: Annotated[str, Field(max_length=2000)] = ""
    exercise: bool = False


class Resolution(Answer):
    """Why it is over."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class Note(Answer):
    """What others should know."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]


@router.get("/incidents")
def list_incidents(
    state: State,
    site: str | None = None,
    in_state: Annotated[
        str | None, Query(alias="state", max_length=64, description="one, or several with commas")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[str | None, Query(max_length=96)] = None,
    access: Access = needs(Permission.SEE),
) -> Page[IncidentAnswer]:
    """Incidents, last opened first."""
    query = select(Incident).where(within(Incident.site_id, access.narrow(site)))
    if in_state:
        query = query.where(Incident.state.in_(in_state.split(",")))
    if before:
        query = query.where(behind(Incident.opened_at, Incident.id, before))
    query = query.order_by(Incident.opened_at.desc(), Incident.id.desc()).limit(limit + 1)
    with state.reading() as session:
        rows = session.scalars(query).all()
        items = describe(session, rows[:limit])
    following = cursor_of(rows[limit - 1].opened_at, rows[limit - 1].id) if len(rows) > limit else None
    return Page(items=items, next=following)


@router.post("/incidents", status_code=201)
def open_incident(given: Report, state: State, access: Access = needs(Permission.REPORT)) -> IncidentAnswer:
    """Open a matter that a person saw, and send somebody; joins the open one where there is one."""
    now = state.now
    with state.writing() as session:
        if session.get(Site, given.site) is None:
            raise NotFoundError("not_found", "no such thing, or not for you")
        access.check(given.site)
        incident, _ = report_incident(
            session,
            site_id=given.site,
            place=given.place,
            hazard=given.hazard,
            severity=given.severity,
            summary=given.summary,
            actor=access.actor.name,
            exercise=given.exercise,
            now=now,
        )
        issue_task(session, incident, None, now)
        _audit(session, state, access, incident, "incident.report", {}, given.model_dump(mode="json"))
        session.flush()
        return describe(session, [incident])[0]


@router.get("/incidents/{incident_id}")
def get_incident(incident_id: str, state: State, access: Access = needs(Permission.SEE)) -> IncidentInFull:
    """One matter with its alerts and timeline."""
    with state.reading() as session:
        incident = find(session, incident_id, access)
        alerts = select(AlertRow).where(AlertRow.incident_id == incident_id).order_by(AlertRow.onset_at)
        entries = select(TimelineEntry).where(TimelineEntry.incident_id == incident_id)
        return IncidentInFull(
            incident=describe(session, [incident])[0],
            alerts=[AlertAnswer.model_validate(row) for row in session.scalars(alerts.limit(1000))],
            timeline=[
                Entry.model_validate(row)
                for row in session.scalars(entries.order_by(TimelineEntry.id).limit(5000))
            ],
        )


@router.post("/incidents/{incident_id}/acknowledge")
def acknowledge_incident(incident_id: str, state: State, access: Access = needs(Permission.DECIDE)) -> Done:
    """Take charge. Doing it again changes nothing; 409 when it is resolved."""
    with state.writing() as session:
        incident = find(session, incident_id, access)
        before = incident.state
        changed = acknowledge(session, incident, access.actor.name, access.actor.account_id, state.now)
        if changed:
            after = {"state": incident.state}
            _audit(session, state, access, incident, "incident.acknowledge", {"state": before}, after)
        return Done(changed=changed, state=incident.state)


@router.post("/incidents/{incident_id}/resolve")
def resolve_incident(
    incident_id: str,
    state: State,
    given: Resolution | None = None,
    access: Access = needs(Permission.DECIDE),
) -> Done:
    """Say that it is over: its tasks close. Doing it again changes nothing."""
    reason = given.reason if given else ""
    with state.writing() as session:
        incident = find(session, incident_id, access)
        before = incident.state
        changed = conclude(session, incident, access.actor.name, reason, state.now)
        if changed:
            after = {"state": incident.state, "reason": reason}
            _audit(session, state, access, incident, "incident.resolve", {"state": before}, after)
        return Done(changed=changed, state=incident.state)


@router.post("/incidents/{incident_id}/note")
def note_incident(
    incident_id: str, given: Note, state: State, access: Access = needs(Permission.REPORT)
) -> Done:
    """Write into the timeline what others should know."""
    with state.writing() as session:
        incident = find(session, incident_id, access)
        add_note(session, incident, access.actor.name, given.text, state.now)
        _audit(session, state, access, incident, "incident.note", {}, {"text": given.text})
        return Done(changed=True, state=incident.state)


def find(session: Session, incident_id: str, access: Access) -> Incident:
    """The incident if the asker may do here what the route is for."""
    row = session.get(Incident, incident_id)
    if row is None:
        raise NotFoundError("not_found", "no such thing, or not for you")
    access.check(row.site_id)
    return row


def describe(session: Session, rows: Any) -> list[IncidentAnswer]:
    """Incidents as the API says them; five queries however many there are."""
    ids = [row.id for row in rows]
    tasks = session.scalars(select(Task).where(Task.incident_id.in_(ids)).order_by(Task.issued_at)).all()
    people = read_people(
        session, [*(row.acknowledged_by for row in rows), *(task.assignee_id for task in tasks)]
    )
    places = read_places(session, [row.place_id for row in rows])
    counting = select(AlertRow.incident_id, func.count()).where(AlertRow.incident_id.in_(ids))
    counts: dict[str | None, int] = dict(session.execute(counting.group_by(AlertRow.incident_id)).all())
    briefs: dict[str, list[TaskBrief]] = {id: [] for id in ids}
    for task in tasks:
        briefs[task.incident_id].append(
            TaskBrief(
                id=task.id,
                purpose=task.purpose,
                state=task.state,
                assignee=people.get(task.assignee_id or ""),
                issued_at=task.issued_at,
            )
        )
    return [
        IncidentAnswer(
            **brief_of(row, places).model_dump(),
            site_id=row.site_id,
            origin=row.origin,
            opened_at=row.opened_at,
            acknowledged_at=row.acknowledged_at,
            acknowledged_by=people.get(row.acknowledged_by or ""),
            resolved_at=row.resolved_at,
            quiet_since=row.quiet_since,
            openings=row.openings,
            version=row.version,
            alerts=counts.get(row.id, 0),
            tasks=briefs[row.id],
        )
        for row in rows
    ]


def _audit(
    session: Session,
    state: WebState,
    access: Access,
    incident: Incident,
    action: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    audit.record(
        session,
        site_id=incident.site_id,
        actor=access.actor.name,
        action=action,
        subject=incident.id,
        before=before,
        after=after,
        at=state.now,
    )
