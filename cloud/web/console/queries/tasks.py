"""Tasks with their clocks: of incidents, and of one worker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cloud.dispatch.tables import Deadline, OutcomeRow, Task
from cloud.web.console.queries.scope import read_people, within

STEPS = ("issued", "delivered", "accepted", "on_site", "verified", "closed")
WAITING = ("issued", "delivered", "accepted", "on_site")


@dataclass(frozen=True, slots=True)
class Clock:
    """One deadline: what must have happened when, and how it ended."""

    clock: str
    rung: int
    due_at: int
    ended_at: int | None
    ended_as: str | None

    @property
    def is_running(self) -> bool:
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody found."""

    verdict: str
    cause: str
    note: str
    measured_value: float | None
    measured_unit: str
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as pages show it."""

    id: str
    site_id: str
    incident_id: str
    purpose: str
    assignee_id: str | None
    assignee: str
    because: str
    state: str
    times: dict[str, int | None]
    clocks: tuple[Clock, ...]
    findings: tuple[Finding, ...]

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING

    @property
    def running(self) -> Clock | None:
        """The clock that ends first, of those still running."""
        return min((clock for clock in self.clocks if clock.is_running), key=lambda c: c.due_at, default=None)

    @property
    def step_at(self) -> int:
        """When it came into its present state."""
        return max((at for at in self.times.values() if at), default=0)


def tasks_of_incidents(session: Session, incident_ids: Collection[str]) -> dict[str, list[TaskRow]]:
    """Tasks by incident, oldest first."""
    query = select(Task).where(Task.incident_id.in_(incident_ids)).order_by(Task.issued_at, Task.id)
    found: dict[str, list[TaskRow]] = defaultdict(list)
    for row in _rows(session, session.scalars(query).all()):
        found[row.incident_id].append(row)
    return found


def tasks_of(session: Session, account_id: str, done_after: int) -> list[TaskRow]:
    """A worker's tasks: all that wait, and those answered after `done_after`; newest first."""
    is_recent = or_(Task.verified_at >= done_after, Task.closed_at >= done_after)
    query = (
        select(Task)
        .where(Task.assignee_id == account_id, or_(Task.state.in_(WAITING), is_recent))
        .order_by(Task.issued_at.desc())
    )
    return _rows(session, session.scalars(query).all())


def task_with(session: Session, task_id: str, sites: Collection[str]) -> TaskRow | None:
    """One task, if it is at one of these sites."""
    query = select(Task).where(Task.id == task_id, within(Task.site_id, sites))
    return next(iter(_rows(session, session.scalars(query).all())), None)


def _rows(session: Session, tasks: Sequence[Task]) -> list[TaskRow]:
    ids = [task.id for task in tasks]
    clocks = _clocks(session, ids)
    outcomes = _outcomes(session, ids)
    answered = (outcome.account_id for found in outcomes.values() for outcome in found)
    names = read_people(session, [*(task.assignee_id for task in tasks), *answered])
    return [_row(task, clocks[task.id], outcomes[task.id], names) for task in tasks]


def _row(
    task: Task, clocks: Iterable[Clock], outcomes: Iterable[OutcomeRow], names: dict[str, str]
) -> TaskRow:
    return TaskRow(
        id=task.id,
        site_id=task.site_id,
        incident_id=task.incident_id,
        purpose=task.purpose,
        assignee_id=task.assignee_id,
        assignee=names.get(task.assignee_id or "", ""),
        because=task.assigned_because,
        state=task.state,
        times={step: getattr(task, f"{step}_at") for step in STEPS},
        clocks=tuple(clocks),
        findings=tuple(_finding(row, names) for row in outcomes),
    )


def _finding(row: OutcomeRow, names: dict[str, str]) -> Finding:
    by = names.get(row.account_id or "", "")
    return Finding(
        row.verdict, row.cause, row.note, row.measured_value, row.measured_unit, by, row.answered_at
    )


def _clocks(session: Session, task_ids: Collection[str]) -> dict[str, list[Clock]]:
    query = select(Deadline).where(Deadline.task_id.in_(task_ids)).order_by(Deadline.due_at, Deadline.id)
    found: dict[str, list[Clock]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.task_id].append(Clock(row.clock, row.rung, row.due_at, row.ended_at, row.ended_as))
    return found


def _outcomes(session: Session, task_ids: Collection[str]) -> dict[str, list[OutcomeRow]]:
    query = select(OutcomeRow).where(OutcomeRow.task_id.in_(task_ids)).order_by(OutcomeRow.id)
    found: dict[str, list[OutcomeRow]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.task_id].append(row)
    return found
