"""A small street in real SQLite files, on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cloud.dispatch.respond import Response, respond_to_alert
from cloud.dispatch.tables import Task
from cloud.fleet.tables import Channel, Gateway, Grid, GridWorker, Place, Site
from cloud.incidents.tables import AlertRow, Incident, TimelineEntry
from cloud.people.accounts import account_id, actor_of, find_account, grant
from cloud.people.roles import Actor
from cloud.people.tables import Account
from cloud.scheduler import Scheduler
from cloud.settings import Settings
from cloud.storage.engine import transaction
from models.alert import Alert, AlertKind, AlertState, Severity
from models.clock import EARLIEST_NS, SECOND_NS, VirtualClock
from models.identity import alert_id

PASSWORD = "correct horse"
START_NS = EARLIEST_NS + 365 * 86_400 * SECOND_NS
PEOPLE = {
    "wang": [("worker", "street")],
    "li": [("worker", "street")],
    "duty": [("operator", "street"), ("worker", "street")],
    "ying": [("engineer", "street")],
    "root": [("admin", "*")],
    "stranger": [("operator", "harbour"), ("worker", "harbour")],
}
PLACES = {  # path -> (parent, grid)
    "b1": (None, "grid-1"),
    "b1/f1": ("b1", None),
    "b1/f1/kitchen": ("b1/f1", None),
    "shed": (None, None),
}


@dataclass
class Street:
    """One site with two workers and a duty officer, a second one beside it, and a clock."""

    settings: Settings
    engine: Engine
    clock: VirtualClock
    onset: int = field(default=0)

    @property
    def now(self) -> int:
        return self.clock.wall_ns()

    def alert(self, **changed: Any) -> Alert:
        """An alert that fires now in the kitchen; every call is a new onset."""
        self.onset += 1
        monitor = changed.get("monitor", "smoke")
        gateway = changed.get("gateway", "gw-1")
        fields: dict[str, Any] = {
            "id": alert_id(gateway, monitor, "0" * 32, self.onset),
            "gateway": gateway,
            "monitor": monitor,
            "detector": "limit",
            "channel": "ceiling/smoke",
            "device": "ceiling",
            "kind": AlertKind.HAZARD,
            "hazard": "fire",
            "severity": Severity.MODERATE,
            "state": AlertState.FIRING,
            "boot": "0" * 32,
            "onset_index": self.onset,
            "onset_at": self.now - 2 * SECOND_NS,
            "fired_at": self.now,
            "measured_at": self.now,
            "score": 10.0,
            "threshold": 3.0,
            "value": 0.4,
        }
        return Alert(**(fields | changed))

    def resolved(self, alert: Alert) -> Alert:
        return alert.model_copy(update={"state": AlertState.RESOLVED, "resolved_at": self.now})

    def take(self, alert: Alert) -> Response:
        with transaction(self.engine) as session:
            return respond_to_alert(session, alert, self.now)

    def actor(self, login: str) -> Actor:
        with transaction(self.engine) as session:
            account = find_account(session, login)
            assert account is not None
            return actor_of(session, account)

    def do(self, work: Callable[..., Any], thing: Any, *arguments: Any) -> Any:
        """`work(session, thing read anew, *arguments, now)` in a transaction of its own."""
        with transaction(self.engine) as session:
            return work(session, session.get_one(type(thing), thing.id), *arguments, self.now)

    def all(self, table: type[Any], **where: Any) -> list[Any]:
        with transaction(self.engine) as session:
            return list(session.scalars(select(table).filter_by(**where)))

    def task(self) -> Task:
        (task,) = self.all(Task)
        return task

    def incident(self) -> Incident:
        (incident,) = self.all(Incident)
        return incident

    def all_alert_ids(self) -> list[str]:
        return [row.id for row in self.all(AlertRow)]

    def codes(self) -> list[str]:
        """Timeline of everything, as codes in order."""
        return [entry.code for entry in sorted(self.all(TimelineEntry), key=lambda entry: entry.id)]

    def scheduler(self) -> Scheduler:
        return Scheduler(self.engine, self.clock)

    def after(self, scheduler: Scheduler, minutes: float) -> int:
        """Let time pass and the scheduler look; how many clocks it fired."""
        self.clock.sleep(minutes * 60)
        return scheduler.look()


def add_people(session: Session, password_hash: str) -> None:
    for login, roles in PEOPLE.items():
        name = login.title()
        session.add(
            Account(
                id=account_id(login),
                login=login,
                display_name=name,
                password_hash=password_hash,
                created_at=START_NS,
            )
        )
        session.flush()
        for role, site in roles:
            grant(session, account_id(login), site, role)


def add_places(session: Session) -> None:
    for site, officer in (("street", "duty"), ("harbour", None)):
        duty = account_id(officer) if officer else None
        session.add(Site(id=site, name=site, timezone="UTC", holidays={"dates": []}, duty_officer_id=duty))
    session.flush()
    session.add(Grid(id="grid-1", site_id="street", name="Grid 1", polygon={"points": []}))
    session.flush()
    for rank, login in enumerate(("wang", "li")):
        session.add(GridWorker(grid_id="grid-1", account_id=account_id(login), rank=rank))
    for path, (parent, grid) in PLACES.items():
        place = Place(id=f"street:{path}", site_id="street", path=path, name=path.title(), kind="room")
        place.parent_id, place.grid_id = parent and f"street:{parent}", grid
        session.add(place)
        session.flush()
    for gateway, site, where in (
        ("gw-1", "street", "street:b1/f1/kitchen"),
        ("gw-2", "street", "street:shed"),
    ):
        session.add(Gateway(id=gateway, site_id=site, place_id=where, name=gateway, created_at=START_NS))
    session.add(Gateway(id="gw-h", site_id="harbour", place_id=None, name="gw-h", created_at=START_NS))
    session.flush()
    for gateway, site, device in (
        ("gw-1", "street", "ceiling"),
        ("gw-1", "street", "stove"),
        ("gw-2", "street", "ceiling"),
        ("gw-h", "harbour", "ceiling"),
    ):
        session.add(
            Channel(
                site_id=site,
                gateway_id=gateway,
                name=f"{device}/smoke",
                device=device,
                kind="smoke",
                unit="dB/m",
                resolution=0.01,
            )
        )
