"""Every act by a person or a machine's key: who, what, before, after."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from cloud.people.tables import Audit

# A field so named never reaches the audit, whatever a caller hands over.
_SECRET = ("password", "secret", "token", "csrf", "code_hash", "private")


def record(
    session: Session,
    *,
    site_id: str,
    actor: str,
    action: str,
    subject: str,
    before: dict[str, Any],
    after: dict[str, Any],
    at: int,
) -> None:
    """Add one act in the caller's transaction. `actor` is Actor.name; `site_id` "*": none in particular."""
    session.add(
        Audit(
            site_id=site_id,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            before=_without_secrets(before),
            after=_without_secrets(after),
        )
    )


def _without_secrets(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: "***" if any(word in key for word in _SECRET) else value for key, value in fields.items()}
