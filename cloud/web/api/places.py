"""Sites, places, grids and people."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from cloud.fleet.tables import Grid, GridWorker, Place, Site
from cloud.people.roles import ALL_SITES, Permission
from cloud.people.tables import Account, Grant
from cloud.web.api.answers import Answer, Page
from cloud.web.security.access import Access, needs, within
from cloud.web.state import State

router = APIRouter(tags=["places"])


class SiteAnswer(Answer):
    """A site with its clock and calendar."""

    id: str
    name: str
    timezone: str
    holidays: Any
    duty_officer_id: str | None


class PlaceAnswer(Answer):
    """A node of site / building / floor / room."""

    id: str
    site_id: str
    parent_id: str | None
    path: str
    name: str
    kind: str
    grid_id: str | None
    longitude: float | None
    latitude: float | None


class GridAnswer(Answer):
    """A part of a site; `workers` are account ids, first asked first."""

    id: str
    site_id: str
    name: str
    polygon: Any
    workers: list[str]


class PersonAnswer(Answer):
    """Somebody at a site."""

    id: str
    login: str
    name: str
    language: str
    is_disabled: bool
    roles: list[tuple[str, str]]


@router.get("/sites")
def list_sites(state: State, access: Access = needs(Permission.SEE)) -> Page[SiteAnswer]:
    """Sites one may see."""
    with state.reading() as session:
        rows = session.scalars(select(Site).where(within(Site.id, access.sites)).order_by(Site.id))
        return Page(items=[SiteAnswer.model_validate(row) for row in rows])


@router.get("/places")
def list_places(
    state: State, site: str | None = None, access: Access = needs(Permission.SEE)
) -> Page[PlaceAnswer]:
    """Places, parents before children."""
    with state.reading() as session:
        query = select(Place).where(within(Place.site_id, access.narrow(site)))
        rows = session.scalars(query.order_by(Place.site_id, Place.path))
        return Page(items=[PlaceAnswer.model_validate(row) for row in rows])


@router.get("/grids")
def list_grids(
    state: State, site: str | None = None, access: Access = needs(Permission.SEE)
) -> Page[GridAnswer]:
    """Grids with their workers in the order they are asked."""
    with state.reading() as session:
        grids = session.scalars(
            select(Grid).where(within(Grid.site_id, access.narrow(site))).order_by(Grid.id)
        ).all()
        members = select(GridWorker).where(GridWorker.grid_id.in_([grid.id for grid in grids]))
        workers: dict[str, list[str]] = {grid.id: [] for grid in grids}
        for member in session.scalars(members.order_by(GridWorker.rank, GridWorker.account_id)):
            workers[member.grid_id].append(member.account_id)
        return Page(
            items=[
                GridAnswer(
                    id=grid.id,
                    site_id=grid.site_id,
                    name=grid.name,
                    polygon=grid.polygon,
                    workers=workers[grid.id],
                )
                for grid in grids
            ]
        )


@router.get("/people")
def list_people(
    state: State, site: str | None = None, access: Access = needs(Permission.SEE_PEOPLE)
) -> Page[PersonAnswer]:
    """People with a role at the asker's sites; only those roles are told."""
    sites = access.narrow(site)
    with state.reading() as session:
        granted = select(Account, Grant.site_id, Grant.role).join(Grant, Grant.account_id == Account.id)
        if ALL_SITES not in sites:
            granted = granted.where(Grant.site_id.in_([*sites, ALL_SITES]))
        people: dict[str, PersonAnswer] = {}
        for account, site_id, role in session.execute(granted.order_by(Account.login, Grant.id)):
            person = people.setdefault(account.id, _person(account))
            person.roles.append((site_id, role))
    return Page(items=list(people.values()))


def _person(account: Account) -> PersonAnswer:
    return PersonAnswer(
        id=account.id,
        login=account.login,
        name=account.display_name,
        language=account.language,
        is_disabled=account.disabled_at is not None,
        roles=[],
    )
