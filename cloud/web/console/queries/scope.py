"""Which rows an asker may see, and the names of sites, places and people that rows point at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from cloud.fleet.tables import Place, Site
from cloud.people.roles import ALL_SITES
from cloud.people.tables import Account

_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class SiteName:
    """A site as pages need it."""

    id: str
    name: str
    zone: str


def within(column: InstrumentedAttribute[Any], sites: Collection[str]) -> ColumnElement[bool]:
    """Condition that a row's site is one of these; "*" means all."""
    return true() if ALL_SITES in sites else column.in_(sites)


def narrowed(sites: Collection[str], wanted: str) -> Collection[str]:
    """The asker's sites cut down to the one wanted; no site at all when it is not theirs.

    >>> narrowed({"*"}, "street"), narrowed({"harbour"}, "street"), narrowed({"harbour"}, "")
    (['street'], [], {'harbour'})
    """
    if not wanted:
        return sites
    return [wanted] if ALL_SITES in sites or wanted in sites else []


def read_sites(session: Session, sites: Collection[str]) -> dict[str, SiteName]:
    """Sites by id, in the order of their names."""
    rows = session.scalars(select(Site).where(within(Site.id, sites)).order_by(Site.name))
    return {row.id: SiteName(row.id, row.name, row.timezone) for row in rows}


def read_places(session: Session, ids: Iterable[str | None]) -> dict[str, tuple[str, ...]]:
    """Names from the outermost place to the place itself, by its id."""
    known: dict[str, Place] = {}
    wanted = {id for id in ids if id}
    asked = set(wanted)
    for _ in range(_DEEPEST):
        missing = asked - known.keys()
        if not missing:
            break
        known.update({row.id: row for row in session.scalars(select(Place).where(Place.id.in_(missing)))})
        asked = {known[id].parent_id for id in missing if id in known} - {None}
    return {id: _chain(known, id) for id in wanted if id in known}


def read_people(session: Session, ids: Iterable[str | None]) -> dict[str, str]:
    """Display names by account id."""
    wanted = {id for id in ids if id}
    if not wanted:
        return {}
    rows = session.execute(select(Account.id, Account.display_name).where(Account.id.in_(wanted)))
    return dict(rows.all())


def read_logins(session: Session, logins: Iterable[str]) -> dict[str, str]:
    """Display names by login."""
    wanted = set(logins)
    if not wanted:
        return {}
    rows = session.execute(select(Account.login, Account.display_name).where(Account.login.in_(wanted)))
    return dict(rows.all())


def _chain(known: dict[str, Place], id: str) -> tuple[str, ...]:
    names: list[str] = []
    place = known.get(id)
    while place is not None and len(names) < _DEEPEST:
        names.append(place.name)
        place = known.get(place.parent_id) if place.parent_id else None
    return tuple(reversed(names))
