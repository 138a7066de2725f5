"""Wrong tries at becoming a gateway: counted by where they come from, and slowed down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, delete, func, select

from cloud.errors import RefusedError, ThrottledError
from cloud.people.tables import LoginAttempt
from cloud.settings import Enrolment
from cloud.storage.engine import transaction
from models.clock import SECOND_NS

_KEPT_NS = 24 * 3600 * SECOND_NS


@contextmanager
def counted(engine: Engine, bounds: Enrolment, source: str, now: int) -> Iterator[None]:
    """Let a try happen; one that is refused counts against `source`.

    ThrottledError, before anything is tried, once a source has had its share of wrong ones.
    """
    source = source[:128]
    _refuse_if_throttled(engine, bounds, source, now)
    try:
        yield
    except RefusedError:
        with transaction(engine) as session:
            session.add(LoginAttempt(source=source, at=now))
        raise


def _refuse_if_throttled(engine: Engine, bounds: Enrolment, source: str, now: int) -> None:
    window_ns = round(bounds.window_s * SECOND_NS)
    recent = select(func.count(), func.min(LoginAttempt.at)).where(
        LoginAttempt.source == source, LoginAttempt.at > now - window_ns
    )
    with transaction(engine) as session:
        count, first = session.execute(recent).one()
        session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - _KEPT_NS))
    if count >= bounds.wrong_codes:
        wait_s = (first + window_ns - now) / SECOND_NS
        raise ThrottledError("throttled", "too many wrong tries; wait before trying again", wait_s)
