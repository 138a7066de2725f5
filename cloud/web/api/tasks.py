"""Requests to look, people's steps on them, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.dispatch import progress
from cloud.dispatch.outcome import record_outcome
from cloud.dispatch.states import LIVE
from cloud.dispatch.tables import Assignment, Deadline, OutcomeRow, Task
from cloud.errors import ForbiddenError, NotFoundError
from cloud.people import audit
from cloud.people.roles import Permission
from cloud.web.api.answers import Answer, Done, Page
from cloud.web.api.briefs import IncidentBrief, PersonBrief, read_incidents, read_people
from cloud.web.api.cursors import behind, cursor_of
from cloud.web.api.moments import Moment
from cloud.web.security.access import Access, needs, within
from cloud.web.state import State, WebState
from models.outcome import OutcomeReport

router = APIRouter(tags=["tasks"])


class DeadlineAnswer(Answer):
    """A clock on somebody; `ended_as` null: it runs."""

    clock: str
    rung: int
    due_at: Moment
    ended_at: Moment | None
    ended_as: str | None


class OutcomeAnswer(Answer):
    """What was found."""

    key: str
    verdict: str
    cause: str
    note: str
    measured_value: float | None
    measured_unit: str
    answered_at: Moment
    by: PersonBrief | None


class TaskAnswer(Answer):
    """A request to look. `assignee` null: nobody has it yet, and somebody should take it."""

    id: str
    site_id: str
    purpose: str
    state: str
    assignee: PersonBrief | None
    assigned_because: str
    incident: IncidentBrief
    measured_at: Moment | None
    issued_at: Moment
    delivered_at: Moment | None
    accepted_at: Moment | None
    on_site_at: Moment | None
    verified_at: Moment | None
    closed_at: Moment | None
    deadlines: list[DeadlineAnswer]
    outcomes: list[OutcomeAnswer]


@router.get("/tasks")
def list_tasks(
    state: State,
    site: str | None = None,
    mine: bool = False,
    in_state: Annotated[
        str | None,
        Query(alias="state", max_length=96, description="one, several with commas, or `live`"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[str | None, Query(max_length=96)] = None,
    access: Access = needs(Permission.SEE_TASKS),
) -> Page[TaskAnswer]:
    """Tasks, last issued first; with `mine` only one's own."""
    query = select(Task).where(within(Task.site_id, access.narrow(site)))
    if mine:
        query = query.where(Task.assignee_id == (access.actor.account_id or ""))
    if in_state:
        wanted = LIVE if in_state == "live" else in_state.split(",")
        query = query.where(Task.state.in_([str(one) for one in wanted]))
    if before:
        query = query.where(behind(Task.issued_at, Task.id, before))
    query = query.order_by(Task.issued_at.desc(), Task.id.desc()).limit(limit + 1)
    with state.reading() as session:
        rows = list(session.scalars(query))
        items = describe(session, rows[:limit])
    following = cursor_of(rows[limit - 1].issued_at, rows[limit - 1].id) if len(rows) > limit else None
    return Page(items=items, next=following)


@router.get("/tasks/{task_id}")
def get_task(task_id: str, state: State, access: Access = needs(Permission.SEE_TASKS)) -> TaskAnswer:
    """One task with its clocks and answers."""
    with state.reading() as session:
        return describe(session, [find(session, task_id, access)])[0]


@router.post("/tasks/{task_id}/deliver")
def deliver_task(task_id: str, state: State, access: Access = needs(Permission.WORK)) -> Done:
    """The person's device shows it."""
    return _step(state, access, task_id, "deliver", progress.deliver)


@router.post("/tasks/{task_id}/accept")
def accept_task(task_id: str, state: State, access: Access = needs(Permission.WORK)) -> Done:
    """Somebody goes."""
    return _step(state, access, task_id, "accept", progress.accept)


@router.post("/tasks/{task_id}/arrive")
def arrive_task(task_id: str, state: State, access: Access = needs(Permission.WORK)) -> Done:
    """Somebody is at the door."""
    return _step(state, access, task_id, "arrive", progress.arrive)


@router.post("/tasks/{task_id}/outcome")
def answer_task(
    task_id: str, given: OutcomeReport, state: State, access: Access = needs(Permission.WORK)
) -> TaskAnswer:
    """What was found. The same key again changes nothing and is answered the same."""
    with state.writing() as session:
        task = find(session, task_id, access)
        _refuse_anothers(session, task, access, or_was_asked=True)
        before = task.state
        _, is_new = record_outcome(session, task, given, access.actor, state.now)
        if is_new:
            _audit(session, state, access, task, "task.outcome", before, verdict=given.verdict.value)
        session.flush()
        return describe(session, [task])[0]


def find(session: Session, task_id: str, access: Access) -> Task:
    """The task if the asker may do here what the route is for."""
    row = session.get(Task, task_id)
    if row is None:
        raise NotFoundError("not_found", "no such thing, or not for you")
    access.check(row.site_id)
    return row


def describe(session: Session, rows: list[Task]) -> list[TaskAnswer]:
    """Tasks as the API says them; five queries however many there are."""
    ids = [row.id for row in rows]
    found = session.scalars(
        select(OutcomeRow).where(OutcomeRow.task_id.in_(ids)).order_by(OutcomeRow.id)
    ).all()
    clocks = session.scalars(select(Deadline).where(Deadline.task_id.in_(ids)).order_by(Deadline.id)).all()
    people = read_people(session, [*(row.assignee_id for row in rows), *(one.account_id for one in found)])
    incidents = read_incidents(session, [row.incident_id for row in rows])
    return [
        TaskAnswer(
            **{name: getattr(row, name) for name in _COPIED},
            assignee=people.get(row.assignee_id or ""),
            incident=incidents[row.incident_id],
            deadlines=[DeadlineAnswer.model_validate(one) for one in clocks if one.task_id == row.id],
            outcomes=[_outcome(one, people) for one in found if one.task_id == row.id],
        )
        for row in rows
    ]


_COPIED = (
    "id site_id purpose state assigned_because measured_at issued_at delivered_at accepted_at on_site_at "
    "verified_at closed_at"
).split()


def _outcome(row: OutcomeRow, people: dict[str, PersonBrief]) -> OutcomeAnswer:
    return OutcomeAnswer(
        key=row.key,
        verdict=row.verdict,
        cause=row.cause,
        note=row.note,
        measured_value=row.measured_value,
        measured_unit=row.measured_unit,
        answered_at=row.answered_at,
        by=people.get(row.account_id or ""),
    )


def _step(state: WebState, access: Access, task_id: str, name: str, take: Callable[..., bool]) -> Done:
    with state.writing() as session:
        task = find(session, task_id, access)
        _refuse_anothers(session, task, access)
        before = task.state
        changed = take(session, task, access.actor, state.now)
        if changed:
            _audit(session, state, access, task, f"task.{name}", before)
        return Done(changed=changed, state=task.state)


def _refuse_anothers(session: Session, task: Task, access: Access, *, or_was_asked: bool = False) -> None:
    """A worker acts on own tasks and on those nobody has; who was asked before may still answer."""
    actor = access.actor
    if actor.may(Permission.WORK_FOR_OTHERS, task.site_id):
        return
    if actor.account_id is not None:
        if task.assignee_id in (None, actor.account_id):
            return
        asked = select(Assignment.id).where(
            Assignment.task_id == task.id, Assignment.account_id == actor.account_id
        )
        if or_was_asked and session.scalar(asked.limit(1)) is not None:
            return
    raise ForbiddenError("not_yours", "this task is with somebody else")


def _audit(
    session: Session, state: WebState, access: Access, task: Task, action: str, before: str, **about: Any
) -> None:
    audit.record(
        session,
        site_id=task.site_id,
        actor=access.actor.name,
        action=action,
        subject=task.id,
        before={"state": before},
        after={"state": task.state, **about},
        at=state.now,
    )
