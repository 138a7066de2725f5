"""Short forms of places, people and incidents that many answers carry; read in one query each."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.fleet.tables import Place
from cloud.incidents.tables import Incident
from cloud.people.tables import Account
from cloud.web.api.answers import Answer
from cloud.web.api.moments import Moment


class PlaceBrief(Answer):
    """Where."""

    id: str
    path: str
    name: str


class PersonBrief(Answer):
    """Who."""

    id: str
    login: str
    name: str


class IncidentBrief(Answer):
    """What a task is about."""

    id: str
    kind: str
    hazard: str
    severity: str
    state: str
    exercise: bool
    summary: str
    place: PlaceBrief | None
    onset_at: Moment


def read_places(session: Session, ids: Iterable[str | None]) -> dict[str, PlaceBrief]:
    """Places by id."""
    wanted = {id for id in ids if id}
    if not wanted:
        return {}
    rows = session.scalars(select(Place).where(Place.id.in_(wanted)))
    return {row.id: PlaceBrief.model_validate(row) for row in rows}


def read_people(session: Session, ids: Iterable[str | None]) -> dict[str, PersonBrief]:
    """People by account id."""
    wanted = {id for id in ids if id}
    if not wanted:
        return {}
    rows = session.execute(
        select(Account.id, Account.login, Account.display_name).where(Account.id.in_(wanted))
    )
    return {id: PersonBrief(id=id, login=login, name=name) for id, login, name in rows}


def read_incidents(session: Session, ids: Iterable[str]) -> dict[str, IncidentBrief]:
    """Incidents by id, with their places."""
    rows = session.scalars(select(Incident).where(Incident.id.in_(set(ids)))).all()
    places = read_places(session, [row.place_id for row in rows])
    return {row.id: brief_of(row, places) for row in rows}


def brief_of(row: Incident, places: dict[str, PlaceBrief]) -> IncidentBrief:
    """One incident's short form."""
    return IncidentBrief(
        id=row.id,
        kind=row.kind,
        hazard=row.hazard,
        severity=row.severity,
        state=row.state,
        exercise=row.exercise,
        summary=row.summary,
        place=places.get(row.place_id or ""),
        onset_at=row.onset_at,
    )
