"""Two machines with one identity: a copied card, a restored image.

A program names each of its runs at random, and a state folder is held by one run at a time. So the runs of
one machine follow each other and none comes back; one that does is beside another.
"""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.fleet.certificates import note_use
from cloud.fleet.registry import find_gateway
from cloud.fleet.status import raise_flag
from cloud.fleet.tables import GatewayRun
from models.wire.messages import Health

CLONE = "clone"
_KEPT = 32  # runs of a gateway


def note_hello(session: Session, gateway_id: str, health: Health, now: int) -> None:
    """A gateway connected and said hello; flag it when its run or its certificate is one of before."""
    gateway = find_gateway(session, gateway_id)
    if health.run and _is_back(session, gateway_id, health.run[:64], now):
        detail = {"detail": "two runs of this gateway speak in turn", "run": health.run}
        raise_flag(session, gateway_id, gateway.site_id, CLONE, detail, now)
    if health.certificate and not note_use(session, gateway, health.certificate, now):
        detail = {"detail": "came with a certificate that was replaced", "serial": health.certificate}
        raise_flag(session, gateway_id, gateway.site_id, CLONE, detail, now)


def _is_back(session: Session, gateway_id: str, run: str, now: int) -> bool:
    """Whether this run was heard before and another since; remembers it as the last."""
    runs = session.scalars(
        select(GatewayRun).filter_by(gateway_id=gateway_id).order_by(GatewayRun.last_at.desc())
    ).all()
    known = next((row for row in runs if row.run == run), None)
    is_back = known is not None and known is not runs[0]
    # Above the last one even where the server's clock was set back.
    last_at = max(now, runs[0].last_at + 1) if runs else now
    if known is None:
        session.add(GatewayRun(gateway_id=gateway_id, run=run, first_at=now, last_at=last_at))
    else:
        known.last_at = last_at
    if old := [row.run for row in runs[_KEPT:]]:
        ours = GatewayRun.gateway_id == gateway_id
        session.execute(delete(GatewayRun).where(ours, GatewayRun.run.in_(old)))
    return is_back
