"""Clocks on people, as rows: started, met, or no longer needed."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cloud.dispatch.limits import Clock, limit_ns
from cloud.dispatch.tables import Deadline, Task
from cloud.incidents.tables import Incident


def start_clock(session: Session, task: Task, incident: Incident, clock: Clock, now: int) -> Deadline:
    """Add the next rung of a clock, due after the time its matter's severity allows."""
    highest = select(func.max(Deadline.rung)).where(
        Deadline.task_id == task.id, Deadline.clock == clock.value
    )
    rung = session.scalar(highest)
    deadline = Deadline(
        site_id=task.site_id,
        task_id=task.id,
        clock=clock.value,
        rung=0 if rung is None else rung + 1,
        due_at=now + limit_ns(clock, incident.kind, incident.severity),
        ended_at=None,
        ended_as=None,
    )
    session.add(deadline)
    session.flush()
    return deadline


def end_clocks(session: Session, task_id: str, ended_as: str, now: int, clock: Clock | None = None) -> None:
    """End the running rows of a task as `met` or `void`; of one clock, or of all."""
    query = update(Deadline).where(Deadline.task_id == task_id, Deadline.ended_at.is_(None))
    if clock is not None:
        query = query.where(Deadline.clock == clock.value)
    session.execute(query.values(ended_at=now, ended_as=ended_as))
