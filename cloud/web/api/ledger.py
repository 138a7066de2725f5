"""Did we miss anything? What is stored of each stream, what is not, and what could not be used."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.ingest.tables import LedgerRecord, Quarantine, UrgentIdentity
from cloud.people.roles import Permission
from cloud.series.tables import BulkIdentity, Landing
from cloud.storage.engine import reading
from cloud.web.api import gateways
from cloud.web.api.answers import Answer, Page
from cloud.web.api.moments import Moment
from cloud.web.security.access import Access, needs, within
from cloud.web.state import State

router = APIRouter(tags=["ledger"])


class StreamLedger(Answer):
    """One lane of a gateway. `missing`: numbers below the highest of their epoch that are not stored.

    `duplicates`: identities whose body is stored more than once, which must be none.
    """

    stream: str
    epoch: int
    highest: int
    stored: int
    missing: int
    duplicates: int
    quarantined: int
    gaps: int
    outages: int


class Record(Answer):
    """What the gateway itself says is missing."""

    kind: str
    from_at: Moment
    to_at: Moment
    record: Any


class LedgerAnswer(Answer):
    """A gateway's ledger."""

    gateway: str
    streams: list[StreamLedger]
    records: list[Record]


class QuarantineAnswer(Answer):
    """A message that is kept because it could not be used."""

    id: int
    gateway_id: str | None
    topic: str
    epoch: int | None
    stream: int | None
    sequence: int | None
    code: str
    detail: str
    bytes: int
    received_at: Moment


@router.get("/ledger")
def get_ledger(gateway: str, state: State, access: Access = needs(Permission.SEE_LEDGER)) -> LedgerAnswer:
    """Per stream: highest number, missing, doubled, quarantined; and the gateway's own gap records."""
    with state.reading() as session:
        gateways.find(session, gateway, access)
        records = session.scalars(
            select(LedgerRecord).where(LedgerRecord.gateway_id == gateway).order_by(LedgerRecord.from_at)
        ).all()
        urgent = _identities(session, UrgentIdentity, gateway)
    with reading(state.series) as session:
        bulk = _identities(session, BulkIdentity, gateway)
        doubled = _doubled(session, gateway)
    told = {kind: sum(one.kind == kind for one in records) for kind in ("gap", "outage")}
    return LedgerAnswer(
        gateway=gateway,
        streams=[
            StreamLedger(stream="urgent", duplicates=0, gaps=0, outages=0, **urgent),
            StreamLedger(stream="bulk", duplicates=doubled, gaps=told["gap"], outages=told["outage"], **bulk),
        ],
        records=[Record.model_validate(one) for one in records],
    )


@router.get("/quarantine")
def list_quarantine(
    state: State,
    gateway: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    before: Annotated[int | None, Query(ge=0)] = None,
    access: Access = needs(Permission.SEE_LEDGER),
) -> Page[QuarantineAnswer]:
    """Messages that could not be used, last first. What names no known site only `*` may see."""
    columns = [getattr(Quarantine, name) for name in _SHOWN]
    query = select(*columns, func.length(Quarantine.payload).label("bytes"))
    query = query.where(within(Quarantine.site_id, access.sites))
    if gateway is not None:
        query = query.where(Quarantine.gateway_id == gateway)
    if before is not None:
        query = query.where(Quarantine.id < before)
    with state.reading() as session:
        rows = session.execute(query.order_by(Quarantine.id.desc()).limit(limit + 1)).all()
    following = str(rows[limit - 1].id) if len(rows) > limit else None
    return Page(items=[QuarantineAnswer.model_validate(row) for row in rows[:limit]], next=following)


_SHOWN = "id gateway_id topic epoch stream sequence code detail received_at".split()


def _identities(
    session: Session, table: type[UrgentIdentity] | type[BulkIdentity], gateway: str
) -> dict[str, int]:
    """Counts over all epochs; `epoch` and `highest` of the last one."""
    query = (
        select(
            table.epoch,
            func.max(table.sequence),
            func.count(),
            func.count().filter(table.quarantined.is_(True)),
        )
        .where(table.gateway_id == gateway)
        .group_by(table.epoch)
        .order_by(table.epoch)
    )
    rows = session.execute(query).all()
    epoch, highest = (rows[-1][0], rows[-1][1]) if rows else (0, 0)
    return {
        "epoch": epoch,
        "highest": highest,
        "stored": sum(row[2] for row in rows),
        "missing": sum(row[1] - row[2] for row in rows),
        "quarantined": sum(row[3] for row in rows),
    }


def _doubled(session: Session, gateway: str) -> int:
    twice = (
        select(func.count().label("times"))
        .where(Landing.gateway_id == gateway)
        .group_by(Landing.epoch, Landing.sequence)
        .having(func.count() > 1)
        .subquery()
    )
    return session.scalar(select(func.coalesce(func.sum(twice.c.times - 1), 0))) or 0
