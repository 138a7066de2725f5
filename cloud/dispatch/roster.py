"""Who could go: workers of a place's grid, inherited from its parents, and the site's duty officer."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.dispatch.choice import Candidate
from cloud.dispatch.states import LIVE
from cloud.dispatch.tables import Task
from cloud.fleet.tables import GridWorker, Place, Site
from cloud.people.accounts import works_at
from cloud.people.tables import Account


def grid_of(session: Session, place_id: str | None) -> str | None:
    """Grid of a place, or of the nearest of its parents that has one."""
    seen: set[str] = set()
    while place_id is not None and place_id not in seen:
        seen.add(place_id)
        place = session.get(Place, place_id)
        if place is None:
            return None
        if place.grid_id is not None:
            return place.grid_id
        place_id = place.parent_id
    return None


def workers_for(session: Session, place_id: str | None) -> list[Candidate]:
    """Enabled workers of the place's grid with what each has in hand; empty where there is no grid."""
    grid_id = grid_of(session, place_id)
    if grid_id is None:
        return []
    in_hand = (
        select(func.count(Task.id))
        .where(Task.assignee_id == GridWorker.account_id, Task.state.in_([state.value for state in LIVE]))
        .scalar_subquery()
    )
    query = (
        select(GridWorker.account_id, GridWorker.rank, in_hand)
        .join(Account, Account.id == GridWorker.account_id)
        .where(GridWorker.grid_id == grid_id, Account.disabled_at.is_(None))
    )
    return [Candidate(*row) for row in session.execute(query)]


def duty_officer_of(session: Session, site_id: str) -> str | None:
    """Who has it when nobody else does; None when none is set, or the account is disabled."""
    site = session.get(Site, site_id)
    officer = site.duty_officer_id if site else None
    return officer if officer and works_at(session, officer, site_id) else None
