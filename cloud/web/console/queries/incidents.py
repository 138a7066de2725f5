"""Incidents: rows of the queue, and one with everything that belongs to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from cloud.fleet.tables import Channel
from cloud.incidents.tables import AlertRow, EvidenceRow, Incident, TimelineEntry
from cloud.web.console.queries.scope import read_logins, read_people, read_places, read_sites, within
from cloud.web.console.queries.tasks import TaskRow, tasks_of_incidents
from models.alert import Alert, Moment, Severity

SEVERITIES = tuple(word.value for word in reversed(Severity))  # gravest first
ATTENTION = ("open", "acknowledged")
KINDS = ("hazard", "maintenance")


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident as the queue shows it."""

    id: str
    site_id: str
    site: str
    zone: str
    place: tuple[str, ...]
    kind: str
    hazard: str
    severity: str
    state: str
    origin: str
    exercise: bool
    summary: str
    onset_at: int
    opened_at: int
    acknowledged_at: int | None
    acknowledged_by: str
    resolved_at: int | None
    alerts: int
    tasks: tuple[TaskRow, ...]

    @property
    def task(self) -> TaskRow | None:
        """The task that is still waiting, else the latest."""
        waiting = [task for task in self.tasks if task.is_waiting]
        return (waiting or list(self.tasks) or [None])[-1]

    @property
    def holder(self) -> str:
        """Who has it: whoever acknowledged it, else whoever accepted its task; empty when nobody has."""
        if self.acknowledged_by:
            return self.acknowledged_by
        task = self.task
        return task.assignee if task and task.times["accepted"] else ""


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What there is to re-run an alert, from when to when (ns UTC), and the past moments most like it."""

    start_at: int
    end_at: int
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert of an incident with the channel it speaks of. `alert` is None when its body does not parse."""

    id: str
    monitor: str
    hazard: str
    severity: str
    state: str
    trial: bool
    gateway_id: str
    received_at: int
    alert: Alert | None
    channel_id: int | None
    channel: str
    channel_kind: str
    resolution: float
    evidence: EvidenceView | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the timeline; `names` are display names of the logins it speaks of."""

    id: int
    at: int
    actor: str
    names: dict[str, str]
    code: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident and all that belongs to it."""

    row: IncidentRow
    alerts: tuple[AlertView, ...]
    timeline: tuple[Happening, ...]


def queue(
    session: Session,
    sites: Collection[str],
    *,
    states: Collection[str],
    kinds: Collection[str],
    limit: int,
    resolved_after: int = 0,
) -> list[IncidentRow]:
    """Incidents by severity, then the longest waiting first, exercises last; resolved ones latest first."""
    rank = case({word: place for place, word in enumerate(SEVERITIES)}, value=Incident.severity, else_=9)
    is_closed = "resolved" in states
    urgency = (Incident.exercise, rank, Incident.opened_at, Incident.id)
    order = (Incident.resolved_at.desc(),) if is_closed else urgency
    query = select(Incident).where(
        within(Incident.site_id, sites), Incident.state.in_(states), Incident.kind.in_(kinds)
    )
    if is_closed:
        query = query.where(Incident.resolved_at >= resolved_after)
    return _rows(session, session.scalars(query.order_by(*order).limit(limit)).all())


def counts(session: Session, sites: Collection[str]) -> dict[tuple[str, str, str], int]:
    """How many incidents are not resolved, by (kind, severity, state)."""
    group = (Incident.kind, Incident.severity, Incident.state)
    query = select(*group, func.count()).where(
        within(Incident.site_id, sites), Incident.state.in_(ATTENTION), ~Incident.exercise
    )
    return {
        (kind, severity, state): n for kind, severity, state, n in session.execute(query.group_by(*group))
    }


def rows_by_id(session: Session, ids: Collection[str]) -> dict[str, IncidentRow]:
    """Incidents by id; the caller has checked their sites."""
    found = session.scalars(select(Incident).where(Incident.id.in_(ids))).all()
    return {row.id: row for row in _rows(session, found)}


def incident_with(session: Session, incident_id: str, sites: Collection[str]) -> IncidentView | None:
    """One incident, if it is at one of these sites."""
    query = select(Incident).where(Incident.id == incident_id, within(Incident.site_id, sites))
    rows = _rows(session, session.scalars(query).all())
    if not rows:
        return None
    return IncidentView(
        rows[0], tuple(alerts_of(session, incident_id)), tuple(_timeline(session, incident_id))
    )


def alerts_of(session: Session, incident_id: str) -> list[AlertView]:
    """Alerts of an incident, gravest and then earliest first."""
    # Evidence is large: window and snapshot stay where they are. What another site's gateway claims of an
    # alert is not shown.
    brief = [EvidenceRow.body[name] for name in ("start_at", "end_at", "moments")]
    own = (EvidenceRow.alert_id == AlertRow.id) & (EvidenceRow.site_id == AlertRow.site_id)
    query = (
        select(AlertRow, Channel, EvidenceRow.alert_id, *brief)
        .outerjoin(Channel, Channel.id == AlertRow.channel_id)
        .outerjoin(EvidenceRow, own)
        .where(AlertRow.incident_id == incident_id)
        .order_by(AlertRow.onset_at)
        .limit(200)
    )
    views = [
        _alert(row, channel, _evidence(*brief) if alert_id else None)
        for row, channel, alert_id, *brief in session.execute(query)
    ]
    return sorted(views, key=lambda view: _rank(view.severity))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _rows(session: Session, incidents: Sequence[Incident]) -> list[IncidentRow]:
    ids = [row.id for row in incidents]
    sites = read_sites(session, {row.site_id for row in incidents})
    places = read_places(session, (row.place_id for row in incidents))
    people = read_people(session, (row.acknowledged_by for row in incidents))
    tasks = tasks_of_incidents(session, ids)
    grouped = select(AlertRow.incident_id, func.count()).where(AlertRow.incident_id.in_(ids))
    alerts = dict(session.execute(grouped.group_by(AlertRow.incident_id)).all())
    return [
        IncidentRow(
            id=row.id,
            site_id=row.site_id,
            site=sites[row.site_id].name,
            zone=sites[row.site_id].zone,
            place=places.get(row.place_id or "", ()),
            kind=row.kind,
            hazard=row.hazard,
            severity=row.severity,
            state=row.state,
            origin=row.origin,
            exercise=row.exercise,
            summary=row.summary,
            onset_at=row.onset_at,
            opened_at=row.opened_at,
            acknowledged_at=row.acknowledged_at,
            acknowledged_by=people.get(row.acknowledged_by or "", ""),
            resolved_at=row.resolved_at,
            alerts=alerts.get(row.id, 0),
            tasks=tuple(tasks.get(row.id, ())),
        )
        for row in incidents
    ]


_MOMENTS = TypeAdapter(tuple[Moment, ...])


def _evidence(start_at: Any, end_at: Any, moments: Any) -> EvidenceView | None:
    """None when the body is not what evidence should be."""
    try:
        return EvidenceView(int(start_at), int(end_at), _MOMENTS.validate_python(moments or ()))
    except (TypeError, ValueError):
        return None


def _alert(row: AlertRow, channel: Channel | None, evidence: EvidenceView | None) -> AlertView:
    try:
        body = Alert.model_validate(row.body)
    except ValidationError:
        body = None
    name = channel.name if channel else (body.channel if body else "")
    return AlertView(
        id=row.id,
        monitor=row.monitor,
        hazard=row.hazard,
        severity=row.severity,
        state=row.state,
        trial=row.trial,
        gateway_id=row.gateway_id,
        received_at=row.received_at,
        alert=body,
        channel_id=row.channel_id,
        channel=name,
        channel_kind=channel.kind if channel else "",
        resolution=channel.resolution if channel else 0.0,
        evidence=evidence,
    )


def _timeline(session: Session, incident_id: str) -> list[Happening]:
    query = select(TimelineEntry).where(TimelineEntry.incident_id == incident_id)
    entries = session.scalars(query.order_by(TimelineEntry.id.desc()).limit(500)).all()
    names = read_logins(session, {login for row in entries for login in _logins(row)})
    return [
        Happening(
            row.id,
            row.at,
            row.actor,
            {login: names[login] for login in _logins(row) if login in names},
            row.code,
            row.parameters,
        )
        for row in entries
    ]


def _logins(row: TimelineEntry) -> list[str]:
    """Logins an entry speaks of: whoever did it, and whoever was asked."""
    kind, _, name = row.actor.partition("/")
    asked = [row.parameters.get(key) for key in ("assignee", "by", "before")]
    return [login for login in ([name] if kind == "person" else []) + asked if isinstance(login, str)]
