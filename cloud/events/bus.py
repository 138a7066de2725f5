"""Publishing to the table that every live page tails, and reading on from where one stopped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cloud.events.tables import Event
from cloud.storage.dialect import order_events

ALL_SITES = "*"


def publish(
    session: Session, *, site_id: str, kind: str, subject: str, payload: dict[str, Any], at: int
) -> None:
    """Add one event in the caller's transaction: it is seen if and only if what it tells of is kept.

    `payload` holds ids and codes, no words and no secrets; pages ask for the rest.
    """
    order_events(session)
    session.add(Event(site_id=site_id, at=at, kind=kind, subject=subject, payload=payload))


def read_after(
    session: Session, last_id: int, site_ids: Collection[str], limit: int = 500
) -> Sequence[Event]:
    """Events with ids above `last_id` of these sites ("*" in them: of all), oldest first, at most `limit`."""
    query = select(Event).where(Event.id > last_id).order_by(Event.id).limit(limit)
    if ALL_SITES not in site_ids:
        query = query.where(Event.site_id.in_(site_ids))
    return session.scalars(query).all()


def last_id(session: Session) -> int:
    """Highest id so far, 0 when there is none: where a new reader begins."""
    return session.scalar(select(func.max(Event.id))) or 0


def forget_before(session: Session, at: int) -> None:
    """Drop events older than `at`, but never the newest: its id must not be given out again."""
    session.execute(delete(Event).where(Event.at < at, Event.id < last_id(session)))
