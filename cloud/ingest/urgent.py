"""The urgent lane: one transaction a message holds its identity and all it causes."""

from __future__ import annotations

import enum

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cloud.dispatch.respond import respond_to_alert
from cloud.errors import RefusedError
from cloud.fleet.orders import take_result
from cloud.incidents.evidence import take_aftermath, take_evidence
from cloud.ingest import quarantine
from cloud.ingest.clocks import mend_alert, take_clock
from cloud.ingest.inspection import Carried, Poison, Sound
from cloud.ingest.tables import LedgerRecord, UrgentIdentity
from cloud.ingest.window import GAP
from cloud.storage.engine import transaction
from models.alert import Aftermath, Alert, Evidence
from models.wire.envelope import Envelope
from models.wire.messages import ClockRecord, CommandResult, GapRecord, OutageRecord


class Fate(enum.StrEnum):
    """What became of a message. Each but `LOST_IDENTITY` is receipted."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CLONE = "clone"
    QUARANTINED = "quarantined"
    LOST_IDENTITY = "lost_identity"  # quarantined, and whose message it was cannot be told


def take_urgent(engine: Engine, topic: str, payload: bytes, found: Sound | Poison, now: int) -> Fate:
    """Store one urgent message and all it causes, once. StoreError: nothing happened, try again."""
    try:
        with transaction(engine) as session:
            return _take(session, topic, payload, found, now)
    except RefusedError as wrong:
        # The body is sound and yet means nothing here, for example an alert of a gateway just taken away.
        assert isinstance(found, Sound)
        poison = Poison(
            wrong.code, wrong.message, found.envelope.identity.gateway, found.where, found.envelope
        )
        with transaction(engine) as session:
            return _take(session, topic, payload, poison, now)


def _take(session: Session, topic: str, payload: bytes, found: Sound | Poison, now: int) -> Fate:
    envelope = found.envelope
    if envelope is None:
        assert isinstance(found, Poison)
        quarantine.keep(session, topic, payload, found, now)
        return Fate.LOST_IDENTITY
    before = _stored(session, envelope)
    if before is not None:
        if before.digest == envelope.digest:
            return Fate.QUARANTINED if before.quarantined else Fate.DUPLICATE
        quarantine.keep(session, topic, payload, clone_of(envelope, found), now)
        return Fate.CLONE
    is_poison = isinstance(found, Poison)
    identity = envelope.identity
    session.add(
        UrgentIdentity(
            gateway_id=identity.gateway,
            epoch=identity.epoch,
            sequence=identity.sequence,
            digest=envelope.digest,
            received_at=now,
            quarantined=is_poison,
        )
    )
    if isinstance(found, Poison):
        quarantine.keep(session, topic, payload, found, now)
        return Fate.QUARANTINED
    _apply(session, found, now)
    return Fate.STORED


def _apply_carried(session: Session, inner: Sound, now: int) -> None:
    """What a carried message causes, unless it came by itself before. Where another message has its number
    (two copies of one outbox), it counts all the same: the outer identity is its own."""
    before = _stored(session, inner.envelope)
    if before is not None and before.digest == inner.envelope.digest:
        return
    if before is None:
        identity = inner.envelope.identity
        session.add(
            UrgentIdentity(
                gateway_id=identity.gateway,
                epoch=identity.epoch,
                sequence=identity.sequence,
                digest=inner.envelope.digest,
                received_at=now,
                quarantined=False,
            )
        )
    _apply(session, inner, now)


def clone_of(envelope: Envelope, found: Sound | Poison) -> Poison:
    """The same number with other bytes: a copied card, a restored image, a disk that lies."""
    identity = envelope.identity
    detail = (
        f"{identity.stream.name} {identity.sequence} of epoch {identity.epoch} was stored with other bytes"
    )
    return Poison("clone", detail, identity.gateway, found.where, envelope)


def _stored(session: Session, envelope: Envelope) -> UrgentIdentity | None:
    identity = envelope.identity
    return session.get(UrgentIdentity, (identity.gateway, identity.epoch, identity.sequence))


def _apply(session: Session, found: Sound, now: int) -> None:
    body, site_id, gateway_id = found.body, found.where.site_id, found.envelope.identity.gateway
    if isinstance(body, Carried):
        _apply_carried(session, body.inner, now)
    elif isinstance(body, Alert):
        respond_to_alert(session, mend_alert(session, body), now)
    elif isinstance(body, Evidence):
        take_evidence(session, site_id, gateway_id, body, now)
    elif isinstance(body, Aftermath):
        take_aftermath(session, site_id, gateway_id, body, now)
    elif isinstance(body, ClockRecord):
        take_clock(session, site_id, gateway_id, found.envelope.identity.epoch, body)
    elif isinstance(body, CommandResult):
        take_result(session, gateway_id, site_id, body, now)
    elif isinstance(body, GapRecord | OutageRecord):
        identity = found.envelope.identity
        session.add(
            LedgerRecord(
                site_id=site_id,
                gateway_id=identity.gateway,
                kind=GAP if isinstance(body, GapRecord) else "outage",
                from_at=body.from_at,
                to_at=body.to_at,
                record=body.model_dump(mode="json") | {"epoch": identity.epoch},
            )
        )
