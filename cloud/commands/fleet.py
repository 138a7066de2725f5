"""Commands about sites and gateways."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from cloud.errors import ConfigurationError
from cloud.fleet.apply import apply_file
from cloud.fleet.desired import put_desired
from cloud.fleet.enrolment import make_code, new_code
from cloud.fleet.registry import add_gateway
from cloud.fleet.tables import Gateway, GatewayStatus
from cloud.keys.signing import load_signing_key
from cloud.settings import Settings
from cloud.storage.engine import open_main, reading, transaction
from models.clock import SECOND_NS, Clock

ACTOR = "cli"


def apply(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Make the databases say what the file says."""
    with transaction(open_main(settings)) as session:
        return {"applied": apply_file(session, arguments.file, clock.wall_ns())}


def add(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Register one gateway."""
    with transaction(open_main(settings)) as session:
        row = add_gateway(
            session,
            gateway_id=arguments.gateway,
            site_id=arguments.site,
            name=arguments.name or arguments.gateway,
            place_path=arguments.place,
            now=clock.wall_ns(),
        )
        return {"gateway": row.id, "site": row.site_id}


def code(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Make a one-time code with which a machine enrols as this gateway."""
    hours = arguments.hours or settings.enrolment.code_hours
    words = new_code()
    with transaction(open_main(settings)) as session:
        expires_at = make_code(session, arguments.gateway, words, clock.wall_ns(), hours)
    expires = datetime.fromtimestamp(expires_at // SECOND_NS, UTC).isoformat().replace("+00:00", "Z")
    return {"gateway": arguments.gateway, "code": words, "expires_at": expires}


def desired(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """Sign a document, store it, and queue it for its gateway."""
    with transaction(open_main(settings)) as session:
        version = put_desired(
            session,
            gateway_id=arguments.gateway,
            document=_read_json(arguments.file),
            signing_key=load_signing_key(settings.keys),
            actor=ACTOR,
            reason=arguments.reason,
            now=clock.wall_ns(),
        )
    return {"gateway": arguments.gateway, "version": version}


def listing(settings: Settings, arguments: Namespace, clock: Clock) -> list[dict[str, Any]]:
    """All gateways, and what was last heard of them."""
    query = select(Gateway, GatewayStatus).outerjoin(GatewayStatus, GatewayStatus.gateway_id == Gateway.id)
    with reading(open_main(settings)) as session:
        return [
            {
                "gateway": gateway.id,
                "site": gateway.site_id,
                "name": gateway.name,
                "enrolled": gateway.enrolled_at is not None,
                "revoked": gateway.revoked_at is not None,
                "presence": status.presence if status else "unknown",
            }
            for gateway, status in session.execute(query.order_by(Gateway.id))
        ]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as wrong:
        raise ConfigurationError(wrong.msg, file=str(path), line=wrong.lineno, expected="JSON") from wrong
    except (OSError, UnicodeDecodeError) as wrong:
        raise ConfigurationError(f"cannot be read: {wrong}", file=str(path)) from wrong
    if not isinstance(document, dict):
        raise ConfigurationError("is no object", file=str(path), line=1, expected="a gateway document")
    return document
