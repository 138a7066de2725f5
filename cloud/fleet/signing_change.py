"""Changing the key that signs documents and orders, with gateways far away and some of them asleep.

Begin: a next key is made, and every gateway is told of it by an order that the present key signs. Switch:
when all have answered, the next key signs, and what each shall do is signed anew. Finish: the old one is
forgotten.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError
from cloud.fleet.desired import latest_desired, queue_downlink
from cloud.fleet.orders import SENT, send_command
from cloud.fleet.tables import CommandRow, Gateway
from cloud.keys.signing import (
    NEXT_NAME,
    OLD_NAME,
    create_signing_key,
    load_signing_key,
    public_signing_key,
    switch_signing_key,
)
from cloud.people import audit
from models.wire.messages import CommandName, CommandState, SignedDocument
from models.wire.signing import key_id, sign_again
from models.wire.topics import Down

_LIFE_S = 400 * 86_400.0  # a gateway that was away for a year hears of it when it is back


@dataclass(frozen=True)
class Answers:
    """Who has answered, and who has not; ids of gateways."""

    done: list[str]
    waiting: list[str]


def begin(session: Session, keys: Path, *, actor: str, reason: str, now: int) -> Answers:
    """Make the next key and tell every gateway that does not know of it. Done again, it tells the rest."""
    if (keys / OLD_NAME).exists():
        raise ConflictError("signing_key", "the last change is not finished; finish it first")
    create_signing_key(keys, NEXT_NAME)
    public = public_signing_key(keys, NEXT_NAME)
    parameters = {"key": base64.b64encode(public).decode()}
    _note(session, "signing_key.begun", key_id(public), actor, reason, now)
    return _tell_all(session, keys, CommandName.TRUST_SIGNING_KEY, parameters, actor, reason, now)


def switch(
    session: Session, keys: Path, *, actor: str, reason: str, now: int, all_of_them: bool = True
) -> None:
    """Sign with the next key from now on, and sign what is desired anew.

    ConflictError while gateways have not answered, unless told to leave them: those must enrol again.
    """
    # Killed between the files and the database, all that is left to do is signing anew.
    if (keys / NEXT_NAME).exists() or not (keys / OLD_NAME).exists():
        public = public_signing_key(keys, NEXT_NAME)
        parameters = {"key": base64.b64encode(public).decode()}
        waiting = _answers(session, CommandName.TRUST_SIGNING_KEY, parameters).waiting
        if waiting and all_of_them:
            raise ConflictError("signing_key", f"not yet answered by {', '.join(waiting)}")
        switch_signing_key(keys)
    key = load_signing_key(keys)
    for gateway in _enrolled(session):
        found = latest_desired(session, gateway.id)
        if found is not None:
            row, _ = found
            signed = sign_again(SignedDocument.model_validate(row.signed), key)
            row.signed = signed.model_dump(mode="json")
            payload = signed.model_dump_json().encode()
            queue_downlink(session, gateway.site_id, gateway.id, Down.DESIRED, payload, now, retained=True)
    _note(session, "signing_key.switched", key_id(public_signing_key(keys)), actor, reason, now)


def finish(session: Session, keys: Path, *, actor: str, reason: str, now: int) -> Answers:
    """Have the old key forgotten everywhere; when all have answered, here as well."""
    old = key_id(public_signing_key(keys, OLD_NAME))
    answers = _tell_all(session, keys, CommandName.FORGET_SIGNING_KEY, {"key": old}, actor, reason, now)
    if not answers.waiting:
        (keys / OLD_NAME).unlink()
        _note(session, "signing_key.finished", old, actor, reason, now)
    return answers


def _tell_all(
    session: Session,
    keys: Path,
    name: CommandName,
    parameters: dict[str, str],
    actor: str,
    reason: str,
    now: int,
) -> Answers:
    answers = _answers(session, name, parameters)
    under_way = select(CommandRow).filter_by(name=name.value, state=SENT).where(CommandRow.expires_at > now)
    asked = {row.gateway_id for row in session.scalars(under_way) if row.parameters == parameters}
    for gateway_id in answers.waiting:
        if gateway_id not in asked:
            send_command(
                session,
                gateway_id=gateway_id,
                name=name.value,
                parameters=dict(parameters),
                signing_key=load_signing_key(keys),
                actor=actor,
                reason=reason,
                now=now,
                life_s=_LIFE_S,
            )
    return answers


def _answers(session: Session, name: CommandName, parameters: dict[str, str]) -> Answers:
    done = select(CommandRow).filter_by(name=name.value, state=CommandState.DONE.value)
    answered = {row.gateway_id for row in session.scalars(done) if row.parameters == parameters}
    ids = [gateway.id for gateway in _enrolled(session)]
    return Answers([one for one in ids if one in answered], [one for one in ids if one not in answered])


def _enrolled(session: Session) -> list[Gateway]:
    here = (Gateway.enrolled_at.is_not(None), Gateway.revoked_at.is_(None))
    return list(session.scalars(select(Gateway).where(*here).order_by(Gateway.id)))


def _note(session: Session, action: str, subject: str, actor: str, reason: str, now: int) -> None:
    audit.record(
        session,
        site_id="*",
        actor=actor,
        action=action,
        subject=subject,
        before={},
        after={"reason": reason},
        at=now,
    )
