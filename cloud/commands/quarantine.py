"""Commands about messages that could not be used."""

from __future__ import annotations

import base64
from argparse import Namespace
from typing import Any

from cloud.ingest import quarantine
from cloud.ingest.tables import Quarantine
from cloud.settings import Settings
from cloud.storage.engine import open_main, reading
from models.clock import Clock


def listing(settings: Settings, arguments: Namespace, clock: Clock) -> list[dict[str, Any]]:
    """The newest first."""
    with reading(open_main(settings)) as session:
        return [_line(row) for row in quarantine.listing(session, arguments.gateway, arguments.limit)]


def show(settings: Settings, arguments: Namespace, clock: Clock) -> dict[str, Any]:
    """One of them whole, its bytes in base64."""
    with reading(open_main(settings)) as session:
        row = quarantine.find(session, arguments.number)
        return _line(row) | {
            "topic": row.topic,
            "detail": row.detail,
            "payload": base64.b64encode(row.payload).decode(),
        }


def _line(row: Quarantine) -> dict[str, Any]:
    return {
        "id": row.id,
        "gateway": row.gateway_id,
        "site": row.site_id,
        "code": row.code,
        "epoch": row.epoch,
        "stream": row.stream,
        "sequence": row.sequence,
        "bytes": len(row.payload),
        "received_at": row.received_at,
    }
