"""Making the databases say what organisation.toml says. Applying it again changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.errors import ConfigurationError, RefusedError
from cloud.fleet.organisation import GatewayEntry, GridEntry, Organisation, PersonEntry, PlaceEntry, SiteEntry
from cloud.fleet.tables import Gateway, Grid, GridWorker, Place, Site
from cloud.people import accounts
from cloud.people.tables import Account
from cloud.settings import line_of, read_document


def apply_file(session: Session, path: Path, now: int) -> dict[str, int]:
    """Apply the file in the caller's transaction; how many of each kind it names.

    ConfigurationError with file, line and key when it contradicts itself or what is there already.
    """
    organisation = read_document(path, Organisation)
    _Application(session, path, now).apply(organisation)
    return {name: len(getattr(organisation, name)) for name in Organisation.model_fields}


def place_id(site_id: str, path: str) -> str:
    """Id of the place at `path` in a site: derived, so that applying twice finds it again.

    >>> place_id("street", "b1/f1") == place_id("street", "b1/f1") != place_id("street", "b1/f2")
    True
    """
    return hashlib.blake2b(f"{site_id}\x1f{path}".encode(), digest_size=16).hexdigest()


class _Application:
    """One run over one file; knows where to point when something does not fit."""

    def __init__(self, session: Session, path: Path, now: int) -> None:
        self.session, self.path, self.now = session, path, now

    def apply(self, organisation: Organisation) -> None:
        for site in organisation.sites:
            self._site(site)
        for number, person in enumerate(organisation.people):
            self._person(number, person)
        for number, site in enumerate(organisation.sites):
            self._duty_officer(number, site)
        for number, grid in enumerate(organisation.grids):
            self._grid(number, grid)
        for number, place in enumerate(organisation.places):
            self._place(number, place)
        for number, gateway in enumerate(organisation.gateways):
            self._gateway(number, gateway)

    def _site(self, entry: SiteEntry) -> None:
        row = self.session.get(Site, entry.id) or self._add(Site(id=entry.id))
        row.name, row.timezone = entry.name, entry.timezone
        _change(row, "holidays", {"dates": list(entry.holidays)})
        self.session.flush()

    def _person(self, number: int, entry: PersonEntry) -> None:
        account = accounts.find_account(self.session, entry.login)
        try:
            if account is None:
                made = accounts.create_account(
                    self.session,
                    login=entry.login,
                    display_name=entry.name,
                    language=entry.language,
                    password=entry.password,
                    now=self.now,
                )
                account = self.session.get_one(Account, made)
            account.display_name, account.language = entry.name, entry.language
        except RefusedError as wrong:
            raise self._wrong(("people", number, wrong.code), wrong.message) from wrong
        for position, role in enumerate(entry.roles):
            if role.site != "*":
                self._find(Site, role.site, ("people", number, "roles", position, "site"))
            accounts.grant(self.session, account.id, role.site, role.role)

    def _duty_officer(self, number: int, entry: SiteEntry) -> None:
        if entry.duty_officer:
            row = self.session.get_one(Site, entry.id)
            row.duty_officer_id = self._account(entry.duty_officer, ("sites", number, "duty_officer"))

    def _grid(self, number: int, entry: GridEntry) -> None:
        self._find(Site, entry.site, ("grids", number, "site"))
        row = self.session.get(Grid, entry.id)
        if row and row.site_id != entry.site:
            raise self._wrong(("grids", number, "id"), f"{entry.id!r} is a grid of site {row.site_id!r}")
        row = row or self._add(Grid(id=entry.id, site_id=entry.site))
        row.name = entry.name
        _change(row, "polygon", {"points": [list(point) for point in entry.polygon]})
        self.session.flush()
        self.session.execute(delete(GridWorker).where(GridWorker.grid_id == entry.id))
        for rank, login in enumerate(dict.fromkeys(entry.workers)):
            account_id = self._account(login, ("grids", number, "workers"))
            self.session.add(GridWorker(grid_id=entry.id, account_id=account_id, rank=rank))
        self.session.flush()

    def _place(self, number: int, entry: PlaceEntry) -> None:
        self._find(Site, entry.site, ("places", number, "site"))
        if entry.grid and self._find(Grid, entry.grid, ("places", number, "grid")).site_id != entry.site:
            raise self._wrong(("places", number, "grid"), f"grid {entry.grid!r} is of another site")
        row = self._place_row(entry.site, entry.path)
        row.name, row.kind, row.grid_id = entry.name, entry.kind, entry.grid
        row.latitude, row.longitude = entry.latitude, entry.longitude
        self.session.flush()

    def _place_row(self, site_id: str, path: str) -> Place:
        """The place at `path`; it and its parents are made where they are missing."""
        row = self.session.get(Place, place_id(site_id, path))
        if row is None:
            parent, _, last = path.rpartition("/")
            parent_id = self._place_row(site_id, parent).id if parent else None
            row = self._add(
                Place(id=place_id(site_id, path), site_id=site_id, parent_id=parent_id, path=path, name=last)
            )
            row.kind = "building" if not parent else "floor" if "/" not in parent else "room"
            self.session.flush()
        return row

    def _gateway(self, number: int, entry: GatewayEntry) -> None:
        self._find(Site, entry.site, ("gateways", number, "site"))
        row = self.session.get(Gateway, entry.id) or self._add(Gateway(id=entry.id, created_at=self.now))
        row.site_id, row.name = entry.site, entry.name
        row.place_id = self._place_row(entry.site, entry.place).id if entry.place else None
        self.session.flush()

    def _account(self, login: str, key: Sequence[Any]) -> str:
        found = self.session.scalar(select(Account.id).where(Account.login == login))
        if found is None:
            raise self._wrong(key, f"there is no person {login!r}", "a login under [[people]]")
        return found

    def _find(self, table: Any, name: str, key: Sequence[Any]) -> Any:
        row = self.session.get(table, name)
        if row is None:
            kind = table.__tablename__
            raise self._wrong(key, f"there is no {kind} {name!r}", f"the id of a [[{kind}s]] entry")
        return row

    def _add(self, row: Any) -> Any:
        self.session.add(row)
        return row

    def _wrong(self, key: Sequence[Any], message: str, expected: str = "") -> ConfigurationError:
        line = line_of(self.path.read_text(encoding="utf-8"), key)
        name = ".".join(str(part) for part in key)
        return ConfigurationError(message, file=str(self.path), line=line, key=name, expected=expected)


def _change(row: Any, name: str, value: dict[str, Any]) -> None:
    """Set a JSON column only when it differs, so that nothing is written when nothing changes."""
    if getattr(row, name) != value:
        setattr(row, name, value)
