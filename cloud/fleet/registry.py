"""Which gateway is where: asked for every message, so it is remembered for a moment."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, InvalidError, NotFoundError
from cloud.fleet.tables import Gateway, Place, Site
from cloud.keys.authority import RESERVED_PREFIX
from cloud.storage.engine import reading
from models.clock import SECOND_NS, Clock
from models.identity import is_name

_STRANGER_NS = SECOND_NS // 20


@dataclass(frozen=True)
class Where:
    """A gateway's site and place; what a revoked one says is not taken."""

    site_id: str
    place_id: str | None
    is_revoked: bool = False


def find_gateway(session: Session, gateway_id: str) -> Gateway:
    """The gateway's row; NotFoundError when there is none."""
    row = session.get(Gateway, gateway_id)
    if row is None:
        raise NotFoundError("gateway", f"there is no gateway {gateway_id!r}")
    return row


def add_gateway(
    session: Session, *, gateway_id: str, site_id: str, name: str, place_path: str | None, now: int
) -> Gateway:
    """Register a machine. InvalidError for a bad or reserved name, NotFoundError for site or place."""
    if not is_name(gateway_id) or gateway_id.startswith(RESERVED_PREFIX):
        raise InvalidError("gateway", f"{gateway_id!r} cannot name a gateway")
    if session.get(Gateway, gateway_id):
        raise ConflictError("gateway_exists", f"there is a gateway {gateway_id!r} already")
    if session.get(Site, site_id) is None:
        raise NotFoundError("site", f"there is no site {site_id!r}")
    row = Gateway(id=gateway_id, site_id=site_id, name=name, created_at=now)
    if place_path:
        row.place_id = session.scalar(select(Place.id).filter_by(site_id=site_id, path=place_path))
        if row.place_id is None:
            raise NotFoundError("place", f"site {site_id!r} has no place {place_path!r}")
    session.add(row)
    session.flush()
    return row


class Registry:
    """All gateways and where they are, read again when one is unknown or `keep_s` have passed.

    Not for several threads at once: each has its own.
    """

    def __init__(self, engine: Engine, clock: Clock, keep_s: float = 5.0) -> None:
        self._engine, self._clock, self._keep_ns = engine, clock, round(keep_s * SECOND_NS)
        self._known: dict[str, Where] = {}
        self._read_at: int | None = None

    def where(self, gateway_id: str) -> Where | None:
        """Where a gateway is; None when it is not registered."""
        age = self._keep_ns if self._read_at is None else self._clock.monotonic_ns() - self._read_at
        # A gateway just registered is known at once; a stranger who sends a lot causes few queries.
        if age >= self._keep_ns or (gateway_id not in self._known and age >= _STRANGER_NS):
            self._read()
        return self._known.get(gateway_id)

    def _read(self) -> None:
        with reading(self._engine) as session:
            rows = session.execute(
                select(Gateway.id, Gateway.site_id, Gateway.place_id, Gateway.revoked_at.is_not(None))
            )
            self._known = {name: Where(site, place, revoked) for name, site, place, revoked in rows}
        self._read_at = self._clock.monotonic_ns()
