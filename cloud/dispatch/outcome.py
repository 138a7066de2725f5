"""What was found, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.dispatch.assign import announce_task
from cloud.dispatch.clocks import end_clocks, start_clock
from cloud.dispatch.conclude import conclude
from cloud.dispatch.limits import Clock
from cloud.dispatch.progress import accept, move
from cloud.dispatch.states import LIVE, TaskAct, TaskState
from cloud.dispatch.tables import OutcomeRow, Task
from cloud.errors import ConflictError
from cloud.events.bus import publish
from cloud.incidents.matter import acknowledge
from cloud.incidents.states import IncidentState
from cloud.incidents.tables import Incident
from cloud.incidents.timeline import SYSTEM, add_entry
from cloud.people.roles import Actor
from models.outcome import OutcomeReport, Verdict


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a verdict does to its task (None: it stays as it is) and whether the matter is over."""

    act: TaskAct | None
    resolves: bool


# Real keeps the matter in somebody's hands; no access keeps the question open.
CONSEQUENCES: dict[Verdict, Consequence] = {
    Verdict.REAL: Consequence(TaskAct.VERIFY, resolves=False),
    Verdict.FALSE_ALARM: Consequence(TaskAct.CLOSE, resolves=True),
    Verdict.SENSOR_FAULT: Consequence(TaskAct.CLOSE, resolves=True),
    Verdict.DRILL: Consequence(TaskAct.CLOSE, resolves=True),
    Verdict.NO_ACCESS: Consequence(None, resolves=False),
}


def record_outcome(
    session: Session, task: Task, report: OutcomeReport, actor: Actor, now: int
) -> tuple[OutcomeRow, bool]:
    """Keep an answer and do what follows from it; whether it was new.

    The same key again gives the first answer back and changes nothing; ConflictError when that key answered
    another task. An answer to a task that is closed already is kept and shown, and changes no state: what a
    person saw is never lost because somebody was faster.
    """
    known = session.scalar(select(OutcomeRow).where(OutcomeRow.key == report.key))
    if known is not None:
        if known.task_id != task.id:
            raise ConflictError("outcome_key", "this key belongs to the answer of another task")
        return known, False
    incident = session.get_one(Incident, task.incident_id)
    row = _store(session, task, incident, report, actor, now)
    if TaskState(task.state) in LIVE:
        _follow(session, task, incident, report.verdict, actor, now)
    return row, True


def _store(
    session: Session, task: Task, incident: Incident, report: OutcomeReport, actor: Actor, now: int
) -> OutcomeRow:
    row = OutcomeRow(
        key=report.key,
        site_id=task.site_id,
        task_id=task.id,
        incident_id=incident.id,
        account_id=actor.account_id,
        verdict=report.verdict.value,
        cause=report.cause,
        note=report.note,
        measured_value=report.measured_value,
        measured_unit=report.measured_unit,
        answered_at=now,
        alert_onset_at=incident.onset_at if incident.origin == "alert" else None,
    )
    session.add(row)
    session.flush()
    told = report.model_dump(mode="json", exclude={"key"})
    add_entry(session, incident, "outcome", actor.name, now, task=task.id, **told)
    payload = {"task": task.id, "incident": incident.id, "verdict": report.verdict.value}
    publish(session, site_id=task.site_id, kind="outcome.recorded", subject=task.id, payload=payload, at=now)
    return row


def _follow(
    session: Session, task: Task, incident: Incident, verdict: Verdict, actor: Actor, now: int
) -> None:
    follows = CONSEQUENCES[verdict]
    if follows.act is None:
        _try_again(session, task, incident, actor, now)
        return
    move(task, follows.act)
    end_clocks(session, task.id, "met", now)
    task.verified_at = now
    if follows.act is TaskAct.CLOSE:
        task.closed_at = now
    if incident.state == IncidentState.OPEN and not follows.resolves:
        acknowledge(session, incident, actor.name, actor.account_id, now)
    code = "task_closed" if follows.act is TaskAct.CLOSE else "task_verified"
    about = {"reason": verdict.value} if follows.act is TaskAct.CLOSE else {}
    add_entry(session, incident, code, SYSTEM, now, task=task.id, **about)
    announce_task(session, task, "task.changed", verdict.value, now)
    if follows.resolves:
        conclude(session, incident, actor.name, verdict.value, now)


def _try_again(session: Session, task: Task, incident: Incident, actor: Actor, now: int) -> None:
    """Nobody could get in: whoever went has it, and a new rung of time to find out."""
    accept(session, task, actor, now)
    end_clocks(session, task.id, "met", now)
    start_clock(session, task, incident, Clock.VERIFIED, now)
    announce_task(session, task, "task.changed", Verdict.NO_ACCESS.value, now)
