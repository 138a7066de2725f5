"""Issuing a task and giving it to somebody, in the transaction of what caused it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.dispatch.choice import Choice, choose_first
from cloud.dispatch.clocks import start_clock
from cloud.dispatch.limits import Clock
from cloud.dispatch.roster import duty_officer_of, workers_for
from cloud.dispatch.states import TaskState
from cloud.dispatch.tables import Assignment, Task
from cloud.events.bus import publish
from cloud.incidents.matter import derive_id
from cloud.incidents.tables import Incident
from cloud.incidents.timeline import SYSTEM, add_entry
from cloud.people.tables import Account
from models.alert import AlertKind


def purpose_of(kind: str, openings: int) -> str:
    """What the task is for. Each reopening needs somebody to look again, so it is a purpose of its own.

    >>> purpose_of("hazard", 1), purpose_of("maintenance", 1), purpose_of("hazard", 2)
    ('verify', 'maintain', 'verify-2')
    """
    purpose = "maintain" if kind == AlertKind.MAINTENANCE else "verify"
    return purpose if openings == 1 else f"{purpose}-{openings}"


def issue_task(session: Session, incident: Incident, measured_at: int | None, now: int) -> Task | None:
    """Issue the incident's task to the first worker of its place, else the duty officer, else visibly nobody.

    None when this opening of the incident has its task already, so calling again is harmless.
    `measured_at` is when the reading behind it was measured; None when a person or an untrusted clock is.
    """
    purpose = purpose_of(incident.kind, incident.openings)
    task_id = derive_id("task", incident.id, purpose)
    if session.get(Task, task_id) is not None:
        return None
    candidates = workers_for(session, incident.place_id)
    choice = choose_first(candidates, duty_officer_of(session, incident.site_id))
    task = Task(
        id=task_id,
        site_id=incident.site_id,
        incident_id=incident.id,
        purpose=purpose,
        assignee_id=choice.account_id,
        assigned_because=choice.because,
        state=TaskState.ISSUED.value,
        measured_at=measured_at,
        issued_at=now,
        delivered_at=None,
        accepted_at=None,
        on_site_at=None,
        verified_at=None,
        closed_at=None,
    )
    session.add(task)
    session.flush()
    note_assignment(session, task, choice, now)
    start_clock(session, task, incident, Clock.ACCEPTED, now)
    _write_issued(session, incident, task, choice, now)
    return task


def note_assignment(session: Session, task: Task, choice: Choice, now: int) -> None:
    """Remember that this person was asked; the last row is who has the task."""
    count = session.scalar(select(func.count()).where(Assignment.task_id == task.id)) or 0
    session.add(
        Assignment(
            site_id=task.site_id,
            task_id=task.id,
            rung=count,
            account_id=choice.account_id,
            because=choice.because,
            at=now,
        )
    )
    session.flush()


def announce_task(session: Session, task: Task, kind: str, reason: str, at: int) -> None:
    """Tell the live pages."""
    payload = {
        "incident": task.incident_id,
        "state": task.state,
        "assignee": task.assignee_id,
        "purpose": task.purpose,
        "reason": reason,
    }
    publish(session, site_id=task.site_id, kind=kind, subject=task.id, payload=payload, at=at)


def login_of(session: Session, account_id: str | None) -> str | None:
    """Login of an account, as timelines name people."""
    account = session.get(Account, account_id) if account_id else None
    return account.login if account else None


def _write_issued(session: Session, incident: Incident, task: Task, choice: Choice, now: int) -> None:
    about: dict[str, Any] = {"task": task.id, "purpose": task.purpose}
    if choice.account_id is None:
        add_entry(session, incident, "task_unassigned", SYSTEM, now, **about)
    else:
        assignee = login_of(session, choice.account_id)
        add_entry(
            session, incident, "task_issued", SYSTEM, now, assignee=assignee, because=choice.because, **about
        )
    announce_task(session, task, "task.issued", choice.because, now)
