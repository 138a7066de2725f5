"""A person's steps on a task: it reached them, they go, they are there."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cloud.dispatch.assign import announce_task, note_assignment
from cloud.dispatch.choice import Choice
from cloud.dispatch.clocks import end_clocks, start_clock
from cloud.dispatch.limits import Clock
from cloud.dispatch.states import TaskAct, TaskState, next_state
from cloud.dispatch.tables import Task
from cloud.errors import ConflictError
from cloud.incidents.matter import acknowledge
from cloud.incidents.states import IncidentState
from cloud.incidents.tables import Incident
from cloud.incidents.timeline import add_entry
from cloud.people.roles import Actor


def deliver(session: Session, task: Task, actor: Actor, now: int) -> bool:
    """The person's device shows it. Whether that was news; ConflictError when the task is answered."""
    if not move(task, TaskAct.DELIVER):
        return False
    task.delivered_at = now
    add_entry(session, _incident(session, task), "task_delivered", actor.name, now, task=task.id)
    announce_task(session, task, "task.changed", "delivered", now)
    return True


def accept(session: Session, task: Task, actor: Actor, now: int) -> bool:
    """Somebody goes: the clock to accept is met, the clock to find out starts, the incident is theirs.

    Who accepts a task that nobody has gets it. Whether that was news; ConflictError when it is answered.
    """
    if not move(task, TaskAct.ACCEPT):
        return False
    _take_charge(session, task, actor, now)
    announce_task(session, task, "task.changed", "accepted", now)
    return True


def arrive(session: Session, task: Task, actor: Actor, now: int) -> bool:
    """Somebody is at the door; accepts too, where that was skipped."""
    was_accepted = TaskState(task.state) is TaskState.ACCEPTED
    if not move(task, TaskAct.ARRIVE):
        return False
    if not was_accepted:
        _take_charge(session, task, actor, now)
    task.on_site_at = now
    add_entry(
        session, _incident(session, task), "task_on_site", actor.name, now, task=task.id, by=actor.login
    )
    announce_task(session, task, "task.changed", "on_site", now)
    return True


def move(task: Task, act: TaskAct) -> bool:
    """Take the step if it leads anywhere; whether it did. ConflictError when the state forbids it."""
    state, reason = next_state(TaskState(task.state), act)
    if reason == "refused":
        raise ConflictError("task_state", f"the task is {task.state}: {act.value} is no longer possible")
    task.state = state.value
    return reason == "moved"


def _take_charge(session: Session, task: Task, actor: Actor, now: int) -> None:
    incident = _incident(session, task)
    task.accepted_at = now
    if task.assignee_id is None and actor.account_id is not None:
        task.assignee_id, task.assigned_because = actor.account_id, "person"
        note_assignment(session, task, Choice(actor.account_id, "person"), now)
    end_clocks(session, task.id, "met", now, Clock.ACCEPTED)
    start_clock(session, task, incident, Clock.VERIFIED, now)
    add_entry(session, incident, "task_accepted", actor.name, now, task=task.id, by=actor.login)
    if incident.state == IncidentState.OPEN:
        acknowledge(session, incident, actor.name, actor.account_id, now)


def _incident(session: Session, task: Task) -> Incident:
    return session.get_one(Incident, task.incident_id)
