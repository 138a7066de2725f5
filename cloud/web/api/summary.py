"""How the whole stands, in counts."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from cloud.dispatch.tables import OutcomeRow, Task
from cloud.fleet.tables import Channel, Gateway, GatewayStatus
from cloud.incidents.tables import AlertRow, Incident
from cloud.people.roles import ALL_SITES, Permission
from cloud.series.tables import Chunk, Landing
from cloud.storage.engine import reading
from cloud.web.api.answers import Answer
from cloud.web.api.moments import AskedMoment
from cloud.web.security.access import Access, needs, within
from cloud.web.state import State, WebState

router = APIRouter(tags=["summary"])

_SAMPLES = 10_000  # the last so many tasks are measured


class Latency(Answer):
    """Milliseconds from the measuring of the reading behind an alert to its task; null: no task yet."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


class Summary(Answer):
    """Counts by state, over the asker's sites; with `since` of what came from then on."""

    gateways: dict[str, int]
    channels: int
    readings: int
    alerts: dict[str, int]
    incidents: dict[str, int]
    tasks: dict[str, int]
    outcomes: dict[str, int]
    sensor_to_task_ms: Latency


@router.get("/summary")
def get_summary(
    state: State,
    site: str | None = None,
    since: AskedMoment | None = None,
    access: Access = needs(Permission.SEE),
) -> Summary:
    """Counts and latencies. Trial alerts are counted apart, as `trial`."""
    sites = access.narrow(site)
    begin = 0 if since is None else since
    with state.reading() as session:
        presence = select(func.coalesce(GatewayStatus.presence, "unknown"), func.count())
        joined = presence.select_from(Gateway).outerjoin(
            GatewayStatus, GatewayStatus.gateway_id == Gateway.id
        )
        gateways = session.execute(
            joined.where(within(Gateway.site_id, sites)).group_by(GatewayStatus.presence)
        )
        trial = select(func.count()).where(AlertRow.trial, AlertRow.received_at >= begin)
        return Summary(
            gateways=dict(gateways.all()),
            channels=session.scalar(
                select(func.count()).select_from(Channel).where(within(Channel.site_id, sites))
            )
            or 0,
            readings=_readings(session, state, sites),
            alerts=_counts(session, AlertRow.state, AlertRow.site_id, AlertRow.received_at, sites, begin)
            | {"trial": session.scalar(trial.where(within(AlertRow.site_id, sites))) or 0},
            incidents=_counts(session, Incident.state, Incident.site_id, Incident.opened_at, sites, begin),
            tasks=_counts(session, Task.state, Task.site_id, Task.issued_at, sites, begin),
            outcomes=_counts(
                session, OutcomeRow.verdict, OutcomeRow.site_id, OutcomeRow.answered_at, sites, begin
            ),
            sensor_to_task_ms=_latency(session, sites, begin),
        )


def _counts(
    session: Session,
    what: InstrumentedAttribute[str],
    site: InstrumentedAttribute[str],
    at: InstrumentedAttribute[int],
    sites: frozenset[str],
    begin: int,
) -> dict[str, int]:
    query = select(what, func.count()).where(within(site, sites), at >= begin).group_by(what)
    if what.class_ is AlertRow:
        query = query.where(AlertRow.trial.is_(False))
    return dict(session.execute(query).all())


def _latency(session: Session, sites: frozenset[str], begin: int) -> Latency:
    query = (
        select((Task.issued_at - Task.measured_at) / 1_000_000.0)
        .where(within(Task.site_id, sites), Task.measured_at.is_not(None), Task.issued_at >= begin)
        .order_by(Task.issued_at.desc())
        .limit(_SAMPLES)
    )
    samples = [float(value) for value in session.scalars(query)]
    if not samples:
        return Latency(count=0, p50=None, p95=None, p99=None)
    p50, p95, p99 = (round(float(value), 3) for value in np.percentile(samples, (50, 95, 99)))
    return Latency(count=len(samples), p50=p50, p95=p95, p99=p99)


def _readings(session: Session, state: WebState, sites: frozenset[str]) -> int:
    """Readings stored, landed and compacted."""
    landed, kept = select(func.sum(Landing.readings)), select(func.sum(Chunk.readings))
    if ALL_SITES not in sites:
        gateways = session.scalars(select(Gateway.id).where(within(Gateway.site_id, sites))).all()
        channels = session.scalars(select(Channel.id).where(within(Channel.site_id, sites))).all()
        landed = landed.where(Landing.gateway_id.in_(gateways))
        kept = kept.where(Chunk.channel_id.in_(channels))
    with reading(state.series) as series:
        return (series.scalar(landed) or 0) + (series.scalar(kept) or 0)
