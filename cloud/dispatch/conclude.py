"""The end of a matter: resolved, its tasks closed, nobody's clock left running."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.dispatch.assign import announce_task
from cloud.dispatch.clocks import end_clocks
from cloud.dispatch.states import TaskAct, TaskState, next_state
from cloud.dispatch.tables import OutcomeRow, Task
from cloud.incidents.matter import resolve
from cloud.incidents.states import IncidentState
from cloud.incidents.tables import Incident
from cloud.incidents.timeline import SYSTEM, add_entry
from models.clock import SECOND_NS
from models.outcome import Verdict

# A real matter whose sensors have been calm, and whose answer has stood, for so long is over by itself.
CALM_FOR_NS = 10 * 60 * SECOND_NS


def conclude(session: Session, incident: Incident, actor: str, reason: str, now: int) -> bool:
    """Resolve the incident and close its tasks; False when it was resolved already."""
    if not resolve(session, incident, actor, reason, now):
        return False
    open_tasks = select(Task).where(Task.incident_id == incident.id, Task.state != TaskState.CLOSED.value)
    for task in session.scalars(open_tasks):
        _close(session, incident, task, reason, now)
    return True


def conclude_calm(session: Session, now: int) -> int:
    """Resolve real matters that have been calm long enough; how many."""
    calm = (
        select(Incident)
        .join(OutcomeRow, OutcomeRow.incident_id == Incident.id)
        .where(
            Incident.state == IncidentState.ACKNOWLEDGED.value,
            Incident.quiet_since <= now - CALM_FOR_NS,
            OutcomeRow.verdict == Verdict.REAL.value,
            OutcomeRow.answered_at <= now - CALM_FOR_NS,
        )
    )
    incidents = session.scalars(calm).unique().all()
    for incident in incidents:
        conclude(session, incident, SYSTEM, "calm_after_real", now)
    return len(incidents)


def _close(session: Session, incident: Incident, task: Task, reason: str, now: int) -> None:
    state, _ = next_state(TaskState(task.state), TaskAct.CLOSE)
    task.state, task.closed_at = state.value, now
    end_clocks(session, task.id, "void", now)
    add_entry(session, incident, "task_closed", SYSTEM, now, task=task.id, reason=reason)
    announce_task(session, task, "task.changed", "closed", now)
