"""What machines claimed, with what makes it explainable and re-runnable."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, NotFoundError
from cloud.incidents.evidence import is_evidence
from cloud.incidents.tables import AlertRow, EvidenceRow
from cloud.people.roles import Permission
from cloud.web.api.answers import Answer, Page
from cloud.web.api.cursors import behind, cursor_of
from cloud.web.api.moments import Moment
from cloud.web.api.series import or_null
from cloud.web.security.access import Access, needs, within
from cloud.web.state import State
from models.alert import Alert, Evidence
from models.errors import LastmileError
from models.replay import replay_evidence

router = APIRouter(tags=["alerts"])

_MS_NS = 1_000_000


class AlertAnswer(Answer):
    """An alert's latest state."""

    id: str
    site_id: str
    gateway_id: str
    channel_id: int | None
    place_id: str | None
    incident_id: str | None
    monitor: str
    kind: str
    hazard: str
    severity: str
    state: str
    trial: bool
    exercise: bool
    score: float
    onset_at: Moment
    measured_at: Moment
    received_at: Moment
    resolved_at: Moment | None


class AlertInFull(AlertAnswer):
    """With everything the machine said; times inside `alert` are ns UTC, as on the wire."""

    alert: Any
    has_evidence: bool


class Band(Answer):
    """The detector run again over the evidence. Columns of equal length; `times` ms UTC."""

    alert: str
    channel: str
    threshold: float
    times: list[int]
    values: list[float | None]
    score: list[float | None]
    expected: list[float | None]
    lower: list[float | None]
    upper: list[float | None]


@router.get("/alerts")
def list_alerts(
    state: State,
    site: str | None = None,
    incident: str | None = None,
    gateway: str | None = None,
    in_state: Annotated[str | None, Query(alias="state", max_length=16)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    before: Annotated[str | None, Query(max_length=96)] = None,
    access: Access = needs(Permission.SEE),
) -> Page[AlertAnswer]:
    """Alerts, latest onset first."""
    query = select(AlertRow).where(within(AlertRow.site_id, access.narrow(site)))
    wanted = ((AlertRow.incident_id, incident), (AlertRow.gateway_id, gateway), (AlertRow.state, in_state))
    for column, value in wanted:
        query = query if value is None else query.where(column == value)
    if before:
        query = query.where(behind(AlertRow.onset_at, AlertRow.id, before))
    query = query.order_by(AlertRow.onset_at.desc(), AlertRow.id.desc()).limit(limit + 1)
    with state.reading() as session:
        rows = session.scalars(query).all()
    shown = rows[:limit]
    following = cursor_of(shown[-1].onset_at, shown[-1].id) if len(rows) > limit else None
    return Page(items=[AlertAnswer.model_validate(row) for row in shown], next=following)


@router.get("/alerts/{alert_id}")
def get_alert(alert_id: str, state: State, access: Access = needs(Permission.SEE)) -> AlertInFull:
    """One alert with all it says."""
    with state.reading() as session:
        row = _find(session, alert_id, access)
        has_evidence = session.get(EvidenceRow, alert_id) is not None
    brief = AlertAnswer.model_validate(row).model_dump()
    return AlertInFull(alert=row.body, has_evidence=has_evidence, **brief)


@router.get("/alerts/{alert_id}/evidence")
def get_evidence(alert_id: str, state: State, access: Access = needs(Permission.SEE)) -> dict[str, Any]:
    """What re-runs the alert, as it came: models.alert.Evidence."""
    with state.reading() as session:
        return _evidence(session, _find(session, alert_id, access)).body


@router.get("/alerts/{alert_id}/band")
def get_band(alert_id: str, state: State, access: Access = needs(Permission.SEE)) -> Band:
    """What the detector expected around the alert: the same detector, run again over the same readings."""
    with state.reading() as session:
        row = _find(session, alert_id, access)
        body = _evidence(session, row).body
    try:
        alert, evidence = Alert.model_validate(row.body), Evidence.model_validate(body)
        again = replay_evidence(evidence, gateway=alert.gateway)
    except (ValidationError, LastmileError) as wrong:
        raise ConflictError("evidence", "the evidence cannot be run again here") from wrong
    numbers = [number for number, name in evidence.channels.items() if name == alert.channel]
    channel = np.concatenate([np.empty(0, np.int32), *(block.channel for block in again.readings)])
    values = np.concatenate([np.empty(0), *(block.value for block in again.readings)])
    mine = np.isin(channel, numbers)
    scores = again.scores
    return Band(
        alert=alert.id,
        channel=alert.channel,
        threshold=alert.threshold,
        times=(again.time[mine] // _MS_NS).tolist(),
        values=or_null(values[mine]),
        score=or_null(scores.score[mine]),
        expected=or_null(scores.expected[mine]),
        lower=or_null(scores.lower[mine]),
        upper=or_null(scores.upper[mine]),
    )


def _find(session: Session, alert_id: str, access: Access) -> AlertRow:
    row = session.get(AlertRow, alert_id)
    if row is None:
        raise NotFoundError("not_found", "no such thing, or not for you")
    access.check(row.site_id)
    return row


def _evidence(session: Session, row: AlertRow) -> EvidenceRow:
    evidence = session.get(EvidenceRow, row.id)
    if evidence is None or not is_evidence(evidence.body):
        raise NotFoundError("no_evidence", "this alert has no evidence, or it has not arrived yet")
    # Evidence names its alert; what another site's gateway claims about it is not shown here.
    if evidence.site_id != row.site_id:
        raise NotFoundError("no_evidence", "this alert has no evidence")
    return evidence
