"""Back-off for failed sign-ins, by where they come from; a victim elsewhere can always sign in."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cloud.errors import ThrottledError
from cloud.people.tables import LoginAttempt
from models.clock import SECOND_NS

WINDOW_NS = 15 * 60 * SECOND_NS
FREE_FOR_LOGIN = 5  # wrong passwords for one login from one address
FREE_FOR_ADDRESS = 20  # for any login from one address, which an office may share
LONGEST_S = 300.0


def wait_s(failures: int, free: int, since_last_s: float) -> float:
    """Seconds until another try: none while `free` last, then 1, 2, 4 ... after each further failure.

    >>> wait_s(4, 5, 0.0), wait_s(5, 5, 0.0), wait_s(8, 5, 3.0), wait_s(60, 5, 0.0)
    (0.0, 1.0, 5.0, 300.0)
    """
    if failures < free:
        return 0.0
    pause = min(2.0 ** min(failures - free, 30), LONGEST_S)
    return max(0.0, pause - since_last_s)


def refuse_if_throttled(session: Session, address: str, login: str, now: int) -> None:
    """ThrottledError while this address must wait, for this login or for all."""
    for source, free in _sources(address, login):
        recent = select(func.count(), func.max(LoginAttempt.at)).where(
            LoginAttempt.source == source, LoginAttempt.at > now - WINDOW_NS
        )
        count, last = session.execute(recent).one()
        wait = wait_s(count, free, (now - last) / SECOND_NS) if count else 0.0
        if wait > 0:
            raise ThrottledError("throttled", "too many wrong passwords; wait before trying again", wait)


def note_failure(session: Session, address: str, login: str, now: int) -> None:
    """Count a wrong password."""
    session.add_all(LoginAttempt(source=source, at=now) for source, _ in _sources(address, login))


def forget_failures(session: Session, address: str, login: str) -> None:
    """The right password came: this login's count from here starts anew."""
    (mine, _), _ = _sources(address, login)
    session.execute(delete(LoginAttempt).where(LoginAttempt.source == mine))


def _sources(address: str, login: str) -> tuple[tuple[str, int], tuple[str, int]]:
    mine = f"login:{address}:{login}"[:128]
    return (mine, FREE_FOR_LOGIN), (f"login:{address}"[:128], FREE_FOR_ADDRESS)
