"""A clock has run out: one step up, in one transaction with the clock's own end."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cloud.dispatch.assign import announce_task, login_of, note_assignment
from cloud.dispatch.choice import Choice, choose_next
from cloud.dispatch.clocks import end_clocks, start_clock
from cloud.dispatch.limits import LAST_RUNG, Clock
from cloud.dispatch.roster import duty_officer_of, workers_for
from cloud.dispatch.states import LIVE, TaskAct, TaskState, next_state
from cloud.dispatch.tables import Assignment, Deadline, Task
from cloud.incidents.tables import Incident
from cloud.incidents.timeline import SYSTEM, add_entry
from cloud.storage.dialect import claim


def find_due(session: Session, now: int) -> int | None:
    """When the earliest clock that has run out was due; None when none has."""
    running = select(Deadline.due_at).where(Deadline.ended_at.is_(None), Deadline.due_at <= now)
    return session.scalar(running.order_by(Deadline.due_at).limit(1))


def fire_due(session: Session, now: int, limit: int = 50) -> list[int]:
    """Fire clocks that have run out, the longest due first; ids of those fired, in this transaction.

    Several processes may do this at once: each row is taken by one of them, and once.
    """
    due = select(Deadline).where(Deadline.ended_at.is_(None), Deadline.due_at <= now)
    rows = session.scalars(claim(due.order_by(Deadline.due_at).limit(limit))).all()
    return [row.id for row in rows if _fire(session, row, now)]


def _fire(session: Session, deadline: Deadline, now: int) -> bool:
    mine = update(Deadline).where(Deadline.id == deadline.id, Deadline.ended_at.is_(None))
    if session.execute(mine.values(ended_at=now, ended_as="fired")).rowcount != 1:
        return False  # ended by an earlier row of this batch
    task = session.get_one(Task, deadline.task_id)
    if TaskState(task.state) in LIVE:
        _step_up(session, task, deadline, now)
    return True


def _step_up(session: Session, task: Task, deadline: Deadline, now: int) -> None:
    incident = session.get_one(Incident, task.incident_id)
    before = task.assignee_id
    asked = set(session.scalars(select(Assignment.account_id).where(Assignment.task_id == task.id)))
    choice = choose_next(
        workers_for(session, incident.place_id),
        duty_officer_of(session, task.site_id),
        asked - {None},
        before,
    )
    if choice.account_id != before:
        _hand_over(session, task, choice, now)
    clock = Clock(deadline.clock) if choice.account_id == before else Clock.ACCEPTED
    if deadline.rung + 1 < LAST_RUNG:
        start_clock(session, task, incident, clock, now)
    add_entry(
        session,
        incident,
        "escalated",
        SYSTEM,
        now,
        task=task.id,
        clock=deadline.clock,
        rung=deadline.rung,
        before=login_of(session, before),
        assignee=login_of(session, choice.account_id),
        because=choice.because,
    )
    announce_task(session, task, "task.changed", "escalated", now)


def _hand_over(session: Session, task: Task, choice: Choice, now: int) -> None:
    """Give the task to somebody else, who begins anew; the timeline keeps what was."""
    state, _ = next_state(TaskState(task.state), TaskAct.REASSIGN)
    task.state = state.value
    task.assignee_id, task.assigned_because = choice.account_id, choice.because
    task.delivered_at = task.accepted_at = task.on_site_at = None
    end_clocks(session, task.id, "void", now)
    note_assignment(session, task, choice, now)
