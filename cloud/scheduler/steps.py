"""Steps of the server's own clock: noticed against monotonic time, and the deadlines moved along."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cloud.dispatch.tables import Deadline, ServerClock
from cloud.storage.dialect import insert_new
from models.clock import SECOND_NS, Clock

# Wall and monotonic time are slewed alike, so only a step moves them apart; less than this harms nobody.
THRESHOLD_NS = SECOND_NS // 2


def offset_ns(clock: Clock) -> int:
    """Wall minus monotonic time."""
    return clock.wall_ns() - clock.monotonic_ns()


def is_step(before_ns: int, now_ns: int) -> bool:
    """Whether the wall clock was moved between two offsets of one boot."""
    return abs(now_ns - before_ns) >= THRESHOLD_NS


def note_seen(session: Session, clock: Clock) -> None:
    """Remember the time the clock shows, for the next boot."""
    seen = update(ServerClock).where(ServerClock.boot == clock.boot())
    session.execute(seen.values(seen_at=max(1, clock.wall_ns())))


def follow_step(session: Session, clock: Clock) -> int:
    """Shift every running deadline by the step since this boot's clock was last seen; ns shifted.

    Several schedulers on one machine see the same step: the first shifts and writes the new offset, the
    others then find nothing left to do. The first look in a boot remembers; where the clock then stands
    before the time it showed in an earlier boot it went back while the machine was off, and deadlines follow
    as if no time had passed. That it stands too late cannot be told from a long time off.
    """
    boot, offset = clock.boot(), offset_ns(clock)
    insert_new(session, ServerClock.__table__, [{"boot": boot, "offset_ns": offset, "steps": 0}])
    row = session.get_one(ServerClock, boot, with_for_update=True, populate_existing=True)
    step = offset - row.offset_ns
    if not row.seen_at:
        step += _gone_back_ns(session, clock)
    row.seen_at = max(1, clock.wall_ns())
    if abs(step) < THRESHOLD_NS:
        return 0
    running = update(Deadline).where(Deadline.ended_at.is_(None))
    session.execute(running.values(due_at=Deadline.due_at + step))
    row.offset_ns, row.steps = offset, row.steps + 1
    return step


def _gone_back_ns(session: Session, clock: Clock) -> int:
    """How far the clock stands before what it showed in an earlier boot; 0 where it does not."""
    others = select(func.max(ServerClock.seen_at)).where(ServerClock.boot != clock.boot())
    return min(0, clock.wall_ns() - (session.scalar(others) or 0))
