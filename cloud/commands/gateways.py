"""Commands about single gateways: order, revoke, take a flag down."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from sqlalchemy import select

from cloud.commands.fleet import ACTOR
from cloud.errors import ConfigurationError, NotFoundError
from cloud.fleet.orders import LIFE_S, send_command
from cloud.fleet.revocation import revoke as end_identity
from cloud.fleet.status import clear_flag
from cloud.fleet.tables import CommandRow
from cloud.keys.signing import load_signing_key
from cloud.settings import Settings
from cloud.storage.engine import open_main, reading, transaction
from models.clock import Clock

_NEWEST = 100


def add_options(group: Any, answering: Any) -> None:
    """`gateway command|commands|revoke|clear`."""
    order = answering(group, "command", "sign and queue an order", command)
    order.add_argument("gateway")
    order.add_argument("name", help="send_status, renew_certificate, restart_agent, ...")
    order.add_argument("--argument", action="append", default=[], metavar="KEY=VALUE")
    order.add_argument("--life", type=float, default=LIFE_S, metavar="S", help="how long it is good")
    order.add_argument("--reason", required=True)
    answering(group, "commands", "orders and what became of them", commands).add_argument("gateway")
    end = answering(group, "revoke", "take its identity away; cuts it off", revoke)
    end.add_argument("gateway")
    end.add_argument("--reason", required=True)
    down = answering(group, "clear", "take a flag down", clear)
    down.add_argument("gateway")
    down.add_argument("flag", help="clone, config_refused, ...")
    down.add_argument("--reason", required=True)


def command(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Sign an order and queue it for its gateway."""
    with transaction(open_main(settings)) as session:
        sent = send_command(
            session,
            gateway_id=arguments.gateway,
            name=arguments.name,
            parameters=dict(_argument(text) for text in arguments.argument),
            signing_key=load_signing_key(settings.keys),
            actor=ACTOR,
            reason=arguments.reason,
            now=clock.wall_ns(),
            life_s=arguments.life,
        )
    return {"gateway": arguments.gateway, "id": sent.id, "command": sent.name, "expires_at": sent.expires_at}


def commands(settings: Settings, arguments: Namespace, _clock: Clock) -> list[dict[str, Any]]:
    """Orders to a gateway, the newest first."""
    rows = select(CommandRow).filter_by(gateway_id=arguments.gateway)
    with reading(open_main(settings)) as session:
        newest = session.scalars(rows.order_by(CommandRow.counter.desc()).limit(_NEWEST))
        return [
            {
                "id": row.id,
                "command": row.name,
                "parameters": row.parameters,
                "by": row.issued_by,
                "reason": row.reason,
                "issued_at": row.issued_at,
                "state": row.state,
                "result": row.result,
            }
            for row in newest
        ]


def revoke(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """End every certificate of a gateway; ingest cuts it off within a minute."""
    with transaction(open_main(settings)) as session:
        ended = end_identity(
            session, arguments.gateway, actor=ACTOR, reason=arguments.reason, now=clock.wall_ns()
        )
    return {"gateway": arguments.gateway, "revoked": ended}


def clear(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Take a flag down that was looked into."""
    with transaction(open_main(settings)) as session:
        is_down = clear_flag(
            session,
            arguments.gateway,
            arguments.flag,
            clock.wall_ns(),
            actor=ACTOR,
            reason=arguments.reason,
        )
        if not is_down:
            raise NotFoundError("flag", f"{arguments.gateway} has no flag {arguments.flag!r}")
    return {"gateway": arguments.gateway, "cleared": arguments.flag}


def _argument(text: str) -> tuple[str, Any]:
    """A key and a value: JSON where it is JSON, else the words themselves."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigurationError(f"{text!r} is no argument", key="--argument", expected="KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
